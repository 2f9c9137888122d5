import { seededRandom } from '../../src/base/random.js';
import type { PullBatch, PullRequest } from '../../src/bayou/messages.js';
import type { KvOperation } from '../../src/machine/kv.js';
import {
  clusterOf,
  exchange,
  fold,
  type Home,
  homeOf,
  type KvReplica,
  NO_WINDOW,
  openOver,
  put,
  remove,
  store,
  tryPull,
} from '../bayou/replicas.js';

/*
 * Random histories of one newcomer that hears from several members at once, each of which has folded as far as it has:
 * answers under way from all of them, cut, lost and late, base stores that come page by page, and restarts in the middle.
 */

interface UnderWay {
  readonly request: PullRequest;
  readonly batch: PullBatch<KvOperation>;
}

const MEMBERS = ['a', 'b', 'c'];
const MINUTE = 60_000;

/** Plays one history; what is wrong at its end, null if nothing is. */
export function playNewcomer(seed: number): string | null {
  const random = seededRandom(seed);
  const members = clusterOf(MEMBERS);
  const late: Home = homeOf('late', NO_WINDOW);
  const underWay = new Map<KvReplica, UnderWay>();
  const keys = 1 + random.below(12);
  let now = 0;
  let lives = 0;
  let clientTime = 0;
  const anyMember = (): KvReplica => members[random.below(members.length)] as KvReplica;
  const write = (): void => {
    clientTime += 1;
    const key = `k${random.below(keys)}`;
    const client = `c${random.below(3)}`;
    const request =
      random.below(4) === 0 ? remove(client, clientTime, key) : put(client, clientTime, key, `v${clientTime}`);
    anyMember().accept(request, now);
  };
  const ask = (peer: KvReplica): void => {
    if (underWay.has(peer)) return;
    const limits = {
      writesMax: random.below(2) === 0 ? 100 : 1 + random.below(4),
      bytesMax: 1_000_000,
      report: random.below(2) === 0,
    };
    const request = late.replica.nextPull(peer.id, limits);
    const batch = peer.serve(request, now);
    if ('kind' in batch) late.replica.interrupted(peer.id);
    else underWay.set(peer, { request, batch });
  };
  const deliver = (peer: KvReplica): void => {
    const answer = underWay.get(peer);
    if (answer === undefined) return;
    underWay.delete(peer);
    const outcome = late.replica.integrate(peer.id, answer.request, answer.batch, now);
    if (outcome.kind !== 'integrated') late.replica.interrupted(peer.id);
  };
  const cut = (peer: KvReplica): void => {
    if (underWay.delete(peer)) late.replica.interrupted(peer.id);
  };
  const reopen = (): void => {
    underWay.clear();
    lives += 1;
    late.replica = openOver(late.storage, 'late', NO_WINDOW, { life: lives });
  };
  const live = (): void => {
    const action = random.below(20);
    if (action < 8) write();
    else if (action < 14) tryPull(anyMember(), anyMember(), now);
    else if (action < 16) exchange(members, now);
    else {
      // At times so much later that no base store is kept for who takes it.
      now += random.below(3) * MINUTE;
      fold(anyMember(), now);
    }
  };
  // Before it comes some have folded, each another part.
  for (let i = 40 + random.below(40); i > 0; i--) live();
  for (let step = 0; step < 60; step++) {
    const action = random.below(100);
    if (action < 38) ask(anyMember());
    else if (action < 76) deliver(anyMember());
    else if (action < 86) cut(anyMember());
    else if (action < 88) reopen();
    else live();
  }
  for (const member of members) cut(member);
  return judge(members, late, now);
}

/** All hear from all; then all must show the same. */
function judge(members: readonly KvReplica[], late: Home, now: number): string | null {
  for (let round = 0; round < 20; round++) {
    for (const to of [...members, late.replica]) {
      for (const from of [...members, late.replica]) {
        if (to === from) continue;
        const outcome = tryPull(to, from, now);
        if (outcome.kind === 'rejoin') return outcome.message;
      }
    }
  }
  const [first] = members as [KvReplica];
  const expected = store(first).join(' ');
  for (const each of [...members, late.replica]) {
    if (!each.seen().dominates(first.seen())) return `${each.origin} claims ${each.seen()}, not ${first.seen()}`;
    const shown = store(each).join(' ');
    if (shown !== expected) return `${each.origin} shows ${shown}, and ${first.origin} ${expected}`;
    for (const { acceptTime, key } of each.log(null)) {
      if (acceptTime <= each.base)
        return `${each.origin} has ${key} at ${acceptTime} in its log, and folded up to ${each.base}`;
    }
  }
  return null;
}
