import { seededRandom } from '../../src/base/random.js';
import { GUARANTEES } from '../../src/bayou/session.js';
import type { History, HistoryEvent, LoggedWrite, Stamp, Vector } from '../../src/check/history.js';

interface Made {
  readonly client: string;
  readonly clientTime: number;
  readonly key: string;
  readonly value: string | null;
  readonly stamps: readonly Stamp[];
  readonly isRepeated: boolean;
  readonly part?: true;
}

/**
 * A history of chance: writes that have names and stamps of their own, and anything at all that is read and shown of them.
 * Most of these break most promises.
 */
export function makeGarbage(seed: number): History {
  const random = seededRandom(seed);
  const below = (limit: number): number => random.below(limit);
  const events: HistoryEvent[] = [];
  const made: Made[] = [];
  const replicas = ['a', 'b'];
  for (const client of ['c', 'd']) {
    const guarantees = below(3) === 0 ? GUARANTEES : GUARANTEES.filter(() => below(2) === 0);
    events.push({ type: 'session', client, guarantees });
  }
  const someVector = (): Vector => replicas.map((replica) => [below(14), replica, 1] as const);
  const usedTimes = new Set<string>();
  const freshStamp = (near: number): Stamp | null => {
    const stamp: Stamp = [Math.max(1, near + below(5) - 1), replicas[below(2)] as string, below(12) === 0 ? 2 : 1];
    if (usedTimes.has(stamp.join())) return null;
    usedTimes.add(stamp.join());
    return stamp;
  };
  let now = 0;
  const times: Record<string, number> = { c: 0, d: 0 };
  const write = (client: string, key: string, near: number): void => {
    const isRepeated = below(4) === 0;
    const stamps = [freshStamp(near), isRepeated ? freshStamp(near + 2) : null].filter((stamp) => stamp !== null);
    const clientTime = (times[client] ?? 0) + 1;
    times[client] = clientTime;
    const value = below(3) === 0 ? null : `v${client}${clientTime}`;
    const [stamp] = stamps;
    const isUnknown = stamp === undefined || below(6) === 0;
    const keys = below(4) === 0 ? ['k', 'l'] : [key];
    for (const key of keys) {
      const part = keys.length > 1 ? ({ part: true } as const) : {};
      made.push({ client, clientTime, key, value, stamps, isRepeated, ...part });
      const head = { type: 'write', client, clientTime, key, value, begin: now, end: now, replica: 'a' } as const;
      const repeated = isRepeated ? ({ repeated: true } as const) : {};
      if (isUnknown) events.push({ ...head, outcome: 'unknown', ...repeated, ...part });
      else events.push({ ...head, outcome: 'accepted', stamp, ...repeated, ...part });
    }
  };
  const readTogether = (client: string): void => {
    const begun = events.length;
    for (const key of ['k', 'l']) read(client, key);
    events.push(
      ...events.splice(begun).map((event) => (event.type === 'read' ? { ...event, together: begun } : event)),
    );
  };
  const read = (client: string, key: string): void => {
    const puts = made.filter((it) => it.key === key && it.value !== null && it.stamps.length > 0);
    const it = puts[Math.max(0, puts.length - 1 - below(3))];
    const seen = below(3) === 0 ? {} : { seen: someVector() };
    const head = { type: 'read', client, key, begin: now, end: now, replica: replicas[below(2)] as string } as const;
    const stamp = it?.stamps[below(it.stamps.length)];
    if (it?.value == null || stamp === undefined || below(4) === 0)
      events.push({ ...head, ...seen, outcome: 'absent' });
    else events.push({ ...head, ...seen, outcome: 'found', value: it.value, stamp });
  };
  const show = (final: boolean): void => {
    const order = (x: Stamp, y: Stamp): number => x[0] - y[0] || (x[1] < y[1] ? -1 : x[1] > y[1] ? 1 : x[2] - y[2]);
    const log = made
      .flatMap(({ stamps, isRepeated: _, ...it }) => stamps.map((stamp): LoggedWrite => ({ ...it, stamp })))
      .filter(() => below(4) > 0)
      .map((it) => (below(8) === 0 ? { ...it, resubmitted: true as const } : it))
      .sort((x, y) => order(x.stamp, y.stamp));
    const store = ['k', 'l'].flatMap((key) => {
      const puts = log.filter((it) => it.key === key && it.value !== null);
      const it = puts[Math.max(0, puts.length - 1 - below(2))];
      return it?.value == null || below(5) === 0 ? [] : [[key, it.value, it.stamp] as const];
    });
    const origin = { replica: replicas[below(2)] as string, incarnation: below(8) === 0 ? 2 : 1 };
    const reached = { base: below(3) === 0 ? below(10) : 0, stable: below(30) };
    events.push({ type: 'state', at: now, ...origin, seen: someVector(), received: [], ...reached, log, store, final });
  };
  for (let left = 4 + below(14); left > 0; left--) {
    now += 1;
    const client = ['c', 'd'][below(2)] as string;
    const key = ['k', 'k', 'l'][below(3)] as string;
    const dice = below(10);
    if (dice < 4) write(client, key, now);
    else if (dice < 8) below(3) === 0 ? readTogether(client) : read(client, key);
    else if (dice < 9) show(false);
    else if (below(3) === 0) {
      const event = below(2) === 0 ? 'lost' : 'retired';
      events.push({ type: 'life', at: now, replica: replicas[below(2)] as string, incarnation: 1, event });
    }
  }
  for (let left = below(3); left > 0; left--) {
    now += 1;
    show(true);
  }
  const tieBreak = 'higher';
  return { header: { type: 'history', version: 1, tieBreak, retryWindow: [3, 6, 1_000][below(3)] as number }, events };
}
