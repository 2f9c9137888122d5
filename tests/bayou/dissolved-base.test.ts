import { beforeEach, expect, test } from 'vitest';
import {
  clusterOf,
  exchange,
  fold,
  type Home,
  homeOf,
  type KvReplica,
  LIMITS,
  NO_WINDOW,
  openOver,
  pull,
  put,
  serve,
  store,
  tryPull,
} from './replicas.js';

/*
 * A newcomer that has taken over a base store, and hears next from a member that has not folded yet and cannot go on with
 * what was begun, takes the base store apart again. Whatever else is under way counted on it.
 */

/** More than one step takes apart. */
const KEYS = 5_000;
const MANY = { writesMax: 10_000, bytesMax: 10_000_000 };

let ahead: KvReplica;
let behind: KvReplica;
let late: Home;

/** One step of a pull; whether there is a next one. */
function step(from: KvReplica, writesMax: number): boolean {
  const request = late.replica.nextPull(from.id, { ...MANY, writesMax });
  const outcome = late.replica.integrate(from.id, request, serve(from, request), 0);
  if (outcome.kind !== 'integrated') throw new Error(JSON.stringify(outcome));
  return outcome.more;
}

function expectAll(): void {
  for (let steps = 0; step(ahead, MANY.writesMax); steps++) expect(steps).toBeLessThan(10);
  expect(late.replica.seen().dominates(ahead.seen())).toBe(true);
  expect(store(late.replica)).toEqual(store(ahead));
}

/** Of two members one has folded, and has a tail; the other holds as much in its log, but for the tail. */
beforeEach(() => {
  [ahead, behind] = clusterOf(['a', 'b']) as [KvReplica, KvReplica];
  for (let i = 0; i < KEYS; i++) ahead.accept(put('x', i + 1, `k${i}`, `v${i}`), 0);
  pull(behind, ahead, MANY);
  exchange([ahead, behind]);
  fold(ahead);
  expect([ahead.logSize, behind.logSize]).toEqual([0, KEYS]);
  for (let i = 0; i < 4; i++) ahead.accept(put('y', i + 1, `t${i}`, 'tail'), 0);
  late = homeOf('late', NO_WINDOW);
  step(ahead, MANY.writesMax);
  step(ahead, 2);
  expect(late.replica.base).toBe(ahead.base);
  late.replica.interrupted(ahead.id);
});

for (const steps of [1, 2]) {
  test(`a transfer that counted on a base store is not gone on with after ${steps} of the 2 steps that take it apart`, () => {
    // Both go on with what was cut, and the answers come one after the other.
    const request = late.replica.nextPull(ahead.id, LIMITS);
    const rest = serve(ahead, request);
    expect(rest.more).toBe(false);
    for (let i = 0; i < steps; i++) step(behind, 100);
    expect(late.replica.base).toBe(steps === 1 ? ahead.base : 0);
    late.replica.integrate(ahead.id, request, rest, 0);
    expectAll();
  });
}

for (const steps of [1, 2]) {
  test(`who is opened again after ${steps} of the 2 steps takes over the whole base store`, () => {
    for (let i = 0; i < steps; i++) step(behind, 100);
    late.replica = openOver(late.storage, 'late', NO_WINDOW, { life: 1 });
    expectAll();
  });
}

test('the member that has not folded can bring it all', () => {
  for (let steps = 0; step(behind, MANY.writesMax); steps++) expect(steps).toBeLessThan(10);
  expect(store(late.replica)).toEqual(expect.arrayContaining(store(behind)));
  expect(tryPull(late.replica, ahead)).toMatchObject({ kind: 'integrated' });
  expect(store(late.replica)).toEqual(store(ahead));
});
