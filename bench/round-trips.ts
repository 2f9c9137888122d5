import type { Socket } from 'node:net';

/** Makes one round trip. */
export type Call = (done: () => void) => void;

/** The frames of `chunk`, which hold `pending` from before; what is left of them. */
export function eachFrame(pending: Buffer, chunk: Buffer, use: (frame: Buffer) => void): Buffer {
  let rest = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
  while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
    const end = 4 + rest.readInt32BE(0);
    use(rest.subarray(0, end));
    rest = rest.subarray(end);
  }
  return rest;
}

/** Round trips a second with so many calls always in flight. */
export function roundTripRate(call: Call, inFlight: number, durationMs: number): Promise<number> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let answered = 0;
    let open = inFlight;
    let over = false;
    const next = (): void => {
      answered++;
      // The clock is looked at now and then, so that it costs nobody anything.
      if ((answered & 63) === 0 && performance.now() - startedAt >= durationMs) over = true;
      if (!over) call(next);
      else if (--open === 0) resolve((answered / (performance.now() - startedAt)) * 1000);
    };
    for (let i = 0; i < inFlight; i++) call(next);
  });
}

/** How long one round trip takes, in seconds. */
export async function roundTripSeconds(call: Call): Promise<number> {
  const startedAt = performance.now();
  await new Promise<void>((resolve) => call(resolve));
  return (performance.now() - startedAt) / 1000;
}

/** Writes to `socket`; what is written in one turn leaves together, as Barista's client has it. */
export function gatheredWriter(socket: Socket): (bytes: Buffer) => void {
  let unsent: Buffer[] = [];
  return (bytes) => {
    if (unsent.length === 0) {
      process.nextTick(() => {
        const sent = unsent;
        unsent = [];
        socket.write(sent.length === 1 ? (sent[0] as Buffer) : Buffer.concat(sent));
      });
    }
    unsent.push(bytes);
  };
}

/** So many round trips, at most `inFlight` at a time. */
export async function roundTrips(count: number, inFlight: number, call: Call): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await new Promise<void>((resolve) => call(resolve));
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
