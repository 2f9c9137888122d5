import { closeSync, openSync, writeSync } from 'node:fs';
import { seededRandom } from '../src/base/random.js';
import type { HistoryEvent, Stamp, Vector } from '../src/check/history.js';
import { formatLine } from '../src/check/json-lines.js';
import { runCheck } from '../src/cli/check-run.js';
import { type Row, report, seconds } from './measure.js';
import { freshPath } from './scratch.js';

/*
 * A recorded history is checked, from its file: one of a store that is correct, and far simpler than Barista. The time an
 * operation should not depend on how many there are.
 */

const SIZES = [10_000, 100_000, 1_000_000];
const REPLICAS = 5;
const CLIENTS = 20;
const KEYS = 1_000;
/** How many operations there are between one state of a replica and its next. */
const STATE_EVERY = 5_000;
const GUARANTEES = ['read-your-writes', 'monotonic-reads', 'writes-follow-reads', 'monotonic-writes'] as const;

interface Entry {
  readonly stamp: Stamp;
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  readonly value: string | null;
}

interface Site {
  readonly name: string;
  readonly store: Map<string, Entry>;
  readonly seen: Map<string, number>;
  /** How many entries of the common log it has taken. */
  taken: number;
}

/** Sites that take over a common log now and then; clients that go on to where all they know is known. */
function* makeHistory(operations: number): Generator<HistoryEvent> {
  const random = seededRandom(1);
  const log: Entry[] = [];
  const sites = Array.from({ length: REPLICAS }, (_, i): Site => {
    return { name: `r${i}`, store: new Map(), seen: new Map(), taken: 0 };
  });
  const clients = Array.from({ length: CLIENTS }, (_, i) => ({ name: `c${i}`, clientTime: 0, known: 0 }));
  for (const { name } of clients) yield { type: 'session', client: name, guarantees: GUARANTEES };
  for (let now = 1; now <= operations; now++) {
    const site = sites[random.below(REPLICAS)] as Site;
    const client = clients[random.below(CLIENTS)] as (typeof clients)[number];
    const key = `k${random.below(1 + random.below(KEYS))}`;
    if (site.taken < client.known || random.below(10) === 0) take(site, log);
    const head = { client: client.name, key, begin: now, end: now, replica: site.name };
    if (random.below(2) === 0) {
      // Everything here is known there before it is written, so that the common log is in the order of the stamps.
      take(site, log);
      client.clientTime += 1;
      const value = random.below(10) === 0 ? null : `value-${now}`;
      const entry: Entry = { ...head, stamp: [now, site.name, 1], clientTime: client.clientTime, value };
      log.push(entry);
      take(site, log);
      client.known = log.length;
      yield { type: 'write', ...head, clientTime: client.clientTime, value, outcome: 'accepted', stamp: entry.stamp };
    } else {
      const found = site.store.get(key);
      client.known = Math.max(client.known, site.taken);
      const read = { type: 'read', ...head, seen: vectorOf(site) } as const;
      if (found === undefined || found.value === null) yield { ...read, outcome: 'absent' };
      else yield { ...read, outcome: 'found', value: found.value, stamp: found.stamp };
    }
    if (now % (STATE_EVERY / REPLICAS) === 0) yield showOf(site, now);
  }
  for (const site of sites) take(site, log);
  for (const site of sites) yield { ...showOf(site, operations + 1), final: true };
}

function take(site: Site, log: readonly Entry[]): void {
  for (; site.taken < log.length; site.taken++) {
    const entry = log[site.taken] as Entry;
    site.store.set(entry.key, entry);
    site.seen.set(entry.stamp[1], entry.stamp[0]);
  }
}

/** The base store is all there is: every write up to the last is folded. */
function showOf(site: Site, at: number): Extract<HistoryEvent, { type: 'state' }> {
  const base = Math.max(0, ...site.seen.values());
  const present = [...site.store.values()].flatMap(({ key, value, stamp }) => {
    return value === null ? [] : [[key, value, stamp] as const];
  });
  const head = { type: 'state', at, replica: site.name, incarnation: 1, seen: vectorOf(site), received: [] } as const;
  return { ...head, base, stable: base, log: [], store: present, final: false };
}

function vectorOf({ seen }: Site): Vector {
  return Array.from(seen, ([replica, time]) => [time, replica, 1] as const);
}

function record(path: string, operations: number): void {
  const file = openSync(path, 'w');
  let lines = `${formatLine({ type: 'history', version: 1, tieBreak: 'higher', retryWindow: 600_000 })}\n`;
  for (const event of makeHistory(operations)) {
    lines += `${formatLine(event)}\n`;
    if (lines.length < 1_000_000) continue;
    writeSync(file, lines);
    lines = '';
  }
  writeSync(file, lines);
  closeSync(file);
}

const rows: Row[] = [];
let smallest: number | null = null;
for (const size of SIZES) {
  const path = freshPath(`history-${size}`);
  record(path, size);
  let status = 0;
  const before = process.cpuUsage();
  const time = await seconds(async () => {
    status = await runCheck({ path, procedureFiles: [] });
  });
  if (status !== 0) throw new Error('a correct history was found wrong');
  const { user, system } = process.cpuUsage(before);
  const busy = (user + system) / 1e6;
  smallest ??= busy / size;
  const memory = (process.resourceUsage().maxRSS / 1024).toFixed(0);
  rows.push({
    measure: `a history of ${size.toLocaleString('en')} operations is checked`,
    barista: `${time.toFixed(1)} s (CPU ${busy.toFixed(1)} s), up to ${memory} MiB`,
    beside: `with ${(SIZES[0] as number).toLocaleString('en')}: CPU ${(smallest * 1e6).toFixed(1)} µs each`,
    ratio: (busy / size / smallest).toFixed(2),
  });
}
report('check', rows);
