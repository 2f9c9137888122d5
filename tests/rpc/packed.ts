/*
 * The format of PackedWrites, written once more from nothing but the comment in barista.thrift, as one would in another
 * language: what src/rpc writes and reads is held against it.
 */

export interface PlainWrite {
  readonly origin: { readonly id: string; readonly incarnation: number };
  readonly isResubmitted: boolean;
  readonly isPart: boolean;
  readonly acceptTime: number;
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  /** 1: a put; 2: a delete; others as the comment has them. */
  readonly kind: number;
  /** What the operation carries. */
  readonly body: string;
}

export function number(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

export function difference(value: number | bigint): Buffer {
  const signed = BigInt(value);
  return number(signed < 0n ? -2n * signed - 1n : 2n * signed);
}

export function string(text: string | Uint8Array): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([number(bytes.length), bytes]);
}

/** Reads writes; bytes that are not what they should be give nonsense or a plain error. */
export function unpack(bytes: Buffer): PlainWrite[] {
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const readBig = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = take(1).readUInt8();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const readNumber = (): number => Number(readBig());
  const readDifference = (): number => {
    const value = readBig();
    return Number(value & 1n ? -(value + 1n) / 2n : value / 2n);
  };
  const readString = (): string => take(readNumber()).toString();
  const readEntry = <T>(place: number, table: T[], readNew: () => T): T => {
    const entry = table[place] ?? readNew();
    table[place] = entry;
    return entry;
  };

  if (readNumber() !== 4) throw new Error('another format');
  const origins: PlainWrite['origin'][] = [];
  const clients: { readonly id: string; time: number }[] = [];
  let acceptTime = 0;
  let keyBytes: Buffer = Buffer.alloc(0);
  const writes = Array.from({ length: readNumber() }, (): PlainWrite => {
    const word = readNumber();
    const origin = readEntry(Math.floor(word / 4), origins, () => ({ id: readString(), incarnation: readNumber() }));
    const client = readEntry(readNumber(), clients, () => ({ id: readString(), time: 0 }));
    acceptTime += readDifference();
    client.time += readDifference();
    const beginning = keyBytes.subarray(0, readNumber());
    keyBytes = Buffer.concat([beginning, take(readNumber())]);
    const what = readNumber();
    const kind = what === 0 ? 2 : what === 1 ? readNumber() : 1;
    const length = what === 0 ? 0 : what === 1 ? readNumber() : what - 2;
    const body = take(length).toString('latin1');
    return {
      isResubmitted: word % 2 === 1,
      isPart: word % 4 >= 2,
      origin,
      acceptTime,
      client: client.id,
      clientTime: client.time,
      key: keyBytes.toString(),
      kind,
      body,
    };
  });
  if (at !== bytes.length) throw new Error(`${bytes.length - at} bytes are left`);
  return writes;
}
