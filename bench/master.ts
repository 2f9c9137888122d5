import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Cluster, ClusterOptions } from '../master/cluster.js';
import type { Output } from '../master/command.js';
import { openCluster } from '../master/open-cluster.js';
import { Runner, runScript } from '../master/runner.js';
import { seededRandom } from '../src/base/random.js';
import { ScriptBytes } from '../src/cli/script-bytes.js';
import { pingPong, startEcho } from './echo.js';
import { median, type Row, report, seconds } from './measure.js';

const RUNS = 5;
const REPLICAS = 5;
const CLIENTS = 25;
const OPERATIONS = 20_000;
const STABILIZE_EVERY = 1_000;
const JOINS = 20;
const MERGE_SIZES = [8_000, 16_000, 32_000, 64_000];

const OPTIONS: ClusterOptions = {
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
  guarantees: ['read-your-writes', 'monotonic-reads'],
  maxDriftMs: 60_000,
  antiEntropyMs: null,
  timeoutMs: 2_000,
  basePort: null,
  dataDir: null,
};

const SILENT: Output = { print: () => undefined, drained: () => undefined, flush: () => undefined };

async function withCluster<T>(use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await openCluster('processes', OPTIONS, {
    report: (error) => {
      throw error;
    },
    warn: (message) => console.error(message),
  });
  try {
    return await use(cluster);
  } finally {
    await cluster.close();
  }
}

/** As the master runs a script: the same lexer, runner and printing, from bytes. */
async function runLines(cluster: Cluster, lines: readonly string[]): Promise<void> {
  const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const runner = new Runner(cluster, SILENT, (line, error) => {
    throw new Error(`line ${line}: ${error.message}`);
  });
  await runScript(new ScriptBytes(chunks()), runner, SILENT);
}

function joins(): string[] {
  const servers = Array.from({ length: REPLICAS }, (_, i) => `joinServer ${i}`);
  const clients = Array.from({ length: CLIENTS }, (_, i) => `joinClient c${i} ${i % REPLICAS}`);
  return [...servers, ...clients, ...Array.from({ length: CLIENTS }, (_, i) => `get c${i} warm`)];
}

function randomOperations(seed: number, stabilizeEvery: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: OPERATIONS }, (_, i) => {
    if (stabilizeEvery > 0 && i % stabilizeEvery === stabilizeEvery - 1) return 'stabilize';
    const client = `c${random.below(CLIENTS)}`;
    const key = `key-${random.below(1_000)}`;
    const dice = random.below(20);
    if (dice < 10) return `get ${client} ${key}`;
    return dice < 19 ? `put ${client} ${key} value-${i}` : `delete ${client} ${key}`;
  });
}

/** The first operations of a fresh cluster, whose processes have yet to compile what they run; then as many again. */
async function operations(): Promise<Row[]> {
  const echo = await startEcho();
  const message = new Uint8Array(100);
  await pingPong(echo, message, OPERATIONS);
  const rows: Row[] = [];
  for (const [name, every] of [
    ['operations', 0],
    [`operations, a stabilize every ${STABILIZE_EVERY}`, STABILIZE_EVERY],
  ] as const) {
    const fresh: number[] = [];
    const warm: number[] = [];
    const raw: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      await withCluster(async (cluster) => {
        await runLines(cluster, joins());
        for (const rates of [fresh, warm]) {
          const lines = randomOperations(run + 1, every);
          rates.push(OPERATIONS / (await seconds(() => runLines(cluster, lines))));
        }
      });
      raw.push(OPERATIONS / (await seconds(() => pingPong(echo, message, OPERATIONS))));
    }
    for (const [when, rates] of [
      ['the first 20,000', fresh],
      ['20,000 more', warm],
    ] as const) {
      rows.push({
        measure: `${name}, ${when}`,
        barista: perSecond(median(rates)),
        beside: `raw ping-pong ${perSecond(median(raw))}`,
        ratio: median(rates.map((rate, i) => rate / (raw[i] as number))).toFixed(2),
      });
    }
  }
  echo.close();
  return rows;
}

/** Beside as many bare Node processes started at once: what the machine takes for them alone. */
async function startUp(): Promise<Row> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await withCluster(async (cluster) => {
      const lines = [...Array.from({ length: JOINS }, (_, i) => `joinServer ${i}`), `printMembers 0`];
      ours.push(await seconds(() => runLines(cluster, lines)));
    });
    const start = async (): Promise<void> => {
      await once(spawn(process.execPath, ['-e', '0'], { stdio: ['pipe', 'pipe', 'pipe'] }), 'exit');
    };
    bare.push(await seconds(async () => void (await Promise.all(Array.from({ length: JOINS }, start)))));
  }
  const ratio = median(ours.map((time, i) => time / (bare[i] as number)));
  return {
    measure: `${JOINS} joins`,
    barista: milliseconds(median(ours)),
    beside: `${JOINS} bare Node processes ${milliseconds(median(bare))}`,
    ratio: ratio.toFixed(2),
  };
}

/** Two partitions of two replicas write apart, N each; then the cut is healed and the cluster stabilized. */
async function merges(): Promise<Row[]> {
  const perWrite: number[] = [];
  const rows: Row[] = [];
  for (const size of MERGE_SIZES) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      await withCluster(async (cluster) => {
        await runLines(cluster, [
          'joinServer 1',
          'joinServer 2',
          'joinServer 3',
          'joinServer 4',
          'joinClient a 1',
          'joinClient b 3',
        ]);
        await runLines(cluster, [
          'breakConnection 1 3',
          'breakConnection 1 4',
          'breakConnection 2 3',
          'breakConnection 2 4',
        ]);
        await runLines(
          cluster,
          Array.from({ length: size }, (_, i) => [`put a key-${i} a-${i}`, `put b key-${i} b-${i}`]).flat(),
        );
        await runLines(cluster, ['stabilize', 'createConnection 1 3', 'createConnection 2 4']);
        times.push(await seconds(() => runLines(cluster, ['stabilize'])));
      });
    }
    const time = median(times);
    perWrite.push(time / (2 * size));
    rows.push({
      measure: `merge of two partitions, ${size / 1_000}k writes each`,
      barista: milliseconds(time),
      beside: `${((time / (2 * size)) * 1e6).toFixed(2)} µs a write; at ${(MERGE_SIZES[0] as number) / 1_000}k ${((perWrite[0] as number) * 1e6).toFixed(2)}`,
      ratio: (time / (2 * size) / (perWrite[0] as number)).toFixed(2),
    });
  }
  return rows;
}

function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString('en')}/s`;
}

function milliseconds(time: number): string {
  return `${(time * 1_000).toFixed(0)} ms`;
}

report('master', [...(await operations()), await startUp(), ...(await merges())]);
