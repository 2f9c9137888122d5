import { describe, expect, test } from 'vitest';
import { binary, type History, json, type Session, type Stamp } from '../../src/server/library.js';
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
}
