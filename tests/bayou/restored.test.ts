import { expect, test } from 'vitest';
import {
  copyOf,
  exchange,
  fold,
  get,
  type Home,
  homeOf,
  introduce,
  meetUp,
  NO_WINDOW,
  openOver,
  put,
  rejoin,
  remove,
  store,
} from './replicas.js';

/*
 * A member that was restored from a backup comes back, as a new incarnation, with an older base store than the others have.
 * They have folded deletes meanwhile, so that nothing is left of those but that the keys are not there.
 */

/** `a` is restored from before `b` deleted something; all had held that, and folded it. `prepare` runs before the delete. */
function restored(prepare: (homes: readonly [Home, Home]) => void = () => undefined): readonly [Home, Home] {
  const homes = ['a', 'b'].map((id) => homeOf(id, NO_WINDOW)) as [Home, Home];
  const [a, b] = homes;
  const settle = (): void => {
    exchange([a.replica, b.replica]);
    for (const { replica } of homes) fold(replica);
  };
  introduce([a.replica, b.replica]);
  a.replica.accept(put('x', 1, 'deleted', 'v'), 0);
  b.replica.accept(put('y', 1, 'kept', 'v'), 0);
  settle();
  const backup = copyOf(a.storage);
  prepare(homes);
  b.replica.accept(remove('y', 2, 'deleted'), 0);
  b.replica.accept(put('y', 3, 'later', 'v'), 0);
  settle();
  b.replica.accept(put('y', 4, 'tail', 'v'), 0);
  expect([b.replica.base > (backup.loadState()?.baseTime ?? 0), store(b.replica)]).toEqual([
    true,
    ['kept=v', 'later=v', 'tail=v'],
  ]);
  const back = { storage: backup, replica: openOver(backup, 'a', NO_WINDOW, { incarnation: 2, life: 1 }) };
  expect([back.replica.base > 0, get(back.replica, 'deleted')]).toEqual([true, 'v']);
  return [back, b];
}

/** `b` hears from `a` first. */
function expectDeleted([a, b]: readonly [Home, Home]): void {
  const { origin } = b.replica;
  meetUp([b, a], 0);
  for (const { replica } of [a, b]) expect(store(replica)).toEqual(['kept=v', 'later=v', 'tail=v']);
  expect(b.replica.origin).toBe(origin);
}

test('what the others deleted stays deleted when a member is restored from a backup', () => {
  expectDeleted(restored());
});

test('so it does if the restored one does not know the incarnation that another has taken since', () => {
  const homes = restored(([first, second]) => {
    rejoin(second, first.replica);
    meetUp([first, second], 0);
  });
  expect(homes[1].replica.origin).toBe('b#2');
  expectDeleted(homes);
});
