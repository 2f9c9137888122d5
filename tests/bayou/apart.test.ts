import { expect, test } from 'vitest';
import { fold, type Home, homeOf, introduce, meetUp, put, remove, settle, store } from './replicas.js';

const TERMS = { clock: 'hybrid', retryWindowMs: 1_000 } as const;
const NOW = 1_000_000;
const MINUTE = 60_000;

/** Two groups that retired each other; what `b`'s has deleted and folded leaves no trace there. */
function apart(): { readonly all: Home[]; readonly groups: readonly (readonly Home[])[] } {
  const all = ['a', 'b', 'c', 'd'].map((id) => homeOf(id, TERMS));
  introduce(all.map(({ replica }) => replica));
  return { all, groups: [all.slice(0, 2), all.slice(2)] };
}

const replicas = (homes: readonly Home[]) => homes.map(({ replica }) => replica);

test.each([0, 1])(
  'groups that retired each other agree on what one of them deleted and folded: group %d',
  (deleting) => {
    for (const isFolded of [true, false]) {
      const { all, groups } = apart();
      const [group, other] = [groups[deleting], groups[1 - deleting]] as [Home[], Home[]];
      const [first] = group as [Home];
      first.replica.accept(put('x', 1, 'gone', 'v'), NOW);
      first.replica.accept(put('x', 2, 'kept', 'v'), NOW);
      settle(replicas(all), NOW);
      let now = NOW + MINUTE;
      if (isFolded) for (let i = 0; i < 2; i++, now += MINUTE) settle(replicas(all), now);
      for (const home of group) for (const { replica } of other) home.replica.retire(replica.id);
      for (const home of other) for (const { replica } of group) home.replica.retire(replica.id);
      first.replica.accept(remove('y', 1, 'gone'), now);
      other[0]?.replica.accept(put('z', 1, 'late', 'v'), now);
      for (let i = 0; i < 3; i++, now += MINUTE) {
        settle(replicas(group), now);
        settle(replicas(other), now);
      }
      for (const { replica } of group) fold(replica, now);
      expect(first.replica.logSize).toBe(0);
      meetUp(all, now);
      const stores = all.map(({ replica }) => store(replica));
      for (const it of stores) expect(it).toEqual(stores[0]);
      expect(new Set(all.map(({ replica }) => `${replica.seen()}`)).size).toBe(1);
      expect(stores[0]).toEqual(expect.arrayContaining(['kept=v', 'late=v']));
    }
  },
);
