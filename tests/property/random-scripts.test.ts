import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Model } from './model.js';
import { runSimulated } from './run-simulated.js';

const RUNS = Number(process.env['BARISTA_RANDOM_SCRIPTS'] ?? 3_000);

/** One random step: what to do, and three numbers that choose whom among those who are there. */
interface Step {
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const SERVERS = ['9', '10', 'north', 'west', 'x'];
const CLIENTS = ['c1', 'c2', 'c3'];
const KEYS = ['k', 'l', '__proto__'];

const step: fc.Arbitrary<Step> = fc.record({ kind: fc.nat(99), a: fc.nat(999), b: fc.nat(999), c: fc.nat(999) });

/** Turns steps into script lines, and tells the model of each. Every line is lawful where it stands. */
function play(steps: readonly Step[], model: Model): string[] {
  const lines: string[] = [];
  const emit = (line: string, act: () => void): void => {
    lines.push(line);
    act();
  };
  const joinServer = (id: string): void => emit(`joinServer ${id}`, () => model.joinServer(id));
  joinServer('9');
  joinServer('10');
  emit('joinClient c1 9', () => model.joinClient('c1', '9'));
  for (const [i, { kind, a, b, c }] of steps.entries()) {
    const servers = model.servers.map(({ id }) => id);
    const pick = <T>(from: readonly T[], n: number): T => from[n % from.length] as T;
    const server = pick(servers, a);
    const other = pick(servers, b);
    const client = pick(model.clients, c);
    const key = pick(KEYS, b);
    if (kind < 30) emit(`put ${client} ${key} v${i}`, () => model.write(client, key, `v${i}`));
    else if (kind < 35) emit(`delete ${client} ${key}`, () => model.write(client, key, null));
    else if (kind < 55) emit(`get ${client} ${key}`, () => model.get(client, key));
    else if (kind < 63) emit('stabilize', () => model.stabilize());
    else if (kind < 70 && server !== other)
      emit(`breakConnection ${server} ${other}`, () => model.breakConnection(server, other));
    else if (kind < 76 && server !== other)
      emit(`createConnection ${server} ${other}`, () => model.createConnection(server, other));
    else if (kind < 80) emit(`breakConnection ${client} ${server}`, () => model.breakConnection(client, server));
    else if (kind < 87) emit(`createConnection ${server} ${client}`, () => model.createConnection(server, client));
    else if (kind < 89) {
      const fresh = SERVERS.find((id) => !servers.includes(id));
      if (fresh !== undefined) joinServer(fresh);
    } else if (kind < 92) {
      const fresh = CLIENTS.find((id) => !model.clients.includes(id));
      if (fresh !== undefined) emit(`joinClient ${fresh} ${server}`, () => model.joinClient(fresh, server));
    } else if (kind < 94) {
      if (servers.length > 1) emit(`killServer ${server}`, () => model.killServer(server));
    } else if (kind < 96) emit(`pause ${server}`, () => model.pause(server));
    else if (kind < 98) emit(`resume ${server}`, () => model.resume(server));
    else if (model.servers.some(({ id, paused }) => id === server && !paused)) {
      emit(`printLog ${server}`, () => model.printLog(server));
    }
  }
  heal(model, emit);
  return lines;
}

function heal(model: Model, emit: (line: string, act: () => void) => void): void {
  const servers = model.servers.map(({ id }) => id);
  for (const id of servers) emit(`resume ${id}`, () => model.resume(id));
  for (const a of servers) {
    for (const b of servers) if (a < b) emit(`createConnection ${a} ${b}`, () => model.createConnection(a, b));
  }
  emit('stabilize', () => model.stabilize());
  for (const id of servers) {
    emit(`printStore ${id}`, () => model.printStore(id));
    emit(`printLog ${id}`, () => model.printLog(id));
  }
}

for (const tieBreak of ['higher', 'lower'] as const) {
  test(`random scripts print what the fold of all writes says, tie-break ${tieBreak}`, {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
        const model = new Model(tieBreak);
        const lines = play(steps, model);
        const { output } = await runSimulated(lines, { tieBreak });
        expect(output, lines.join('\n')).toEqual(model.output);
      }),
      { numRuns: RUNS },
    );
  });
}
