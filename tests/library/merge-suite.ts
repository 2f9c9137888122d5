import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { promised } from '../../src/base/outcome.js';
import { json, type Session, type Status } from '../../src/server/library.js';
import { errorOf, type LibraryReplica, type LibraryWorld, useTwoReplicas } from './world.js';

const PROCEDURES = fileURLToPath(new URL('./fixtures/procedures.mjs', import.meta.url));

/** Merges: what a program may count on, whichever world it lives in. */
export function runMergeSuite(make: () => LibraryWorld): void {
  let world: LibraryWorld;
  let a: LibraryReplica;
  let b: LibraryReplica;
  useTwoReplicas(make, (...they) => {
    [world, a, b] = they;
  });

  const shownTo = async (session: Session, key: string): Promise<unknown> => {
    const read = await session.get(key);
    return read.kind === 'found' ? read.value : read.kind;
  };

  const syncBoth = async (): Promise<void> => {
    await world.sync(a, b);
    await world.sync(b, a);
  };

  describe('a merge', () => {
    test('puts its value where it finds what it expects, and merges where it does not, at every replica', async () => {
      const [ana, ben] = [a.sessions.session(), b.sessions.session()];
      const first = await ana.merge('stock', '12', 'first-wins@1', { expectsAbsent: true });
      if (first.kind !== 'accepted') throw new Error(first.kind);
      expect(await ana.get('stock')).toEqual({ kind: 'found', value: '12', stamp: first.stamp });
      await syncBoth();
      await ana.merge('stock', '11', 'keep-both@1', { expects: '12' });
      await ben.merge('stock', '14', 'keep-both@1', { expects: '12' });
      expect([await shownTo(ana, 'stock'), await shownTo(ben, 'stock')]).toEqual(['11', '14']);
      await syncBoth();
      const both = await shownTo(ana, 'stock');
      expect(both).toMatch(/^\{"kept":\["1[14]","1[14]"\]\}$/);
      expect(await shownTo(ben, 'stock')).toBe(both);
      await ben.merge('stock', '13', 'keep-both@1', { expects: both as string });
      expect(await shownTo(ben, 'stock')).toBe('13');
    });

    test('is an operation like any other, with the values of the codec', async () => {
      const session = a.sessions.session({ codec: json<unknown>() });
      await session.write('form', {
        kind: 'merge',
        procedure: 'json-merge-patch@1',
        value: { name: 'ana', age: null },
      });
      await session.merge('form', { town: 'Zug' }, 'json-merge-patch@1');
      expect(await session.get('form')).toMatchObject({ value: { name: 'ana', town: 'Zug' } });
      await session.merge('form', { settled: true }, 'first-wins@1', { expects: { name: 'ana', town: 'Zug' } });
      expect(await session.get('form')).toMatchObject({ value: { settled: true } });
    });

    test('needs what is there, and what it adds, as an operation does', async () => {
      const session = a.sessions.session();
      await session.merge('bid', '7', 'highest@1');
      const elsewhere = b.sessions.session({ token: session.token() });
      expect(await elsewhere.get('bid', { onMissing: 'report' })).toMatchObject({ kind: 'missing' });
      await world.sync(a, b);
      expect(await elsewhere.get('bid')).toMatchObject({ value: '7' });
    });

    test('is refused where nobody has its procedure, or it is none', async () => {
      const session = a.sessions.session();
      expect(await errorOf(session.merge('wrong', 'v', 'guess@7'))).toMatchObject({ code: 'ERR_PROCEDURE' });
      for (const call of [
        session.merge('wrong', 'v', 'keep-both'),
        session.merge('wrong', 'v', undefined as never),
        session.merge('wrong', 12 as never, 'keep-both@1'),
        session.merge('wrong', 'v', 'keep-both@1', { expects: 12 as never }),
        session.merge('wrong', 'x'.repeat(2 ** 20), 'keep-both@1', { expects: 'x' }),
      ]) {
        expect(await errorOf(call)).toMatchObject({ code: 'ERR_INVALID_VALUE' });
      }
      const both = { expects: 'v', expectsAbsent: true };
      expect(await errorOf(session.merge('wrong', 'v', 'keep-both@1', both))).toMatchObject({ code: 'ERR_OPTION' });
      expect(await session.get('wrong')).toEqual({ kind: 'absent' });
    });
  });

  describe('a procedure of the program', () => {
    test('is run at replicas that have it, and waited for at those that have not', async () => {
      const c = await world.start('c', { procedures: PROCEDURES });
      await world.link(a, c);
      const session = c.sessions.session();
      await session.put('word', 'aa');
      for (const value of ['bbb', 'c']) await session.merge('word', value, 'longest@1');
      const typed = c.sessions.session({ codec: json<number>() });
      await typed.merge('total', 5, 'sum@2');
      await typed.merge('total', 3, 'sum@2', { expects: 1 });
      // It spends all it may, and takes no effect.
      await session.merge('word', 'dddd', 'endless@1');
      expect(await shownTo(session, 'word')).toBe('bbb');
      expect(await typed.get('total')).toMatchObject({ value: 7 });
      await world.sync(c, a);
      const elsewhere = a.sessions.session();
      expect(await errorOf(elsewhere.get('word'))).toMatchObject({
        code: 'ERR_PROCEDURE',
        message: expect.stringContaining('longest@1'),
      });
      expect(await errorOf(elsewhere.getMany(['stock', 'word']))).toMatchObject({ code: 'ERR_PROCEDURE' });
      expect((await statusOf(world, a)).lacks).toEqual(['endless@1', 'longest@1', 'sum@2']);
      expect((await statusOf(world, c)).lacks).toEqual([]);
      // What overwrites it needs no procedure.
      await elsewhere.put('word', 'e');
      expect(await shownTo(elsewhere, 'word')).toBe('e');
      await world.sync(a, c);
      expect(await shownTo(session, 'word')).toBe('e');
    });
  });
}

function statusOf(world: LibraryWorld, replica: LibraryReplica): Promise<Status> {
  return promised<Status>((done) => world.admin(replica).status(10_000, done));
}
