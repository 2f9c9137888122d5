import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { binary, type Change, json, type Stamp, type Watch } from '../../src/server/library.js';
import { errorOf, type LibraryReplica, type LibraryWorld, useTwoReplicas } from './world.js';

/** The first so many changes of a watch, which goes on. */
async function take<V>(changes: AsyncIterator<Change<V>>, count: number): Promise<Change<V>[]> {
  const taken: Change<V>[] = [];
  while (taken.length < count) {
    const { value, done } = await changes.next();
    if (done === true) throw new Error(`it ended after ${taken.length} changes`);
    taken.push(value);
  }
  return taken;
}

const through = <V>(watch: Watch<V>): AsyncIterator<Change<V>> => watch[Symbol.asyncIterator]();

/** What a program may count on that watches keys, whichever world it lives in. */
export function runWatchSuite(make: () => LibraryWorld): void {
  let world: LibraryWorld;
  let a: LibraryReplica;
  let b: LibraryReplica;
  useTwoReplicas(make, (...they) => {
    [world, a, b] = they;
  });

  describe('a watch', () => {
    test('tells of each change under its prefix from when it was begun, and ends with its loop', async () => {
      const session = a.sessions.session();
      await session.put('loop/before', 'v');
      const watch = a.sessions.watch('loop/');
      await watch.begun();
      await session.put('other', 'v');
      const put = await session.put('loop/1', 'espresso');
      await session.delete('loop/1');
      await session.put('loop/2', 'last');
      const told: unknown[] = [];
      for await (const change of watch) {
        told.push([change.key, change.value]);
        if (change.value === 'last') break;
      }
      // What the same session overwrites at once may have gone before it was told.
      expect(told.slice(-2)).toEqual([
        ['loop/1', undefined],
        ['loop/2', 'last'],
      ]);
      expect(put.kind).toBe('accepted');
    });

    test('says of each who wrote, under which stamp, and that it stands', async () => {
      const changes = through(a.sessions.watch('what/'));
      const next = take(changes, 1);
      const write = await a.sessions.session().put('what/k', 'v');
      if (write.kind !== 'accepted') throw new Error();
      const { stamp } = write;
      expect(await next).toEqual([
        {
          key: 'what/k',
          value: 'v',
          stamp,
          client: expect.stringMatching(/^[\w-]{16}$/),
          standing: stamp,
          stands: true,
          reordered: false,
          lost: undefined,
        },
      ]);
    });

    test('waits for as long as nothing comes', async () => {
      const changes = through(a.sessions.watch('patience/'));
      const next = take(changes, 1);
      await delay(300);
      await a.sessions.session().put('patience/k', 'v');
      expect(await next).toMatchObject([{ key: 'patience/k' }]);
    });

    test('goes on from its cursor, behind the change that was given last, in another process', async () => {
      const session = a.sessions.session();
      const watch = a.sessions.watch('cursor/');
      expect(watch.cursor).toBeNull();
      await watch.begun();
      for (let i = 0; i < 5; i++) await session.put(`cursor/${i}`, 'v');
      const seen: string[] = [];
      for await (const { key } of watch) {
        seen.push(key);
        if (seen.length === 2) break;
      }
      const cursor = watch.cursor as string;
      expect(cursor).toMatch(/^[\w-]{20,160}$/);
      await session.put('cursor/5', 'v');
      seen.push(...(await take(through(a.sessions.watch('cursor/', { from: cursor })), 4)).map(({ key }) => key));
      expect(seen).toEqual(Array.from({ length: 6 }, (_, i) => `cursor/${i}`));
    });

    test('from the start tells of what is there, then of what changes', async () => {
      const codec = json<{ readonly n: number }>();
      const session = a.sessions.session({ codec });
      await session.put('start/1', { n: 1 });
      await session.put('start/2', { n: 2 });
      const changes = through(a.sessions.watch('start/', { from: 'start', codec }));
      expect((await take(changes, 2)).map(({ value }) => value)).toEqual([{ n: 1 }, { n: 2 }]);
      await session.delete('start/1');
      expect(await take(changes, 1)).toMatchObject([{ key: 'start/1', value: undefined }]);
    });

    test('from a stamp tells of what stands after it', async () => {
      const session = a.sessions.session();
      const stamps: Stamp[] = [];
      for (let i = 0; i < 3; i++) {
        const write = await session.put(`stamp/${i}`, 'v');
        if (write.kind === 'accepted') stamps.push(write.stamp);
      }
      const changes = through(a.sessions.watch('stamp/', { from: stamps[0] as Stamp }));
      expect((await take(changes, 2)).map(({ stamp }) => stamp)).toEqual(stamps.slice(1));
    });

    test('tells who is slow of the newest, not of all that it was meanwhile', async () => {
      const session = a.sessions.session();
      const watch = a.sessions.watch('slow/');
      await watch.begun();
      for (let i = 0; i < 50; i++) await session.put('slow/k', `${i}`);
      expect(await take(through(watch), 1)).toMatchObject([{ value: '49' }]);
    });

    test('tells of a write that came late that it lost, and to which', async () => {
      const early = await a.sessions.session().put('late/k', 'early');
      const later = await b.sessions.session().put('late/k', 'later');
      if (early.kind !== 'accepted' || later.kind !== 'accepted') throw new Error();
      const changes = through(b.sessions.watch('late/', { from: 'start' }));
      expect(await take(changes, 1)).toMatchObject([{ value: 'later', reordered: false, stands: true }]);
      await world.sync(a, b);
      expect(await take(changes, 1)).toMatchObject([
        { value: 'later', reordered: true, stands: false, lost: 'early', stamp: early.stamp, standing: later.stamp },
      ]);
    });

    test('asks more than one frame of what is there, each change once', async () => {
      const session = a.sessions.session({ codec: binary });
      const keys = Array.from({ length: 3_000 }, (_, i) => `many/${String(i).padStart(4, '0')}`);
      for (let i = 0; i < keys.length; i += 500) {
        await Promise.all(keys.slice(i, i + 500).map((key) => session.put(key, new Uint8Array(1_000))));
      }
      const told = await take(through(a.sessions.watch('many/', { from: 'start', codec: binary })), keys.length);
      expect(told.map(({ key }) => key).sort()).toEqual(keys);
    });

    test('any number may watch the same', async () => {
      const watches = Array.from({ length: 100 }, () => through(a.sessions.watch('crowd/')));
      const told = watches.map((changes) => take(changes, 1));
      await delay(50);
      await a.sessions.session().put('crowd/k', 'v');
      for (const changes of await Promise.all(told)) expect(changes).toMatchObject([{ key: 'crowd/k' }]);
    });
  });

  describe('a watch of a session', () => {
    test('has it read what it tells: that is needed from then on', async () => {
      const session = a.sessions.session();
      const changes = through(session.watch('read/'));
      const next = take(changes, 1);
      await a.sessions.session().put('read/k', 'v');
      await next;
      const elsewhere = b.sessions.session({ token: session.token() });
      expect(await elsewhere.get('read/k', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
    });

    test('begins where the replica holds what the session has seen; a token says that too', async () => {
      const session = a.sessions.session();
      await session.put('begin/k', 'v');
      const token = session.token();
      const report = { onMissing: 'report' } as const;
      for (const watch of [
        b.sessions.watch('begin/', { from: token, ...report }),
        b.sessions.session({ token }).watch('begin/', report),
      ]) {
        expect(await errorOf(watch.begun())).toMatchObject({ code: 'ERR_DEP' });
        expect(await errorOf(take(through(watch), 1))).toMatchObject({ code: 'ERR_DEP' });
      }
      const waiting = b.sessions.watch('begin/', { from: token });
      await world.sync(a, b);
      await waiting.begun();
      const next = take(through(waiting), 1);
      await b.sessions.session().put('begin/k', 'w');
      expect(await next).toMatchObject([{ value: 'w' }]);
    });

    test('goes on from a cursor at a replica that holds what it told, or waits until it does', async () => {
      const watch = a.sessions.watch('roam/');
      await watch.begun();
      await a.sessions.session().put('roam/1', 'v');
      await a.sessions.session().put('roam/2', 'v');
      await take(through(watch), 1);
      const from = watch.cursor as string;
      const impatient = b.sessions.watch('roam/', { from, onMissing: 'report' });
      expect(await errorOf(take(through(impatient), 1))).toMatchObject({ code: 'ERR_DEP' });
      const briefly = b.sessions.watch('roam/', { from, waitMs: 50 });
      expect(await errorOf(take(through(briefly), 1))).toMatchObject({ code: 'ERR_DEP' });
      const waiting = take(through(b.sessions.watch('roam/', { from })), 1);
      await world.sync(a, b);
      expect(await waiting).toMatchObject([{ key: 'roam/2' }]);
    });
  });

  describe('a watch ends', () => {
    test('when it is closed, also while it waits: its loop ends', async () => {
      const watch = a.sessions.watch('closed/');
      setTimeout(() => watch.close(), 50);
      const told: string[] = [];
      for await (const { key } of watch) told.push(key);
      expect(told).toEqual([]);
      watch.close();
      await using unused = a.sessions.watch('closed/');
      await unused.begun();
    });

    test('when its signal fires, with ERR_ABORTED', async () => {
      const signal = AbortSignal.timeout(50);
      const error = await errorOf(take(through(a.sessions.watch('signal/', { signal })), 1));
      expect(error).toMatchObject({ code: 'ERR_ABORTED' });
      expect(() => a.sessions.watch('signal/', { signal: AbortSignal.abort() })).toThrow(
        expect.objectContaining({ code: 'ERR_ABORTED' }),
      );
    });

    test('when its values are not of its codec, and its cursor is before them', async () => {
      const watch = a.sessions.watch('codec/', { codec: json() });
      await watch.begun();
      await a.sessions.session().put('codec/k', 'not JSON');
      expect(await errorOf(take(through(watch), 1))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      const again = a.sessions.watch('codec/', { from: watch.cursor as string });
      expect(await take(through(again), 1)).toMatchObject([{ value: 'not JSON' }]);
    });

    test('with ERR_FOLDED when what comes next was folded before it was told; from the start it goes on', async () => {
      const [c, d] = await Promise.all([
        world.start('c', { retryWindowMs: 0, cluster: 'folds' }),
        world.start('d', { retryWindowMs: 0, cluster: 'folds' }),
      ]);
      await world.link(c, d);
      const session = c.sessions.session();
      const early = c.sessions.watch('k');
      await early.begun();
      await session.put('k/1', 'v');
      const watch = c.sessions.watch('k');
      await watch.begun();
      await session.put('k/2', 'v');
      await session.delete('k/1');
      for (let i = 0; i < 4; i++) {
        await world.sync(c, d, true);
        await world.sync(d, c, true);
      }
      expect(await errorOf(take(through(watch), 1))).toMatchObject({ code: 'ERR_FOLDED' });
      const again = through(c.sessions.watch('k', { from: 'start' }));
      // Who was told of nothing before is told what is there as well.
      for (const changes of [again, through(early)]) expect(await take(changes, 1)).toMatchObject([{ key: 'k/2' }]);
      await session.put('k/1', 'w');
      expect(await take(again, 1)).toMatchObject([{ key: 'k/1', value: 'w' }]);
    });
  });

  test('a watch is refused for what cannot be', async () => {
    const { sessions } = a;
    const refused = (code: string) => expect.objectContaining({ code });
    for (const prefix of [12, '\ud800', 'x'.repeat(4_097), null]) {
      expect(() => sessions.watch(prefix as never)).toThrow(refused('ERR_INVALID_KEY'));
    }
    for (const options of [
      { timeoutMs: -1 },
      { waitMs: 'long' },
      { onMissing: 'cry' },
      { signal: 'stop' },
      { from: 12 },
      { from: {} },
      { from: { origin: 'a', acceptTime: 1 } },
      { from: { origin: 'a#1', acceptTime: -1 } },
    ]) {
      expect(() => sessions.watch('k', options as never)).toThrow(refused('ERR_OPTION'));
    }
    const watch = sessions.watch('this/');
    await watch.begun();
    const cursor = watch.cursor as string;
    for (const from of [`${cursor}A`, cursor.slice(1), `A${cursor.slice(1)}`, '', 'later']) {
      expect(() => sessions.watch('this/', { from })).toThrow(refused('ERR_TOKEN'));
    }
    expect(() => sessions.watch('that/', { from: cursor })).toThrow(refused('ERR_TOKEN'));
    const other = await world.start('other', { cluster: 'other' });
    expect(() => other.sessions.watch('this/', { from: cursor })).toThrow(refused('ERR_TOKEN'));
    const loop = through(watch);
    watch.close();
    expect(await loop.next()).toEqual({ done: true, value: undefined });
    expect(await errorOf(through(watch).next())).toMatchObject({ code: 'ERR_OPTION' });
  });
}
