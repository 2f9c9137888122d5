import { describe, expect, test } from 'vitest';
import {
  binary,
  type Conflicts,
  type History,
  json,
  type Loss,
  type Scan,
  type Session,
  type Stamp,
} from '../../src/server/library.js';
import { errorOf, type LibraryReplica, type LibraryWorld, useTwoReplicas } from './world.js';

/** What a program may count on that asks what became of writes, whichever world it lives in. */
export function runConflictSuite(make: () => LibraryWorld): void {
  let world: LibraryWorld;
  let a: LibraryReplica;
  let b: LibraryReplica;
  useTwoReplicas(make, (...they) => {
    [world, a, b] = they;
  });

  const stampOf = async (write: ReturnType<Session<unknown>['put']>): Promise<Stamp> => {
    const accepted = await write;
    if (accepted.kind !== 'accepted') throw new Error(accepted.code);
    return accepted.stamp;
  };
  const historyOf = async <V>(asked: ReturnType<Session<V>['history']>): Promise<History<V>> => {
    const history = await asked;
    if (history.kind === 'missing') throw new Error(history.code);
    return history;
  };

  describe('the history of a key', () => {
    test('tells what its writes were, whose, and what became of them', async () => {
      const [ana, ben] = [a.sessions.session(), a.sessions.session()];
      const first = await stampOf(ana.put('table', 'espresso'));
      const second = await stampOf(ben.put('table', 'ristretto'));
      const third = await stampOf(ana.increment('table', 2));
      const history = await historyOf(ben.history('table'));
      expect(history).toEqual({
        kind: 'history',
        base: null,
        writes: [
          {
            stamp: first,
            client: expect.stringMatching(/^[\w-]{16}$/),
            operation: { kind: 'put', value: 'espresso' },
            fate: { kind: 'overwritten', by: { stamp: second, client: history.writes[1]?.client } },
            stage: 'accepted',
            resubmitted: false,
          },
          expect.objectContaining({ stamp: second, fate: { kind: 'stands' } }),
          expect.objectContaining({
            stamp: third,
            client: history.writes[0]?.client,
            operation: { kind: 'increment', by: 2 },
            fate: { kind: 'no-effect', rule: 'inapplicable', by: { stamp: second, client: history.writes[1]?.client } },
          }),
        ],
        cursor: null,
      });
      expect(await historyOf(ana.history('nothing'))).toEqual({
        kind: 'history',
        base: null,
        writes: [],
        cursor: null,
      });
    });

    test('comes page by page', async () => {
      for (let i = 0; i < 5; i++) await a.sessions.session().put('pages', `${i}`);
      const session = a.sessions.session();
      const values: unknown[] = [];
      let page = await historyOf(session.history('pages', { limit: 2 }));
      for (;;) {
        expect(page.writes.length).toBeLessThanOrEqual(2);
        values.push(...page.writes.map(({ operation }) => 'value' in operation && operation.value));
        if (page.cursor === null) break;
        page = await historyOf(session.history('pages', { limit: 2, after: page.cursor }));
      }
      expect(values).toEqual(['0', '1', '2', '3', '4']);
    });

    test('shows every kind of operation as the codec reads it', async () => {
      const session = a.sessions.session({ codec: json<number | readonly string[]>() });
      await session.put('kinds', 4);
      await session.increment('kinds', -1);
      await session.delete('kinds');
      await session.putIfAbsent('kinds', ['x']);
      await session.addToSet('kinds', 'y');
      await session.removeFromSet('kinds', 'x');
      const { writes } = await historyOf(session.history('kinds'));
      expect(writes.map(({ operation, fate }) => [operation, fate.kind])).toEqual([
        [{ kind: 'put', value: 4 }, 'overwritten'],
        [{ kind: 'increment', by: -1 }, 'overwritten'],
        [{ kind: 'delete' }, 'stands'],
        [{ kind: 'putIfAbsent', value: ['x'] }, 'stands'],
        [{ kind: 'setAdd', member: 'y' }, 'stands'],
        [{ kind: 'setRemove', member: 'x' }, 'stands'],
      ]);
      await session.put('merged', 7);
      await session.merge('merged', 5, 'highest@1', { expects: 4 });
      await session.merge('merged', 9, 'highest@1', { expectsAbsent: true });
      const merged = await historyOf(session.history('merged'));
      expect(merged.writes.slice(1).map(({ operation, fate }) => [operation, fate.kind])).toEqual([
        [{ kind: 'merge', value: 5, procedure: 'highest@1', expects: 4 }, 'no-effect'],
        [{ kind: 'merge', value: 9, procedure: 'highest@1', expectsAbsent: true }, 'stands'],
      ]);
      await a.sessions.session().append('text', 'no json');
      expect(await errorOf(session.history('text'))).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      const bytes = await historyOf(a.sessions.session({ codec: binary }).history('text'));
      expect(bytes.writes).toMatchObject([
        { operation: { kind: 'append', value: new TextEncoder().encode('no json') } },
      ]);
    });

    test('keeps what the session was promised, and was then read', async () => {
      const session = a.sessions.session();
      await session.put('promised', 'v');
      const elsewhere = b.sessions.session({ token: session.token() });
      expect(await elsewhere.history('promised', { onMissing: 'report' })).toMatchObject({
        kind: 'missing',
        code: 'ERR_DEP',
        missing: [{ origin: expect.stringMatching(/^a#/) }],
      });
      const reader = a.sessions.session({ guarantees: ['monotonic-reads'] });
      await reader.history('promised');
      const behind = b.sessions.session({ token: reader.token() });
      expect(await behind.get('promised', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      await world.sync(a, b);
      expect((await historyOf(elsewhere.history('promised'))).writes).toMatchObject([{ stage: 'accepted' }]);
      expect(await behind.get('promised')).toMatchObject({ value: 'v' });
    });

    test('refuses what cannot be asked', async () => {
      const session = a.sessions.session();
      expect(await errorOf(session.history(''))).toMatchObject({ code: 'ERR_INVALID_KEY' });
      for (const limit of [0, -1, 1.5, Number.NaN, '1']) {
        expect(await errorOf(session.history('k', { limit } as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
      for (const after of ['1@a#1', null, {}, { origin: 'a', acceptTime: 1 }, { origin: 'a#1', acceptTime: -1 }]) {
        expect(await errorOf(session.history('k', { after } as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
      const signal = AbortSignal.abort();
      expect(await errorOf(session.history('k', { signal }))).toMatchObject({ code: 'ERR_ABORTED' });
    });
  });

  describe('conflicts', () => {
    async function allOf<V>(conflicts: Conflicts<V>): Promise<Loss<V>[]> {
      const told: Loss<V>[] = [];
      for await (const conflict of conflicts) told.push(conflict);
      return told;
    }
    const exchange = async (): Promise<void> => {
      await world.sync(a, b);
      await world.sync(b, a);
    };

    test('tell which write lost to which, whose they were, and by what rule', async () => {
      const [ana, ben] = [a.sessions.session(), b.sessions.session()];
      const late = await stampOf(ana.put('conflict/k', 'ana'));
      const since = a.sessions.watch('conflict/');
      await since.begun();
      await b.sessions.session().put('tick', 'so that the clock of b is past that of a');
      const winner = await stampOf(ben.put('conflict/k', 'ben'));
      expect(await allOf(a.sessions.conflicts({ prefix: 'conflict/' }))).toEqual([]);
      await exchange();
      for (const { sessions } of [a, b]) {
        const told = await allOf(sessions.conflicts({ prefix: 'conflict/' }));
        expect(told).toEqual([
          {
            key: 'conflict/k',
            lost: { stamp: late, client: expect.stringMatching(/^[\w-]{16}$/) },
            operation: { kind: 'put', value: 'ana' },
            rule: 'overwritten',
            winner: { stamp: winner, client: expect.stringMatching(/^[\w-]{16}$/) },
            concurrent: 'unknown',
          },
        ]);
      }
      // On from where a watch stands.
      const cursor = since.cursor ?? '';
      since.close();
      expect(await allOf(ana.conflicts({ prefix: 'conflict/', since: cursor }))).toHaveLength(1);
    });

    test('go on from a cursor, without a gap or a repeat, here and elsewhere', async () => {
      const begun = a.sessions.conflicts({ prefix: 'on/', since: 'now' });
      expect(begun.cursor).toBeNull();
      expect(await allOf(begun)).toEqual([]);
      for (let i = 0; i < 6; i++) await a.sessions.session().put(`on/${i}`, 'a');
      for (let i = 0; i < 6; i++) await b.sessions.session().put(`on/${i}`, 'b');
      await exchange();
      const keys: string[] = [];
      let { cursor } = begun;
      for (const { sessions } of [a, b, a]) {
        const rest = sessions.conflicts({ prefix: 'on/', since: cursor ?? '' });
        let left = 2;
        for await (const { key, operation } of rest) {
          keys.push(key);
          expect(operation).toEqual({ kind: 'put', value: expect.any(String) });
          if (--left === 0) break;
        }
        cursor = rest.cursor;
      }
      expect(keys).toEqual([0, 1, 2, 3, 4, 5].map((i) => `on/${i}`));
      expect(await allOf(b.sessions.conflicts({ prefix: 'on/', since: cursor ?? '' }))).toEqual([]);
      await a.sessions.session().increment('on/0');
      await world.sync(a, b);
      const last = await allOf(b.sessions.conflicts({ prefix: 'on/', since: cursor ?? '' }));
      expect(last).toMatchObject([{ key: 'on/0', operation: { kind: 'increment', by: 1 }, rule: 'inapplicable' }]);
    });

    test('tell of what came late that nobody who accepted what it lost to knew of it', async () => {
      const early = await stampOf(b.sessions.session().put('late/k', 'early'));
      await a.sessions.session().put('late/k', 'later');
      const since = a.sessions.conflicts({ prefix: 'late/', since: 'now' });
      await allOf(since);
      await world.sync(b, a);
      const told = await allOf(a.sessions.conflicts({ prefix: 'late/', since: since.cursor ?? '' }));
      expect(told).toMatchObject([{ lost: { stamp: early }, concurrent: 'yes' }]);
      const stamp = told[0]?.winner?.stamp as Stamp;
      expect(await allOf(a.sessions.conflicts({ prefix: 'late/', since: stamp }))).toEqual([]);
    });

    test('keep what the session was promised; and of another codec', async () => {
      const typed = a.sessions.session({ codec: json<{ readonly n: number }>() });
      await typed.put('typed/k', { n: 1 });
      await a.sessions.session({ codec: json<{ readonly n: number }>() }).put('typed/k', { n: 2 });
      const [one] = await allOf(a.sessions.conflicts({ prefix: 'typed/', codec: json<{ readonly n: number }>() }));
      expect(one).toMatchObject({ operation: { kind: 'put', value: { n: 1 } }, concurrent: 'no' });
      const reader = a.sessions.session();
      expect(await allOf(reader.conflicts({ prefix: 'typed/' }))).toMatchObject([{ operation: { value: '{"n":1}' } }]);
      const behind = b.sessions.session({ token: reader.token() });
      expect(await behind.get('typed/k', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      const lacking = behind.conflicts({ prefix: 'typed/', onMissing: 'report' });
      expect(await errorOf(allOf(lacking))).toMatchObject({ code: 'ERR_DEP' });
      await world.sync(a, b);
      expect(await allOf(behind.conflicts({ prefix: 'typed/' }))).toHaveLength(1);
    });

    test('are refused since where they cannot be told, and gone through once', async () => {
      const wrong = [null, 12, {}, { origin: 'a', acceptTime: 1 }].map((since) => ['ERR_OPTION', { since }] as const);
      const scan = (await a.sessions.session().scan({ prefix: 'on/' })) as Scan<string>;
      const another = a.sessions.conflicts({ prefix: 'other/', since: 'now' });
      await allOf(another);
      const cursors = ['yesterday', scan.cursor, a.sessions.session().token(), another.cursor].map(
        (since) => ['ERR_TOKEN', { since }] as const,
      );
      for (const [code, options] of [...wrong, ...cursors, ['ERR_INVALID_KEY', { prefix: '\ud800' }] as const]) {
        const call = async (): Promise<unknown> => a.sessions.conflicts(options as never);
        expect(await errorOf(call()), JSON.stringify(options)).toMatchObject({ code });
      }
      const once = a.sessions.conflicts({ prefix: 'on/' });
      await allOf(once);
      expect(await errorOf(allOf(once))).toMatchObject({ code: 'ERR_OPTION' });
      const signal = AbortSignal.abort();
      expect(await errorOf(allOf(a.sessions.conflicts({ signal })))).toMatchObject({ code: 'ERR_ABORTED' });
      const since = { origin: 'a#1', acceptTime: Number.MAX_SAFE_INTEGER } as Stamp;
      expect(await errorOf(allOf(a.sessions.conflicts({ since, onMissing: 'report' })))).toMatchObject({
        code: 'ERR_DEP',
      });
    });
  });

  describe('restore', () => {
    test('puts back what was lost, as a write of its own, and after what it lost to', async () => {
      const [ana, ben] = [a.sessions.session(), a.sessions.session()];
      const lost = await stampOf(ana.put('restore/put', 'espresso'));
      const winner = await stampOf(ben.put('restore/put', 'ristretto'));
      const write = await ben.restore('restore/put', lost);
      expect(write).toMatchObject({ kind: 'accepted', key: 'restore/put' });
      expect(write.kind === 'accepted' && write.stamp.acceptTime).toBeGreaterThan(winner.acceptTime);
      expect(await ana.get('restore/put')).toMatchObject({ value: 'espresso' });
      // A delete too, though nothing is there to be read of it.
      const deleted = await stampOf(ana.delete('restore/put'));
      await ben.put('restore/put', 'back');
      await ben.restore('restore/put', deleted);
      expect(await ana.get('restore/put')).toEqual({ kind: 'absent' });
    });

    test('puts what was conditional, and makes again what changed a value and was lost', async () => {
      const [ana, ben] = [a.sessions.session(), a.sessions.session()];
      await ana.put('restore/claim', 'ana');
      const claim = await stampOf(ben.putIfAbsent('restore/claim', 'ben'));
      await ben.restore('restore/claim', claim);
      expect(await ana.get('restore/claim')).toMatchObject({ value: 'ben' });
      const sold = await stampOf(ana.increment('restore/n', 2));
      expect(await errorOf(ben.restore('restore/n', sold))).toMatchObject({ code: 'ERR_OPTION' });
      await ben.put('restore/n', '40');
      await ben.restore('restore/n', sold);
      expect(await ana.get('restore/n')).toMatchObject({ value: '42' });
      const late = await stampOf(ana.append('restore/claim', '!'));
      await ben.delete('restore/claim');
      await ben.restore('restore/claim', late);
      expect(await ana.get('restore/claim')).toMatchObject({ value: '!' });
    });

    test('any bytes, whatever the codec of the session', async () => {
      const bytes = Uint8Array.of(0xff, 0);
      const lost = await stampOf(a.sessions.session({ codec: binary }).put('restore/bytes', bytes));
      await a.sessions.session().put('restore/bytes', 'text');
      await a.sessions.session({ codec: json() }).restore('restore/bytes', lost);
      expect(await a.sessions.session({ codec: binary }).get('restore/bytes')).toMatchObject({ value: bytes });
    });

    test('what the log has no more, or never had, is gone; what has not come is missing', async () => {
      const session = a.sessions.session();
      const gone = await stampOf(session.put('restore/gone', '1'));
      await session.put('restore/gone', '2');
      for (const key of ['restore/gone', 'restore/another']) {
        expect(await errorOf(session.restore(key, gone))).toMatchObject({ code: 'ERR_GONE' });
      }
      expect(await session.get('restore/gone')).toMatchObject({ value: '2' });
      const here = await stampOf(a.sessions.session().put('restore/here', '1'));
      const elsewhere = b.sessions.session();
      const refused = await elsewhere.restore('restore/here', here, { onMissing: 'report' });
      expect(refused).toMatchObject({ kind: 'missing', code: 'ERR_DEP', key: 'restore/here', missing: [here] });
      expect(await errorOf(refused.stable())).toMatchObject({ code: 'ERR_DEP' });
      const waiting = elsewhere.restore('restore/here', here);
      await world.sync(a, b);
      expect(await waiting).toMatchObject({ kind: 'accepted' });
      for (const stamp of [null, '1@a#1', { origin: 'a', acceptTime: 1 }]) {
        expect(await errorOf(session.restore('k', stamp as never))).toMatchObject({ code: 'ERR_OPTION' });
      }
      expect(await errorOf(session.restore('', here))).toMatchObject({ code: 'ERR_INVALID_KEY' });
    });
  });
}
