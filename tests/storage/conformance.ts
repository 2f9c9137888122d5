import { beforeEach, describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import type { ReplicaState, ReplicaStorage } from '../../src/bayou/ports.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';

const A = originOf('a' as ReplicaId, 1);
const B = originOf('b' as ReplicaId, 1);

function write(origin: typeof A, acceptTime: number, key: string): Write<KvOperation> {
  const operation = { kind: 'put', value: new TextEncoder().encode(`${acceptTime}@${origin}`) } as const;
  return { origin, acceptTime, client: 'c' as ClientId, clientTime: acceptTime, key, operation };
}

function times(run: Iterator<Write<KvOperation>>): number[] {
  const found: number[] = [];
  for (let next = run.next(); next.done !== true; next = run.next()) found.push(next.value.acceptTime);
  return found;
}

function all<T>(items: Iterator<T>): T[] {
  const found: T[] = [];
  for (let next = items.next(); next.done !== true; next = items.next()) found.push(next.value);
  return found;
}

function walked(storage: ReplicaStorage<KvOperation>, after: string | null, reverse: boolean): string[] {
  const keys: string[] = [];
  storage.walk(after, reverse, (key) => keys.push(key) > 0);
  return keys;
}

/** What every storage adapter must do. `make` gives an empty one. */
export function runStorageConformance(name: string, make: () => ReplicaStorage<KvOperation>): void {
  describe(`${name} keeps the storage contract`, () => {
    let storage: ReplicaStorage<KvOperation>;
    beforeEach(() => {
      storage = make();
    });

    test('an empty one has nothing', () => {
      expect(storage.size).toBe(0);
      expect(storage.history('k')).toEqual([]);
      expect(storage.base('k')).toBeNull();
      expect(storage.keyCount).toBe(0);
      expect(storage.count(A, 0, 100)).toBe(0);
      expect(storage.loadState()).toBeNull();
      expect(all(storage.keys())).toEqual([]);
      expect([...storage.origins()]).toEqual([]);
      expect(times(storage.run(A, 0, 100))).toEqual([]);
      expect(storage.loadSeen().size).toBe(0);
    });

    test('a history keeps its writes where they were put', () => {
      storage.insert(write(A, 2, 'k'), 0);
      storage.insert(write(B, 5, 'k'), 1);
      storage.insert(write(B, 1, 'k'), 0);
      storage.insert(write(A, 4, 'k'), 2);
      expect(storage.history('k').map((w) => w.acceptTime)).toEqual([1, 2, 4, 5]);
      expect(storage.size).toBe(4);
    });

    test('keys are told apart, whatever they are called', () => {
      for (const key of ['__proto__', 'constructor', 'a b', '\u0000', 'é', '😀']) {
        storage.insert(write(A, storage.size + 1, key), 0);
        expect(storage.history(key)).toHaveLength(1);
      }
      expect(storage.history('toString')).toEqual([]);
    });

    test('keys come in the order of their code points, from any place', () => {
      const keys = ['b', 'a', '\uffff', '😀', 'ab', 'z'];
      for (const [i, key] of keys.entries()) storage.insert(write(A, i + 1, key), 0);
      const sorted = ['a', 'ab', 'b', 'z', '\uffff', '😀'];
      expect(all(storage.keys())).toEqual(sorted);
      expect(all(storage.keys('ab'))).toEqual(['b', 'z', '\uffff', '😀']);
      expect(all(storage.keys('aa'))).toEqual(sorted.slice(1));
      expect(all(storage.keys('😀'))).toEqual([]);
      expect(walked(storage, null, false)).toEqual(sorted);
      expect(walked(storage, 'aa', false)).toEqual(sorted.slice(1));
      expect(walked(storage, '😀', false)).toEqual([]);
      expect(walked(storage, null, true)).toEqual(sorted.toReversed());
      expect(walked(storage, 'z', true)).toEqual(['b', 'ab', 'a']);
      expect(walked(storage, 'y', true)).toEqual(['b', 'ab', 'a']);
      expect(walked(storage, 'a', true)).toEqual([]);
    });

    test('a walk gives what is under each key, until no more is wanted', () => {
      for (const time of [1, 2, 3]) storage.insert(write(A, time, 'b'), time - 1);
      storage.settle('b', true);
      storage.setBase('c', write(B, 4, 'c'));
      storage.insert(write(B, 5, 'a'), 0);
      storage.insert(write(B, 6, 'd'), 0);
      storage.remove('d', 0);
      const found: unknown[] = [];
      storage.walk(null, false, (key, { base, history }) => found.push([key, base, history.slice()]) < 2);
      expect(found).toEqual([
        ['a', null, [write(B, 5, 'a')]],
        ['b', write(A, 1, 'b'), [write(A, 2, 'b'), write(A, 3, 'b')]],
      ]);
      found.length = 0;
      storage.walk('d', true, (key, { base, history }) => found.push([key, base, history.length]) < 2);
      expect(found).toEqual([
        ['c', write(B, 4, 'c'), 0],
        ['b', write(A, 1, 'b'), 2],
      ]);
    });

    test('a walk may read other keys on its way', () => {
      for (const [i, key] of ['a', 'b', 'c'].entries()) storage.insert(write(A, i + 1, key), 0);
      const found: unknown[] = [];
      storage.walk(null, false, (key, { history }) => {
        for (const other of ['c', 'a', 'none']) storage.history(other);
        return found.push([key, ...history]) > 0;
      });
      expect(found).toEqual(['a', 'b', 'c'].map((key, i) => [key, write(A, i + 1, key)]));
    });

    test('a run holds one origin, between two times', () => {
      for (const time of [1, 3, 4, 7]) storage.insert(write(A, time, `k${time}`), 0);
      storage.insert(write(B, 2, 'other'), 0);
      expect(times(storage.run(A, 0, 100))).toEqual([1, 3, 4, 7]);
      expect(times(storage.run(A, 1, 4))).toEqual([3, 4]);
      expect(times(storage.run(A, 2, 2))).toEqual([]);
      expect(times(storage.run(A, 7, Number.POSITIVE_INFINITY))).toEqual([]);
      expect(times(storage.run(B, 0, 100))).toEqual([2]);
      expect([...storage.origins()].sort()).toEqual([A, B]);
    });

    test('a late write finds its place in its run', () => {
      for (const time of [1, 9, 4, 6]) storage.insert(write(A, time, `k${time}`), 0);
      expect(times(storage.run(A, 0, 100))).toEqual([1, 4, 6, 9]);
    });

    test('a removed write is gone from its history and its run, and may come again', () => {
      storage.insert(write(A, 1, 'k'), 0);
      storage.insert(write(A, 2, 'k'), 1);
      storage.remove('k', 0);
      expect(storage.history('k').map((w) => w.acceptTime)).toEqual([2]);
      expect(times(storage.run(A, 0, 100))).toEqual([2]);
      expect(storage.size).toBe(1);
      storage.insert(write(A, 1, 'k'), 0);
      expect(times(storage.run(A, 0, 100))).toEqual([1, 2]);
      storage.remove('k', 1);
      storage.remove('k', 0);
      expect(all(storage.keys())).toEqual([]);
      expect(storage.size).toBe(0);
    });

    test('a run stays valid while writes come and go', () => {
      for (let time = 1; time <= 1_000; time++) storage.insert(write(A, time, `k${time}`), 0);
      const run = storage.run(A, 0, 1_000);
      const seen: number[] = [];
      for (let next = run.next(); next.done !== true; next = run.next()) {
        const { acceptTime } = next.value;
        seen.push(acceptTime);
        storage.remove(`k${acceptTime}`, 0);
        if (acceptTime < 1_000 && acceptTime % 3 === 0) storage.remove(`k${acceptTime + 1}`, 0);
      }
      const expected: number[] = [];
      for (let time = 1; time <= 1_000; time++) {
        expected.push(time);
        if (time % 3 === 0) time++;
      }
      expect(seen).toEqual(expected);
      expect(storage.size).toBe(0);
    });

    test('the parts of a batch share a stamp, stand in their run by key, and come and go one by one', () => {
      const keys = Array.from({ length: 128 }, (_, i) => `k${i}`);
      const sorted = [...keys].sort();
      for (const key of keys) storage.insert({ ...write(A, 5, key), part: true }, 0);
      storage.insert(write(A, 4, 'k7'), 0);
      storage.insert(write(A, 6, 'a'), 0);
      const parts = all(storage.run(A, 4, 5));
      expect(parts.map(({ key }) => key)).toEqual(sorted);
      expect(parts.every(({ acceptTime, part }) => acceptTime === 5 && part === true)).toBe(true);
      expect(all(storage.run(A, 0, 100)).map(({ key }) => key)).toEqual(['k7', ...sorted, 'a']);
      expect([storage.size, storage.count(A, 4, 5), storage.count(A, 5, 9)]).toEqual([130, 128, 1]);
      storage.remove('k7', 1);
      storage.settle('k8', true);
      expect(storage.base('k8')).toEqual({ ...write(A, 5, 'k8'), part: true });
      expect(all(storage.run(A, 4, 5)).map(({ key }) => key)).toEqual(
        sorted.filter((key) => key !== 'k7' && key !== 'k8'),
      );
      storage.insert({ ...write(A, 5, 'k7'), part: true }, 1);
      const run = storage.run(A, 4, 5);
      const seen: string[] = [];
      for (let next = run.next(); next.done !== true; next = run.next()) {
        const { key } = next.value;
        seen.push(key);
        storage.remove(key, key === 'k7' ? 1 : 0);
        // What comes to stand before it is passed.
        if (key === 'k50') storage.insert({ ...write(A, 5, 'k0'), part: true }, 0);
      }
      expect(seen).toEqual(sorted.filter((key) => key !== 'k8'));
      expect(all(storage.run(A, 0, 100)).map(({ key }) => key)).toEqual(['k7', 'k0', 'a']);
    });

    test('the vector is what was saved last, and never goes back', () => {
      storage.saveSeen(A, 0);
      storage.saveSeen(B, 5);
      storage.saveSeen(B, 9);
      storage.lowerSeen(B, 7);
      storage.lowerSeen(B, 8);
      expect(storage.loadSeen().sorted()).toEqual([
        [A, 0],
        [B, 7],
      ]);
    });

    test('a settled write leaves the log for the base of its key', () => {
      storage.insert(write(A, 1, 'k'), 0);
      storage.insert(write(B, 2, 'k'), 1);
      storage.settle('k', true);
      expect(storage.base('k')).toEqual(write(A, 1, 'k'));
      expect(storage.history('k').map((w) => w.acceptTime)).toEqual([2]);
      expect(times(storage.run(A, 0, 100))).toEqual([]);
      expect(times(storage.run(B, 0, 100))).toEqual([2]);
      expect([storage.size, storage.keyCount]).toEqual([1, 1]);
      storage.settle('k', true);
      expect(storage.base('k')).toEqual(write(B, 2, 'k'));
      expect([storage.history('k').length, storage.size, storage.keyCount]).toEqual([0, 0, 1]);
      expect(all(storage.keys())).toEqual(['k']);
      expect([...storage.origins()].sort()).toEqual([A, B]);
      expect(storage.highestTime).toBe(2);
    });

    test('a settled write that leaves its key absent takes the base with it', () => {
      for (const time of [1, 2, 3]) storage.insert(write(A, time, 'k'), time - 1);
      storage.settle('k', true);
      storage.settle('k', false);
      expect(storage.base('k')).toBeNull();
      expect(storage.history('k').map((w) => w.acceptTime)).toEqual([3]);
      expect(all(storage.keys())).toEqual(['k']);
      storage.settle('k', false);
      expect([storage.size, storage.keyCount, all(storage.keys())]).toEqual([0, 0, []]);
      storage.insert(write(A, 4, 'k'), 0);
      expect([storage.base('k'), storage.history('k').length, storage.keyCount]).toEqual([null, 1, 1]);
    });

    test('a base comes and goes beside the history', () => {
      storage.setBase('k', write(A, 1, 'k'));
      storage.setBase('l', write(A, 2, 'l'));
      storage.insert(write(B, 3, 'k'), 0);
      expect(all(storage.keys())).toEqual(['k', 'l']);
      expect([storage.size, storage.keyCount]).toEqual([1, 2]);
      expect(times(storage.run(A, 0, 100))).toEqual([]);
      expect([storage.base('k'), storage.base('l')]).toEqual([write(A, 1, 'k'), write(A, 2, 'l')]);
      storage.setBase('k', write(B, 2, 'k'));
      expect(storage.base('k')).toEqual(write(B, 2, 'k'));
      storage.remove('k', 0);
      expect(all(storage.keys())).toEqual(['k', 'l']);
      storage.setBase('k', null);
      storage.setBase('m', null);
      expect(all(storage.keys())).toEqual(['l']);
      expect([storage.size, storage.keyCount]).toEqual([0, 1]);
    });

    test('finds the bases that expire, those first that expire first', () => {
      const lasting = (origin: typeof A, acceptTime: number, key: string, expires: number): Write<KvOperation> => {
        const value = new TextEncoder().encode(key);
        return { ...write(origin, acceptTime, key), operation: { kind: 'put', value, ttlMs: 5, expires } };
      };
      const keysThat = (upTo: number): string[] => all(storage.expiring(upTo)).map(({ key }) => key);
      expect(keysThat(1_000)).toEqual([]);
      storage.setBase('k', lasting(A, 1, 'k', 30));
      storage.setBase('l', lasting(B, 2, 'l', 20));
      storage.setBase('m', write(A, 3, 'm'));
      for (const [i, key] of ['n', 'o'].entries()) {
        storage.insert(lasting(A, 4 + i, key, 20), 0);
        // In the log it may yet be overwritten.
        expect(keysThat(1_000)).not.toContain(key);
        storage.settle(key, true);
      }
      expect([keysThat(19), keysThat(20), keysThat(30)]).toEqual([[], ['l', 'n', 'o'], ['l', 'n', 'o', 'k']]);
      expect(all(storage.expiring(20))[0]).toEqual(lasting(B, 2, 'l', 20));
      storage.setBase('l', lasting(B, 6, 'l', 40));
      storage.setBase('n', null);
      storage.setBase('o', write(A, 7, 'o'));
      expect(keysThat(1_000)).toEqual(['k', 'l']);
      storage.insert(lasting(A, 8, 'k', 50), 0);
      storage.settle('k', false);
      storage.setBase('m', lasting(A, 9, 'm', 40));
      expect([keysThat(39), keysThat(1_000)]).toEqual([[], ['l', 'm']]);
      expect([...storage.origins()]).toEqual([A]);
    });

    test('knows about how many writes a run has between two times', () => {
      for (const time of [1, 3, 4, 7]) storage.insert(write(A, time, `k${time}`), 0);
      expect([storage.count(A, 0, Number.POSITIVE_INFINITY), storage.count(B, 0, 100)]).toEqual([4, 0]);
      expect([storage.count(A, 1, 4), storage.count(A, 4, 4), storage.count(A, 7, 100)]).toEqual([2, 0, 0]);
      for (let time = 101; time <= 1_000; time++) storage.insert(write(A, time, `k${time}`), 0);
      for (let time = 101; time <= 900; time++) storage.remove(`k${time}`, 0);
      expect(storage.count(A, 0, 1_000)).toBeGreaterThanOrEqual(100);
      expect(storage.count(A, 0, 1_000)).toBeLessThanOrEqual(250);
    });

    test('the state is what was saved last, as it was then', () => {
      const vector = new VersionVector([[A, 5]]);
      const first: ReplicaState = {
        baseTime: 4,
        baseVector: vector,
        replaced: new VersionVector([[B, 3]]),
        retired: [B],
        clock: 9,
        resume: { received: new VersionVector([[B, 0]]), target: vector },
        store: { time: 7, after: 'é' },
        rejoinsWith: 'r' as ReplicaId,
      };
      storage.saveState(first);
      vector.raise(A, 6);
      const kept = new VersionVector([[A, 5]]);
      const resume = { received: new VersionVector([[B, 0]]), target: kept };
      expect(storage.loadState()).toEqual({ ...first, baseVector: kept, resume });
      const second = {
        baseTime: 0,
        baseVector: new VersionVector(),
        replaced: new VersionVector(),
        retired: [],
        clock: 0,
        resume: null,
        store: null,
        rejoinsWith: null,
      };
      storage.saveState(second);
      expect(storage.loadState()).toEqual(second);
      storage.saveState({ ...second, store: { time: 1, after: null } });
      expect(storage.loadState()).toEqual({ ...second, store: { time: 1, after: null } });
    });

    test('after a flush nothing is left to flush', async () => {
      storage.insert(write(A, 1, 'k'), 0);
      await promised<void>((done) => storage.flush(done));
      expect(storage.dirty).toBe(false);
    });
  });
}
