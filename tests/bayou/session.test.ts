import { describe, expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { GUARANTEES, type Guarantee, Session } from '../../src/bayou/session.js';

const A = originOf('a' as ReplicaId, 1);
const B = originOf('b' as ReplicaId, 1);
const at = (origin: typeof A, acceptTime: number) => ({ origin, acceptTime });

function session(...guarantees: Guarantee[]): Session<string> {
  return new Session<string>('c' as ClientId, guarantees);
}

function needs(s: Session<string>, key: string): string {
  return s.read(key).needs?.toString() ?? '';
}

describe('a session', () => {
  test('gives each operation a client time of its own', () => {
    const s = session();
    expect([s.write('k', 'op').clientTime, s.write('k', 'op').clientTime]).toEqual([1, 2]);
  });

  test('stamps what it writes after all it has read and written, whatever it guarantees', () => {
    const s = session();
    s.wrote('k', at(A, 5), true);
    s.found('l', at(B, 9));
    s.wrote('m', at(A, 7), true);
    expect(s.write('n', 'op').after).toBe(9);
  });

  test('by default a key needs the last value written or read there, and no other key does', () => {
    const s = session('read-your-writes', 'monotonic-reads');
    s.wrote('k', at(A, 1), true);
    expect(needs(s, 'k')).toBe('a#1:1');
    s.found('k', at(B, 4));
    expect(needs(s, 'k')).toBe('b#1:4');
    s.wrote('k', at(A, 5), true);
    expect(needs(s, 'k')).toBe('a#1:5');
    expect(needs(s, 'l')).toBe('');
  });

  test('an operation that reads what it changes adds to what its key needs', () => {
    const s = session('read-your-writes');
    s.wrote('k', at(A, 1), true);
    s.wrote('k', at(B, 4), false);
    expect(needs(s, 'k')).toBe('a#1:1 b#1:4');
  });

  test('each read guarantee asks only for its own half', () => {
    const own = session('read-your-writes');
    own.found('k', at(B, 4));
    expect(needs(own, 'k')).toBe('');
    const seen = session('monotonic-reads');
    seen.found('k', at(B, 4));
    seen.wrote('k', at(A, 5), true);
    expect(needs(seen, 'k')).toBe('b#1:4');
  });

  test('with all four, a read needs what the session has read and written under any key', () => {
    const s = session(...GUARANTEES);
    expect(s.read('k').needs).toBe(null);
    s.wrote('k', at(A, 1), true);
    s.found('l', at(B, 4));
    expect(['k', 'l', 'm'].map((key) => needs(s, key))).toEqual(Array(3).fill('a#1:1 b#1:4'));
  });

  test('the write guarantees ask for the whole session', () => {
    const writes = (...guarantees: Guarantee[]): string => {
      const s = session(...guarantees);
      s.wrote('k', at(A, 1), true);
      s.found('l', at(B, 4));
      return s.write('m', 'op').needs?.toString() ?? '';
    };
    expect(writes('monotonic-writes')).toBe('a#1:1');
    expect(writes('writes-follow-reads')).toBe('b#1:4');
    expect(writes(...GUARANTEES)).toBe('a#1:1 b#1:4');
    expect(writes('read-your-writes', 'monotonic-reads')).toBe('');
  });

  test('an answer that comes after a later one adds to what the key needs, and takes nothing away', () => {
    const s = session('read-your-writes', 'monotonic-reads');
    s.wrote('k', at(A, 1), true);
    const before = s.needsOf('k');
    s.wrote('k', at(A, 7), true, before);
    s.found('k', at(B, 3), before);
    expect(needs(s, 'k')).toBe('a#1:7 b#1:3');
    s.wrote('k', at(B, 2), true, before);
    expect(needs(s, 'k')).toBe('a#1:7 b#1:3');
    s.found('k', at(B, 8), s.needsOf('k'));
    expect(needs(s, 'k')).toBe('b#1:8');
  });

  test('needs of more keys than are told apart are put together: no key needs less than it did', () => {
    const s = session('read-your-writes', 'monotonic-reads');
    for (let i = 1; i <= 3_000; i++) s.wrote(`k${i}`, at(i % 2 === 0 ? A : B, i), true);
    const { keyNeeds, otherNeeds } = s.state;
    expect(keyNeeds.length).toBeLessThanOrEqual(1_024);
    for (let i = 1; i <= 3_000; i++) {
      expect(s.needsOf(`k${i}`)?.covers(i % 2 === 0 ? A : B, i), `k${i}`).toBe(true);
    }
    expect(otherNeeds.highestTime()).toBe(3_000 - keyNeeds.length);
    // What is written anew needs that alone, and what was never touched all that was put together.
    s.wrote('k1', at(A, 4_000), true);
    expect(needs(s, 'k1')).toBe('a#1:4000');
    expect(needs(s, 'never')).toBe(otherNeeds.toString());
  });

  test('goes on elsewhere as it was, under another client id', () => {
    const s = session('read-your-writes', 'monotonic-reads', 'monotonic-writes');
    s.wrote('k', at(A, 1), true);
    s.found('l', at(B, 4));
    const resumed = Session.resume<string>('d' as ClientId, s.state);
    expect(resumed.state).toEqual(s.state);
    expect(resumed.write('m', 'op')).toEqual({ ...s.write('m', 'op'), client: 'd' });
    // Neither changes the other.
    resumed.wrote('k', at(A, 9), true);
    expect(needs(s, 'k')).toBe('a#1:1');
  });

  test('a read of several keys needs what each of them does, and a range what each key in it does', () => {
    const s = session('read-your-writes', 'monotonic-reads');
    s.wrote('a1', at(A, 1), true);
    s.wrote('a2', at(B, 5), true);
    s.wrote('b', at(A, 9), true);
    expect(`${s.readMany(['a1', 'a2', 'none'])}`).toBe('a#1:1 b#1:5');
    expect(s.readMany(['none'])).toBeNull();
    expect(`${s.readRange((key) => key.startsWith('a'))}`).toBe('a#1:1 b#1:5');
    expect(s.readRange((key) => key.startsWith('c'))).toBeNull();
    for (let i = 0; i < 2_000; i++) s.wrote(`k${i}`, at(A, 10), true);
    expect(`${s.readRange((key) => key.startsWith('c'))}`).toBe('a#1:10 b#1:5');
    expect(`${s.readMany(['none'])}`).toBe('a#1:10 b#1:5');
    const causal = session(...GUARANTEES);
    causal.wrote('a1', at(A, 1), true);
    expect(`${causal.readRange(() => false)} ${causal.readMany([])}`).toBe('a#1:1 a#1:1');
  });
});
