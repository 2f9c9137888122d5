import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClientId } from '../../src/base/ids.js';
import { type ConflictsFrom, cursorBehindLoser } from '../../src/bayou/conflict-messages.js';
import type { VersionVector } from '../../src/bayou/version-vector.js';
import { type AcceptStamp, nameStamp } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { introduce, type KvReplica, LIMITS, pull, replicaOf, serve } from '../bayou/replicas.js';

/* Random histories of replicas that write, exchange, and are cut off; and of those who ask for conflicts, here and there. */

const value = (text: string): Uint8Array => new TextEncoder().encode(text);
const operation: fc.Arbitrary<KvOperation> = fc.constantFrom<KvOperation>(
  { kind: 'put', value: value('1') },
  { kind: 'put', value: value('text') },
  { kind: 'delete' },
  { kind: 'increment', by: 1 },
  { kind: 'putIfAbsent', value: value('2') },
  { kind: 'merge', value: value('3'), expects: value('1'), procedure: 'keep-both@1' },
  { kind: 'merge', value: value('3'), expects: null, procedure: 'first-wins@1' },
);
const replica = fc.nat({ max: 2 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: replica,
      client: fc.constantFrom('ana', 'ben', 'cem'),
      key: fc.constantFrom('k', 'l'),
      operation,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('repeat' as const), at: replica, back: fc.nat({ max: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pull' as const), to: replica, from: replica, isCut: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      who: fc.nat({ max: 1 }),
      at: replica,
      most: fc.integer({ min: 1, max: 3 }),
      behind: fc.nat({ max: 3 }),
    }),
  },
);

/** Who asks for conflicts, and goes on from where he stood, wherever he can. */
class Poller {
  from: ConflictsFrom = { kind: 'start' };
  readonly losers = new Set<string>();
  readonly #pairs = new Set<string>();

  /** Takes at most so many of a reply; true if it may have more. */
  ask(at: KvReplica, judge: Judge, most: number, behind = Number.POSITIVE_INFINITY): boolean {
    const reply = at.reader.conflicts({ prefix: '', from: this.from, needs: null, conflictsMax: most });
    if (reply.kind === 'missing') return false;
    if (reply.kind === 'refused') throw new Error(reply.message);
    const taken = reply.conflicts.slice(0, behind);
    for (const { key, lost, winner, concurrent } of taken) {
      const pair = `${nameStamp(lost.stamp)} ${winner === null ? '' : nameStamp(winner.stamp)}`;
      expect(this.#pairs.has(pair), `${key}: ${pair} is told again`).toBe(false);
      this.#pairs.add(pair);
      this.losers.add(nameStamp(lost.stamp));
      if (winner !== null && concurrent !== 'unknown') judge.check(lost.stamp, winner.stamp, concurrent === 'yes');
    }
    const last = taken.at(-1);
    if (this.from.kind === 'cursor' && taken.length < reply.conflicts.length) {
      if (last === undefined) return true;
      const cursor = cursorBehindLoser(this.from.cursor, reply.cursor, last.lost.stamp);
      this.from = { kind: 'cursor', cursor };
      return true;
    }
    this.from = { kind: 'cursor', cursor: reply.cursor };
    return reply.more;
  }
}

/** What each replica claimed when it accepted a write. */
class Judge {
  readonly #claimed = new Map<string, VersionVector>();

  accepted(stamp: AcceptStamp, claimed: VersionVector): void {
    if (!this.#claimed.has(nameStamp(stamp))) this.#claimed.set(nameStamp(stamp), claimed);
  }

  check(one: AcceptStamp, other: AcceptStamp, isConcurrent: boolean): void {
    const knew = (later: AcceptStamp, { origin, acceptTime }: AcceptStamp): boolean =>
      this.#claimed.get(nameStamp(later))?.covers(origin, acceptTime) === true;
    const isKnown = knew(one, other) || knew(other, one);
    expect(isConcurrent, `${nameStamp(one)} and ${nameStamp(other)}`).toBe(!isKnown);
  }
}

const RUNS = Number(process.env['BARISTA_CONFLICT_RUNS'] ?? 3_000);

test('each loss is told once to each who asks, none is missed, and nothing false is said of who knew what', {
  timeout: 600_000,
}, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const replicas = ['a', 'b', 'c'].map((id) => replicaOf(id)) as [KvReplica, KvReplica, KvReplica];
      introduce(replicas);
      const judge = new Judge();
      const pollers = [new Poller(), new Poller()];
      const requests: { client: ClientId; clientTime: number; key: string; operation: KvOperation }[] = [];
      const accept = (at: number, request: (typeof requests)[number] | undefined): void => {
        const home = replicas[at];
        if (request === undefined || home === undefined) return;
        const claimed = home.seen();
        const reply = home.accept({ ...request, after: 0, needs: null }, 0);
        if (reply.kind === 'accepted') judge.accepted(reply.stamp, claimed);
      };
      for (const [i, it] of steps.entries()) {
        if (it.kind === 'write') {
          requests.push({ client: it.client as ClientId, clientTime: i + 1, key: it.key, operation: it.operation });
          accept(it.at, requests.at(-1));
        } else if (it.kind === 'repeat') accept(it.at, requests.at(-1 - it.back));
        else if (it.kind === 'ask') pollers[it.who]?.ask(replicas[it.at] as KvReplica, judge, it.most, it.behind);
        else if (it.to !== it.from) {
          const [to, from] = [replicas[it.to] as KvReplica, replicas[it.from] as KvReplica];
          if (it.isCut) {
            const request = to.nextPull(from.id, { ...LIMITS, writesMax: 2 });
            to.integrate(from.id, request, serve(from, request), 0);
            to.interrupted(from.id);
          } else pull(to, from);
        }
      }
      const [a, b, c] = replicas;
      for (const [to, from] of [
        [a, b],
        [a, c],
        [b, a],
        [c, a],
      ] as const)
        pull(to, from);
      for (const poller of pollers) {
        for (let more = true; more; ) more = poller.ask(b, judge, 2);
        const fresh = new Poller();
        for (let more = true; more; ) more = fresh.ask(b, judge, 100);
        for (const loser of fresh.losers) expect(poller.losers, 'what was told').toContain(loser);
      }
    }),
    { numRuns: RUNS, seed: Number(process.env['BARISTA_FIRST_SEED'] ?? 1) },
  );
});
