import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Random, seededRandom } from '../../src/base/random.js';
import { GUARANTEES } from '../../src/bayou/session.js';
import { checkHistory } from '../../src/check/check.js';
import type { ReadEvent, WriteEvent } from '../../src/check/history.js';
import { SessionCluster } from './cluster.js';
import type { RecordedClient } from './recorded-client.js';

/*
 * Many clients, each with drawn guarantees, roam over real replicas on disk while links are cut and mended and replicas
 * killed and restarted: the history of it passes every checker.
 */

const REPLICAS = ['a', 'b', 'c', 'd'];
const CLIENTS = 8;
const OPERATIONS = 120;
const KEYS = 5;
/** A replica that runs answers sooner, also on a machine that has much else to do. */
const TIMEOUT_MS = 5_000;
const THINK_MS_MAX = 15;
const FAULTS_APART_MS_MAX = 150;

const CASES = [
  // A client that asks one replica at a time sends nothing twice, so the log can be folded under it at once.
  {
    name: 'at one replica at a time, whose logs are folded meanwhile',
    atOnce: 1,
    retryWindowMs: 20,
    seed: 1,
    shows: ['read missing', 'write missing'],
  },
  {
    name: 'at two replicas at a time, of which one takes over when the other fails',
    atOnce: 2,
    retryWindowMs: 60_000,
    seed: 2,
    shows: [],
  },
];

test.each(CASES)('clients roam $name', async ({ atOnce, retryWindowMs, seed, shows }) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'barista-roaming-'));
  const cluster = await SessionCluster.open(
    { dataDir, antiEntropyMs: 30, retryWindowMs, timeoutMs: TIMEOUT_MS },
    REPLICAS,
  );
  try {
    const clients = Array.from({ length: CLIENTS }, (_, i) => {
      // Each of them alone, none, and all four together, more than once.
      const guarantees = i < GUARANTEES.length ? GUARANTEES.slice(i, i + 1) : i === GUARANTEES.length ? [] : GUARANTEES;
      return cluster.client(`client ${i}`, guarantees);
    });
    const over = new AbortController();
    const faults = makeFaults(cluster, seededRandom(seed), over.signal);
    const roaming = clients.map((client, i) => roam(cluster, client, seededRandom(seed * 1_000 + i), atOnce));
    const [happened] = await Promise.all([Promise.all(roaming).finally(() => over.abort()), faults]);
    await cluster.stabilize();
    for (const id of REPLICAS) await cluster.recordState(id, true);
    const { header, events } = cluster;
    expect(checkHistory({ header, events }).violations).toEqual([]);
    // It was no idle walk.
    const told = new Set(happened.flat().map(({ type, outcome }) => `${type} ${outcome}`));
    expect([...told]).toEqual(expect.arrayContaining(['read found', 'write accepted', ...shows]));
    const repeated = happened.flat().filter((event) => event.type === 'write' && event.repeated === true);
    if (atOnce > 1) expect(repeated).not.toEqual([]);
    else expect(await cluster.base('a')).toBeGreaterThan(0);
  } finally {
    await cluster.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

/** What the client was told, one operation after the other. */
async function roam(
  cluster: SessionCluster,
  client: RecordedClient,
  random: Random,
  atOnce: number,
): Promise<readonly (ReadEvent | WriteEvent)[]> {
  const told: (ReadEvent | WriteEvent)[] = [];
  for (let i = 0; i < OPERATIONS; i++) {
    if (i === 0 || random.below(3) === 0) {
      const first = random.below(REPLICAS.length);
      const at = Array.from({ length: atOnce }, (_, next) => REPLICAS[(first + next) % REPLICAS.length] as string);
      cluster.roam(client, ...at);
    }
    const key = `k${random.below(KEYS)}`;
    const kind = random.below(20);
    if (kind < 11) told.push(await client.get(key));
    else if (kind < 19) told.push(await client.put(key, `${client.id}, ${i}`));
    else told.push(await client.delete(key));
    await delay(random.below(THINK_MS_MAX));
  }
  return told;
}

/** Until it is over; then all links are mended, and all replicas run. */
async function makeFaults(cluster: SessionCluster, random: Random, over: AbortSignal): Promise<void> {
  const draw = (): string => REPLICAS[random.below(REPLICAS.length)] as string;
  for (let fault = 0; !over.aborted; fault++) {
    const [one, other] = [draw(), draw()];
    const kind = fault === 0 ? 0 : random.below(8);
    if (kind < 1) {
      await cluster.killServer(one);
      await delay(random.below(FAULTS_APART_MS_MAX));
      await cluster.restartServer(one);
    } else if (kind < 4) {
      if (one !== other) await cluster.breakConnection(one, other);
    } else if (kind < 6) {
      if (one !== other) await cluster.createConnection(one, other);
    } else if (kind === 6) {
      for (const id of REPLICAS) if (id !== one) await cluster.breakConnection(one, id);
    } else {
      for (const id of REPLICAS) if (id !== one) await cluster.createConnection(one, id);
      // A pull that ran into a cut link is no failure of this.
      await cluster.compact().catch(() => undefined);
    }
    await delay(random.below(FAULTS_APART_MS_MAX));
  }
  for (const one of REPLICAS) for (const other of REPLICAS) if (one < other) await cluster.createConnection(one, other);
}
