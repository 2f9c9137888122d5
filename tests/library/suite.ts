import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import {
  binary,
  inspectBundle,
  json,
  millisecondsOf,
  type Session,
  type Stamp,
  utf8,
  type ValueCodec,
} from '../../src/server/library.js';
import { errorOf, type LibraryReplica, type LibraryWorld, useTwoReplicas } from './world.js';

interface Order {
  readonly drink: string;
  readonly shots: number;
}

const isOrder = (value: unknown): value is Order =>
  typeof value === 'object' &&
  value !== null &&
  'drink' in value &&
  typeof value.drink === 'string' &&
  'shots' in value &&
  typeof value.shots === 'number';

/** What a program may count on, whichever world it lives in. */
export function runLibrarySuite(make: () => LibraryWorld): void {
  let world: LibraryWorld;
  let a: LibraryReplica;
  let b: LibraryReplica;
  useTwoReplicas(make, (...they) => {
    [world, a, b] = they;
  });

  describe('a session', () => {
    test('reads what it wrote, and nothing after it deleted it', async () => {
      const session = a.sessions.session();
      expect(await session.get('own')).toEqual({ kind: 'absent' });
      const write = await session.put('own', 'espresso');
      if (write.kind !== 'accepted') throw new Error('refused');
      expect(write).toMatchObject({ kind: 'accepted', key: 'own' });
      expect(write.stamp.origin).toMatch(/^a#\d+$/);
      expect(await session.get('own')).toEqual({ kind: 'found', value: 'espresso', stamp: write.stamp });
      const deleted = await session.delete('own');
      expect(deleted.kind).toBe('accepted');
      expect(await session.get('own')).toEqual({ kind: 'absent' });
    });

    test('takes an operation as a value', async () => {
      const session = a.sessions.session();
      await session.write('operation', { kind: 'put', value: 'v' });
      expect(await session.get('operation')).toMatchObject({ value: 'v' });
      await session.write('operation', { kind: 'delete' });
      expect(await session.get('operation')).toEqual({ kind: 'absent' });
      expect(await errorOf(session.write('operation', { kind: 'explode' } as never))).toMatchObject({
        code: 'ERR_OPTION',
      });
    });

    test('counts, appends, keeps sets, and puts what is absent', async () => {
      const session = a.sessions.session();
      const typed = a.sessions.session({ codec: json<number | string[]>() });
      const values = async (keys: readonly string[]): Promise<unknown[]> => {
        const read = await typed.getMany(keys);
        return read.kind === 'found' ? keys.map((key) => read.values.get(key)?.value) : [read.kind];
      };
      const write = await session.increment('n');
      expect(write).toMatchObject({ kind: 'accepted', key: 'n' });
      expect(await session.get('n')).toMatchObject({ kind: 'found', value: '1' });
      await typed.put('m', 40);
      for (const by of [5, -3]) await typed.increment('m', by);
      for (const member of ['b', '', 'é', 'b', 'a']) await session.addToSet('s', member);
      await session.removeFromSet('s', 'a');
      await session.removeFromSet('s', 'none');
      expect(await values(['m', 's'])).toEqual([42, ['', 'b', 'é']]);
      await session.append('l', 'one');
      await session.append('l', ', twö');
      await a.sessions.session({ codec: binary }).append('l', new Uint8Array([0x21]));
      expect(await session.get('l')).toMatchObject({ value: 'one, twö!' });
      const first = await session.putIfAbsent('p', 'first');
      await session.putIfAbsent('p', 'second');
      if (first.kind !== 'accepted') throw new Error(first.kind);
      expect(await session.get('p')).toEqual({ kind: 'found', value: 'first', stamp: first.stamp });
      // Where it cannot, it takes no effect.
      expect(await session.increment('l')).toMatchObject({ kind: 'accepted' });
      expect(await session.get('l')).toMatchObject({ value: 'one, twö!' });
    });

    test('puts for a time, which ends by the stamp', async () => {
      const session = a.sessions.session();
      const ttlMs = 10 * 365 * 24 * 3_600_000;
      const write = await session.put('lasting/long', 'v', { ttlMs });
      if (write.kind !== 'accepted') return expect.fail(write.kind);
      const read = await session.get('lasting/long');
      if (read.kind !== 'found' || read.expires === undefined) return expect.fail(read.kind);
      expect(millisecondsOf(read.expires)).toBe(millisecondsOf(write.stamp.acceptTime) + ttlMs);
      await session.increment('lasting/n', 1);
      await session.put('lasting/n', '1', { ttlMs: 400 });
      await session.increment('lasting/n', 1);
      const begun = session.watch('lasting/', { from: 'start' });
      for await (const change of begun) {
        if (change.key !== 'lasting/long') continue;
        expect(change).toMatchObject({ value: 'v', expires: read.expires });
        break;
      }
      await vi.waitUntil(async () => (await session.get('lasting/n')).kind === 'absent', 10_000);
      await session.putIfAbsent('lasting/n', 'again', { ttlMs });
      const found = await session.getMany(['lasting/n', 'lasting/long']);
      if (found.kind !== 'found') return expect.fail(found.kind);
      expect(found.values.get('lasting/long')?.expires).toBe(read.expires);
      expect(found.values.get('lasting/n')).toMatchObject({ value: 'again', expires: expect.any(Number) });
      const scan = await session.scan({ prefix: 'lasting/l' });
      if (scan.kind !== 'scan') return expect.fail(scan.kind);
      for await (const entry of scan) expect(entry).toMatchObject({ key: 'lasting/long', expires: read.expires });
      const history = await session.history('lasting/n');
      if (history.kind !== 'history') return expect.fail(history.kind);
      const told = history.writes.map(({ operation, fate }) => [operation.kind, fate.kind]);
      expect(told).toEqual([
        ['increment', 'overwritten'],
        ['put', 'expired'],
        ['increment', 'expired'],
        ['putIfAbsent', 'stands'],
      ]);
      expect(history.writes[1]?.operation).toMatchObject({ value: '1', ttlMs: 400, expires: expect.any(Number) });
      // What it set comes back to stay.
      await session.restore('lasting/n', history.writes[1]?.stamp ?? write.stamp);
      const back = await session.get('lasting/n');
      expect(back).toMatchObject({ kind: 'found', value: '1' });
      expect(back).not.toHaveProperty('expires');
      for (const wrong of [0, -1, 0.5, Number.NaN, ttlMs + 1, '5']) {
        const call = session.put('lasting/no', 'v', { ttlMs: wrong as never });
        expect(await errorOf(call)).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      }
      expect(await session.get('lasting/no')).toEqual({ kind: 'absent' });
    });

    test('counts what others count elsewhere, and needs all of it', async () => {
      const session = a.sessions.session();
      await session.increment('both', 1);
      const elsewhere = b.sessions.session({ token: session.token() });
      await elsewhere.increment('both', 2, { onMissing: 'report' });
      expect(await elsewhere.get('both', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      await world.sync(a, b);
      expect(await elsewhere.get('both')).toMatchObject({ value: '3' });
      const back = a.sessions.session({ token: elsewhere.token() });
      expect(await back.get('both', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      await world.sync(b, a);
      expect(await back.get('both')).toMatchObject({ value: '3' });
    });

    test('refuses what an operation cannot carry, where it enters', async () => {
      const session = a.sessions.session();
      const typed = a.sessions.session({ codec: json(isOrder) });
      for (const call of [
        ...[0.5, Number.NaN, 2 ** 53, -(2 ** 53), '1', null].map((by) => session.increment('wrong', by as never)),
        session.append('wrong', 12 as never),
        session.append('wrong', 'x'.repeat(2 ** 20 + 1)),
        typed.append('wrong', { drink: 'filter', shots: 1 }),
        typed.putIfAbsent('wrong', { drink: 12 } as never),
        ...[12, undefined, '\ud800', 'x'.repeat(4_097)].map((member) => session.addToSet('wrong', member as never)),
        session.removeFromSet('wrong', null as never),
      ]) {
        expect(await errorOf(call)).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      }
      expect(await errorOf(session.write('wrong', { kind: 'total', value: 'v' } as never))).toMatchObject({
        code: 'ERR_OPTION',
      });
      expect(await session.get('wrong')).toEqual({ kind: 'absent' });
    });

    test('any number of its calls may be under way', async () => {
      const session = a.sessions.session();
      const keys = Array.from({ length: 200 }, (_, i) => `many/${i}`);
      await Promise.all(keys.map((key) => session.put(key, key)));
      const reads = await Promise.all(keys.map((key) => session.get(key)));
      expect(reads.map((read) => read.kind === 'found' && read.value)).toEqual(keys);
    });

    test('beyond so many it is told so, and the others are served', async () => {
      const session = a.sessions.session();
      const calls = await Promise.allSettled(Array.from({ length: 1_100 }, (_, i) => session.put('busy', `${i}`)));
      const failed = calls.filter((call) => call.status === 'rejected');
      expect(failed.length).toBe(1_100 - 1_024);
      for (const { reason } of failed) expect(reason).toMatchObject({ name: 'BaristaError', code: 'ERR_OVERLOADED' });
      expect(await session.get('busy')).toMatchObject({ kind: 'found' });
    });

    test('tells of its guarantees; causal is all four', () => {
      expect(a.sessions.session().guarantees).toEqual(['read-your-writes', 'monotonic-reads']);
      expect(a.sessions.session({ guarantees: [] }).guarantees).toEqual([]);
      expect(a.sessions.session({ guarantees: ['causal'] }).guarantees).toHaveLength(4);
    });
  });

  describe('reading several keys', () => {
    const keysOf = async <V>(scan: Awaited<ReturnType<Session<V>['scan']>>): Promise<string[]> => {
      if (scan.kind === 'missing') throw new Error('missing');
      const keys: string[] = [];
      for await (const { key } of scan) keys.push(key);
      return keys;
    };

    test('by name: of one state, without those that are absent', async () => {
      const session = a.sessions.session();
      const write = await session.put('some/1', 'one');
      await session.put('some/2', 'two');
      const read = await session.getMany(['some/2', 'some/none', 'some/1', 'some/2']);
      if (read.kind !== 'found' || write.kind !== 'accepted') throw new Error(read.kind);
      expect([...read.values.keys()]).toEqual(['some/2', 'some/1']);
      expect(read.values.get('some/1')).toEqual({ value: 'one', stamp: write.stamp });
      expect(await session.getMany([])).toEqual({ kind: 'found', values: new Map() });
      expect(await errorOf(session.getMany(Array.from({ length: 1_025 }, () => 'k')))).toMatchObject({
        code: 'ERR_OPTION',
      });
      expect(await errorOf(session.getMany(['k', '']))).toMatchObject({ code: 'ERR_INVALID_KEY' });
    });

    test('by name: no more than fits into an answer', async () => {
      const session = a.sessions.session({ codec: binary });
      const keys = Array.from({ length: 9 }, (_, i) => `large/${i}`);
      for (const key of keys) await session.put(key, new Uint8Array(1024 * 1024));
      expect(await session.getMany(keys.slice(0, 8))).toMatchObject({ kind: 'found' });
      expect(await errorOf(session.getMany(keys))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE' });
      for (const key of keys) await session.delete(key);
    });

    test('by prefix and range, either way, up to a limit, and on from a cursor', async () => {
      const session = a.sessions.session();
      const names = ['scan', 'scan/a', 'scan/b', 'scan/é', 'scan/日', 'scan/😀', 'scan0'];
      for (const name of names) await session.put(name, name);
      await session.put('scan/gone', '');
      await session.delete('scan/gone');
      const within = names.slice(1, 6);
      expect(await keysOf(await session.scan({ prefix: 'scan/' }))).toEqual(within);
      expect(await keysOf(await session.scan({ prefix: 'scan/', reverse: true }))).toEqual(within.toReversed());
      expect(await keysOf(await session.scan({ from: 'scan/b', before: 'scan/😀' }))).toEqual(within.slice(1, 4));
      expect(await keysOf(await session.scan({ prefix: 'scan/', from: 'scan/a0', limit: 2 }))).toEqual(
        within.slice(1, 3),
      );
      expect(await keysOf(await session.scan({ prefix: 'nothing' }))).toEqual([]);

      const found: string[] = [];
      let cursor: string | undefined;
      for (let i = 0; i < 4; i++) {
        const scan = await session.scan(
          cursor === undefined ? { prefix: 'scan/', reverse: true, limit: 2 } : { cursor, limit: 2 },
        );
        found.push(...(await keysOf(scan)));
        if (scan.kind === 'scan') cursor = scan.cursor;
      }
      expect(found).toEqual(within.toReversed());
      expect(cursor).toMatch(/^[\w-]+$/);
    });

    test('a scan of many pages shows one state; without a snapshot each page does', async () => {
      const session = a.sessions.session();
      const keys = Array.from({ length: 2_500 }, (_, i) => `pages/${String(i).padStart(4, '0')}`);
      const writeAll = async (value: string): Promise<void> => {
        for (let i = 0; i < keys.length; i += 500) {
          await Promise.all(keys.slice(i, i + 500).map((key) => session.put(key, value)));
        }
      };
      await writeAll('old');
      for (const snapshot of [true, false]) {
        const scan = await session.scan({ prefix: 'pages/', snapshot });
        if (scan.kind === 'missing') throw new Error();
        const values: string[] = [];
        for await (const { key, value } of scan) {
          expect(key).toBe(keys[values.length]);
          values.push(value);
          if (values.length === 1) {
            await writeAll(snapshot ? 'new' : 'newest');
            // It comes before the others, and after the scan began.
            await session.delete(keys.at(-1) as string);
            await session.put('pages/00005', 'between');
            await session.delete('pages/00005');
            await session.put(keys.at(-1) as string, 'again');
          }
        }
        expect(values).toHaveLength(keys.length);
        const counts = new Set(values);
        if (snapshot) expect([...counts]).toEqual(['old']);
        else expect([...counts]).toEqual(['new', 'newest', 'again']);
      }
      expect(await session.get(keys.at(-1) as string)).toMatchObject({ value: 'again' });
    });

    test('lacks what the session needs for any key of the range, and no other', async () => {
      const first = a.sessions.session();
      await first.put('range/k', 'v');
      const session = b.sessions.session({ token: first.token() });
      const report = { onMissing: 'report' } as const;
      expect(await session.scan({ prefix: 'range/', ...report })).toMatchObject({ kind: 'missing', code: 'ERR_DEP' });
      expect(await session.getMany(['other', 'range/k'], report)).toMatchObject({ kind: 'missing' });
      expect(await session.scan({ prefix: 'range/l', ...report })).toMatchObject({ kind: 'scan' });
      expect(await session.getMany(['other'], report)).toMatchObject({ kind: 'found' });
      const waiting = session.scan({ prefix: 'range/', waitMs: 20_000, timeoutMs: 30_000 });
      await world.sync(a, b);
      expect(await keysOf(await waiting)).toEqual(['range/k']);
    });

    test('what a scan, or a read of several keys, has shown is needed from then on', async () => {
      await a.sessions.session().put('shown/1', 'v');
      await a.sessions.session().put('shown/2', 'v');
      const session = a.sessions.session();
      await keysOf(await session.scan({ prefix: 'shown/1' }));
      await session.getMany(['shown/2']);
      const elsewhere = b.sessions.session({ token: session.token() });
      for (const key of ['shown/1', 'shown/2']) {
        expect(await elsewhere.get(key, { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      }
    });

    test('is refused for what cannot be', async () => {
      const session = a.sessions.session();
      for (const limit of [0, -1, 1.5, '2']) {
        expect(await errorOf(session.scan({ limit } as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
      for (const bounds of [{ prefix: 12 }, { from: '\ud800' }, { before: '' }, { before: 'x'.repeat(4_097) }]) {
        expect(await errorOf(session.scan(bounds as never))).toMatchObject({ code: 'ERR_INVALID_KEY' });
      }
      const scan = await session.scan({ prefix: 'scan/' });
      if (scan.kind === 'missing') throw new Error();
      const { cursor } = scan;
      expect(await errorOf(session.scan({ cursor, reverse: true }))).toMatchObject({ code: 'ERR_OPTION' });
      for (const wrong of [`${cursor}A`, cursor.slice(1), session.token(), '']) {
        expect(await errorOf(session.scan({ cursor: wrong }))).toMatchObject({ code: 'ERR_TOKEN' });
      }
      await keysOf(scan);
      expect(await errorOf(keysOf(scan))).toMatchObject({ code: 'ERR_OPTION' });
      // The longest prefix there is, which no key is longer than.
      const longest = `${'x'.repeat(4_095)}\x7f`;
      await session.put(longest, 'v');
      expect(await keysOf(await session.scan({ prefix: longest }))).toEqual([longest]);
    });
  });

  describe('a batch', () => {
    test('writes several keys at once, and each is what its key needs from then on', async () => {
      const session = a.sessions.session({ codec: json<number | string[]>() });
      await session.put('batch/gone', 1);
      const batch = await session.batch([
        { key: 'batch/put', kind: 'put', value: 7 },
        { key: 'batch/gone', kind: 'delete' },
        { key: 'batch/number', kind: 'increment', by: 3 },
        { key: 'batch/set', kind: 'setAdd', member: 'x' },
        { key: 'batch/none', kind: 'setRemove', member: 'x' },
        { key: 'batch/first', kind: 'putIfAbsent', value: 8 },
        { key: 'batch/merged', kind: 'merge', procedure: 'highest@1', value: 9 },
      ]);
      if (batch.kind !== 'accepted') throw new Error(batch.kind);
      const keys = ['put', 'gone', 'number', 'set', 'none', 'first', 'merged'].map((name) => `batch/${name}`);
      expect(batch).toMatchObject({ kind: 'accepted', keys });
      expect((await batch.state()).holders).toEqual([batch.stamp.origin]);
      const read = await session.getMany(keys);
      if (read.kind !== 'found') throw new Error(read.kind);
      expect([...read.values].map(([key, { value, stamp }]) => [key, value, stamp])).toEqual([
        ['batch/put', 7, batch.stamp],
        ['batch/number', 3, batch.stamp],
        ['batch/set', ['x'], batch.stamp],
        ['batch/first', 8, batch.stamp],
        ['batch/merged', 9, batch.stamp],
      ]);
      const there = b.sessions.session({ token: session.token(), onMissing: 'report' });
      for (const key of keys) expect(await there.get(key)).toMatchObject({ kind: 'missing', missing: [batch.stamp] });
      await world.sync(a, b);
      expect(await there.getMany(keys)).toMatchObject({ kind: 'found' });
    });

    test('is refused as a whole where the session wants its writes to follow what the replica lacks', async () => {
      const session = a.sessions.session({ guarantees: ['monotonic-writes'] });
      const { stamp } = (await session.put('batch/before', 'v')) as { stamp: Stamp };
      const there = b.sessions.session({ token: session.token(), onMissing: 'report' });
      const batch = await there.batch([
        { key: 'batch/follows', kind: 'put', value: 'v' },
        { key: 'batch/too', kind: 'put', value: 'v' },
      ]);
      expect(batch).toMatchObject({ kind: 'missing', missing: [stamp], keys: ['batch/follows', 'batch/too'] });
      expect(await errorOf(batch.stable())).toMatchObject({ code: 'ERR_DEP' });
      expect(await b.sessions.session().get('batch/follows')).toEqual({ kind: 'absent' });
    });

    test('is told to who watches in one piece', async () => {
      const watch = a.sessions.watch('batch-watched/');
      await watch.begun();
      const part = (key: string) => ({ key: `batch-watched/${key}`, kind: 'put', value: key }) as const;
      await a.sessions.session().batch([part('c'), part('a'), part('b')]);
      const told: string[] = [];
      const cursors = new Set<string | null>();
      for await (const { key } of watch) {
        told.push(key.slice(-1));
        if (told.length < 3) cursors.add(watch.cursor);
        else break;
      }
      expect([told, cursors.size]).toEqual([['a', 'b', 'c'], 1]);
    });

    test('that is none is refused where it enters', async () => {
      const session = a.sessions.session();
      const put = (key: string, value = 'v') => ({ key, kind: 'put', value }) as const;
      const many = Array.from({ length: 129 }, (_, i) => put(`k${i}`));
      const large = [put('k', 'v'.repeat(600_000)), put('l', 'v'.repeat(600_000))];
      for (const parts of [[], many, large, [put('k'), put('l'), put('k')], 'none' as never, null as never]) {
        expect(await errorOf(session.batch(parts))).toMatchObject({ code: 'ERR_BATCH' });
      }
      const wrong = [
        ['ERR_INVALID_KEY', put('')],
        ['ERR_INVALID_KEY', { ...put('k'), key: 7 as never }],
        ['ERR_INVALID_KEY', null as never],
        ['ERR_INVALID_VALUE', put('k', 'v'.repeat(1024 * 1024 + 1))],
        ['ERR_INVALID_VALUE', { key: 'k', kind: 'increment', by: 0.5 }],
        ['ERR_OPTION', { key: 'k', kind: 'explode' } as never],
      ] as const;
      for (const [code, part] of wrong) {
        expect(await errorOf(session.batch([put('batch/refused'), part]))).toMatchObject({ code });
      }
      expect(await session.get('batch/refused')).toEqual({ kind: 'absent' });
    });
  });

  describe('values', () => {
    const roundTrip = async <V>(key: string, codec: ValueCodec<V>, value: V): Promise<V> => {
      const session: Session<V> = a.sessions.session({ codec });
      await session.put(key, value);
      const read = await session.get(key);
      if (read.kind !== 'found') throw new Error(read.kind);
      return read.value;
    };

    test('are text, JSON, bytes, or what a codec of the program makes of them', async () => {
      expect(await roundTrip('text', utf8, 'é日😀\0')).toBe('é日😀\0');
      expect(await roundTrip('empty', utf8, '')).toBe('');
      expect(await roundTrip('json', json(), { a: [1, null, 'x'] })).toEqual({ a: [1, null, 'x'] });
      expect(await roundTrip('order', json(isOrder), { drink: 'ristretto', shots: 1 })).toEqual({
        drink: 'ristretto',
        shots: 1,
      });
      expect(await roundTrip('bytes', binary, new Uint8Array([0, 255]))).toEqual(new Uint8Array([0, 255]));
      const date: ValueCodec<Date> = {
        name: 'date',
        encode: (value) => utf8.encode(value.toISOString()),
        decode: (bytes) => new Date(utf8.decode(bytes)),
      };
      expect(await roundTrip('date', date, new Date(77))).toEqual(new Date(77));
    });

    test('that are changed after they were handed in, or read, change nothing', async () => {
      const session = a.sessions.session({ codec: binary });
      const bytes = new Uint8Array([1, 2, 3]);
      const write = session.put('own bytes', bytes);
      bytes.fill(9);
      await write;
      const first = await session.get('own bytes');
      if (first.kind !== 'found') throw new Error(first.kind);
      first.value.fill(9);
      expect(await session.get('own bytes')).toMatchObject({ value: new Uint8Array([1, 2, 3]) });
      for (let round = 0; round < 2; round++) {
        const scan = await session.scan({ prefix: 'own bytes' });
        if (scan.kind === 'missing') throw new Error(scan.code);
        for await (const { value } of scan) {
          expect(value).toEqual(new Uint8Array([1, 2, 3]));
          value.fill(9);
        }
      }
    });

    test('of a wrong type are refused where they enter, and what others stored where it is read', async () => {
      const text = a.sessions.session();
      for (const wrong of [12, null, undefined, new Uint8Array(1), {}]) {
        const error = await errorOf(text.put('typed', wrong as never));
        expect(error).toMatchObject({ code: 'ERR_INVALID_VALUE', cause: expect.any(TypeError) });
        expect(error.advice).toContain('codec');
      }
      for (const wrong of [undefined, Number.NaN, () => 1, [undefined], { at: Number.POSITIVE_INFINITY }, 1n]) {
        expect(await errorOf(a.sessions.session({ codec: json() }).put('typed', wrong as never))).toMatchObject({
          code: 'ERR_INVALID_VALUE',
        });
      }
      const orders = a.sessions.session({ codec: json(isOrder) });
      expect(await errorOf(orders.put('typed', { drink: 1 } as never))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      expect(await errorOf(text.put('typed', '\ud800'))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      expect(await errorOf(text.put('typed', 'x'.repeat(2 ** 20 + 1)))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      expect(await text.get('typed')).toEqual({ kind: 'absent' });
      await text.put('typed', 'not JSON');
      expect(await errorOf(orders.get('typed'))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      await a.sessions.session({ codec: binary }).put('typed', new Uint8Array([0xff]));
      expect(await errorOf(text.get('typed'))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
    });
  });

  describe('what cannot be', () => {
    test('keys are refused', async () => {
      const session = a.sessions.session();
      for (const key of ['', 'x'.repeat(4_097), '\ud800', 12, null, undefined]) {
        for (const call of [session.get(key as never), session.put(key as never, 'v'), session.delete(key as never)]) {
          expect(await errorOf(call)).toMatchObject({ code: 'ERR_INVALID_KEY' });
        }
      }
    });

    test('options are refused', async () => {
      for (const options of [
        { guarantees: ['most'] },
        { onMissing: 'cry' },
        { timeoutMs: -1 },
        { timeoutMs: Number.NaN },
        { waitMs: 'long' },
      ]) {
        expect(() => a.sessions.session(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }));
      }
      const session = a.sessions.session();
      for (const options of [{ timeoutMs: 1e9 }, { onMissing: 'cry' }, { waitMs: -1 }, { signal: 'stop' }]) {
        expect(await errorOf(session.get('k', options as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
      const write = await session.put('k', 'v');
      for (const replicas of [0, -1, 1.5, '2']) {
        expect(await errorOf(write.replicated(replicas as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
    });
  });

  describe('a replica that lacks what a session has seen', () => {
    /** A session that has written `key` at a, and goes on at b. */
    const moved = async (key: string, options: object = {}): Promise<Session> => {
      const first = a.sessions.session(options);
      await first.put(key, 'new');
      return b.sessions.session({ token: first.token() });
    };

    test('says so, and names what it lacks', async () => {
      const session = await moved('lacking');
      const read = await session.get('lacking', { onMissing: 'report' });
      if (read.kind !== 'missing') throw new Error(read.kind);
      expect(read.code).toBe('ERR_DEP');
      expect(read.missing.map(({ origin }) => origin)).toEqual([expect.stringMatching(/^a#/)]);
      expect(read.missing[0]?.acceptTime).toBeGreaterThan(0);
      expect(await session.get('lacking', { onMissing: 'try-another' })).toEqual(read);
    });

    test('serves other keys', async () => {
      const session = await moved('one');
      expect(await session.get('other', { onMissing: 'report' })).toEqual({ kind: 'absent' });
    });

    test('is waited for, so long as the caller says', async () => {
      const session = await moved('awaited');
      expect(await session.get('awaited', { waitMs: 50 })).toMatchObject({ kind: 'missing' });
      const read = session.get('awaited', { waitMs: 20_000, timeoutMs: 30_000 });
      await world.sync(a, b);
      expect(await read).toMatchObject({ kind: 'found', value: 'new' });
    });

    test('is not waited for when the caller aborts, or when the time is over', async () => {
      const session = await moved('aborted');
      const controller = new AbortController();
      const read = session.get('aborted', { waitMs: 20_000, timeoutMs: 30_000, signal: controller.signal });
      controller.abort(new Error('the guest left'));
      expect(await errorOf(read)).toMatchObject({ code: 'ERR_ABORTED', cause: new Error('the guest left') });
      expect(await errorOf(session.get('aborted', { signal: AbortSignal.abort() }))).toMatchObject({
        code: 'ERR_ABORTED',
      });
      expect(await errorOf(session.get('aborted', { waitMs: 20_000, timeoutMs: 100 }))).toMatchObject({
        code: 'ERR_TIMEOUT',
      });
    });

    test('refuses writes that are to follow, as a value', async () => {
      const session = await moved('before', { guarantees: ['causal'] });
      const write = await session.put('after', 'v', { onMissing: 'report' });
      expect(write).toMatchObject({ kind: 'missing', code: 'ERR_DEP', missing: [expect.anything()] });
      for (const wait of [write.replicated(1), write.stable(), write.state()]) {
        expect(await errorOf(wait)).toMatchObject({ code: 'ERR_DEP' });
      }
      await world.sync(a, b);
      expect(await session.put('after', 'v')).toMatchObject({ kind: 'accepted' });
    });

    test('a causal session is served nothing before all it knows of is there', async () => {
      const session = await moved('question', { guarantees: ['causal'] });
      expect(await session.get('elsewhere', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      await world.sync(a, b);
      expect(await session.get('elsewhere', { onMissing: 'report' })).toEqual({ kind: 'absent' });
    });
  });

  describe('a token', () => {
    test('is short and URL-safe, and carries guarantees, needs and the highest time', async () => {
      const session = a.sessions.session({ guarantees: ['causal'] });
      const write = await session.put('carried', 'v');
      const token = session.token();
      expect(token).toMatch(/^[\w-]{20,100}$/);
      const resumed = b.sessions.session({ token });
      expect(resumed.guarantees).toEqual(session.guarantees);
      expect(resumed.token()).toBe(token);
      await world.sync(a, b);
      const later = await resumed.put('carried', 'w');
      if (write.kind !== 'accepted' || later.kind !== 'accepted') throw new Error('refused');
      expect(later.stamp.acceptTime).toBeGreaterThan(write.stamp.acceptTime);
    });

    test('stays bounded, and keeps every guarantee, however many keys were touched', async () => {
      const session = a.sessions.session();
      const keys = Array.from({ length: 1_500 }, (_, i) => `touched/${'x'.repeat(i % 50)}/${i}`);
      for (let i = 0; i < keys.length; i += 500) {
        await Promise.all(keys.slice(i, i + 500).map((key) => session.put(key, 'v')));
      }
      const token = session.token();
      expect(token.length).toBeLessThan(1_600);
      const resumed = b.sessions.session({ token });
      for (const key of [keys[0], keys[700], keys.at(-1)] as string[]) {
        expect(await resumed.get(key, { onMissing: 'report' }), key).toMatchObject({ kind: 'missing' });
      }
      await world.sync(a, b);
      for (const key of keys.slice(0, 20)) expect(await resumed.get(key)).toMatchObject({ kind: 'found' });
    });

    test('may be used twice, and beside its session: no two writes have one name', async () => {
      const session = a.sessions.session();
      const token = session.token();
      const others = [session, a.sessions.session({ token }), a.sessions.session({ token })];
      const writes = await Promise.all(others.map((one, i) => one.put('named', `by ${i}`)));
      expect(writes.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'accepted']);
      const stamps = writes.map((write) => write.kind === 'accepted' && write.stamp.acceptTime);
      expect(new Set(stamps).size).toBe(3);
    });

    test('that is damaged, cut or not one is refused', async () => {
      const session = a.sessions.session();
      await session.put('token', 'v');
      const token = session.token();
      const changed = [...token].map(
        (letter, i) => `${token.slice(0, i)}${letter === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`,
      );
      const cut = [...token].map((_, i) => token.slice(0, i));
      for (const wrong of [...changed, ...cut, `${token}A`, ` ${token}`, 'token', '€', 12, null, {}]) {
        expect(() => a.sessions.session({ token: wrong as never }), `${wrong}`).toThrow(
          expect.objectContaining({ code: 'ERR_TOKEN' }),
        );
      }
      expect(() => a.sessions.session({ token, guarantees: [] })).toThrow(
        expect.objectContaining({ code: 'ERR_OPTION' }),
      );
    });

    test('of another cluster is refused', async () => {
      const other = await world.start('other', { cluster: 'elsewhere' });
      const token = other.sessions.session().token();
      expect(() => a.sessions.session({ token })).toThrow(expect.objectContaining({ code: 'ERR_TOKEN' }));
    });
  });

  describe('a write', () => {
    test('is on the replica that accepted it, and on another once that has it', async () => {
      const write = await a.sessions.session().put('states', 'v');
      expect(await write.state()).toMatchObject({ holders: [expect.stringMatching(/^a#/)], stable: false });
      expect(await write.replicated(1)).toMatchObject({ holders: [expect.stringMatching(/^a#/)] });
      const error = await errorOf(write.replicated(2, { timeoutMs: 50 }));
      expect(error).toMatchObject({ code: 'ERR_TIMEOUT', message: expect.stringMatching(/on a#\d+, and .* on b#\d+/) });
      await world.sync(a, b);
      await world.sync(b, a);
      expect((await write.replicated(2)).holders).toHaveLength(2);
    });

    test('is replicated by itself where replicas exchange writes by themselves', async () => {
      const [c, d] = await Promise.all(
        ['c', 'd'].map((id) => world.start(id, { antiEntropyMs: 60_000, cluster: 'two' })),
      );
      if (c === undefined || d === undefined) throw new Error();
      await world.link(c, d);
      const write = await c.sessions.session().put('k', 'v');
      const { holders } = await write.replicated(2, { timeoutMs: 30_000 });
      expect(holders).toEqual([expect.stringMatching(/^c#/), expect.stringMatching(/^d#/)]);
    });

    test('is stable once every member attests that it holds it', async () => {
      const write = await a.sessions.session().put('stable', 'v');
      expect(await errorOf(write.stable({ timeoutMs: 10 }))).toMatchObject({ code: 'ERR_TIMEOUT' });
      const stable = write.stable({ timeoutMs: 30_000 });
      for (let i = 0; i < 4; i++) {
        await world.sync(a, b, true);
        await world.sync(b, a, true);
      }
      expect(await stable).toMatchObject({ waitsFor: [], stable: true });
    });

    test('is waited for no longer than the caller wants', async () => {
      const write = await a.sessions.session().put('patience', 'v');
      const controller = new AbortController();
      const waiting = write.stable({ signal: controller.signal });
      controller.abort();
      expect(await errorOf(waiting)).toMatchObject({ code: 'ERR_ABORTED' });
    });
  });
  describe('a bundle', () => {
    test('brings what one replica holds to another; again it brings nothing new', async () => {
      const [from, to] = await Promise.all([world.start('giver'), world.start('taker')]);
      const session = from.sessions.session();
      for (let i = 0; i < 50; i++) await session.put(`bundled/${i}`, `${i}`);
      await session.delete('bundled/7');
      const file = join(world.folder, 'all');
      const made = await from.sessions.exportBundle(file);
      expect(made).toMatchObject({ from: expect.stringMatching(/^giver#\d+$/), entries: 50 });
      expect(await inspectBundle(file)).toEqual(made);
      expect(await to.sessions.importBundle(file)).toEqual(made);
      expect(await to.sessions.importBundle(file)).toEqual(made);
      const there = to.sessions.session({ token: session.token() });
      expect(await there.get('bundled/7')).toEqual({ kind: 'absent' });
      expect(await there.get('bundled/8')).toMatchObject({ kind: 'found', value: '8' });
    });

    test('may leave out what is there already; it is refused where that is not', async () => {
      const [from, to, third] = await Promise.all([world.start('hut'), world.start('base'), world.start('third')]);
      const session = from.sessions.session();
      await session.put('note/1', 'one');
      const first = await from.sessions.exportBundle(join(world.folder, 'first'));
      await to.sessions.importBundle(join(world.folder, 'first'));
      await session.put('note/2', 'two');
      const second = join(world.folder, 'second');
      expect(await from.sessions.exportBundle(second, { since: first.seen })).toMatchObject({ entries: 1 });
      expect(await errorOf(third.sessions.importBundle(second))).toMatchObject({ code: 'ERR_BUNDLE_GAP' });
      await to.sessions.importBundle(second);
      expect(await to.sessions.session().get('note/2')).toMatchObject({ value: 'two' });
      expect(await third.sessions.session().get('note/2')).toEqual({ kind: 'absent' });
    });

    test('that is damaged, missing, foreign or cannot be written is refused, with nothing taken', async () => {
      const stranger = await world.start('stranger', { cluster: 'elsewhere' });
      const file = join(world.folder, 'damaged');
      await a.sessions.session().put('damaged', 'v');
      await a.sessions.exportBundle(file);
      const code = (promise: Promise<unknown>): Promise<string> => errorOf(promise).then((error) => error.code);
      expect(await code(stranger.sessions.importBundle(file))).toBe('ERR_CLUSTER_MISMATCH');
      expect(await code(a.sessions.importBundle(join(world.folder, 'nowhere')))).toBe('ERR_BUNDLE');
      expect(await code(a.sessions.exportBundle(join(world.folder, 'no', 'folder')))).toBe('ERR_OUTPUT');
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      writeFileSync(file, bytes);
      expect(await code(b.sessions.importBundle(file))).toBe('ERR_BUNDLE');
      expect(await code(inspectBundle(file))).toBe('ERR_BUNDLE');
    });

    test('what cannot be asked for is refused, and an abort ends it without a file', async () => {
      const file = join(world.folder, 'aborted');
      const code = (promise: Promise<unknown>): Promise<string> => errorOf(promise).then((error) => error.code);
      expect(await code(a.sessions.exportBundle('', {}))).toBe('ERR_OPTION');
      expect(await code(a.sessions.exportBundle(7 as never))).toBe('ERR_OPTION');
      expect(await code(a.sessions.exportBundle(file, { since: 'yesterday' }))).toBe('ERR_OPTION');
      expect(await code(a.sessions.exportBundle(file, { timeoutMs: -1 }))).toBe('ERR_OPTION');
      expect(await code(a.sessions.exportBundle(file, { signal: AbortSignal.abort() }))).toBe('ERR_ABORTED');
      const aborting = new AbortController();
      const under = code(a.sessions.exportBundle(file, { signal: aborting.signal }));
      aborting.abort();
      expect(await under).toBe('ERR_ABORTED');
      expect(readdirSync(world.folder).filter((name) => name.startsWith('aborted'))).toEqual([]);
    });
  });
}
