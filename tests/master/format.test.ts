import { describe, expect, it } from 'vitest';
import { formatClock, formatEntry, formatGet, formatWrite, printable } from '../../master/format.js';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { VersionVector } from '../../src/bayou/version-vector.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const s1 = originOf('s1' as ReplicaId, 1);
const write = { origin: s1, acceptTime: 3, client: 'c1' as ClientId, clientTime: 2, key: 'espresso' };

describe('what is printed', () => {
  it('of a get is the value or why there is none', () => {
    expect(formatGet('k', { kind: 'found', value: bytes('a b') })).toBe('k:a b');
    expect(formatGet('k', { kind: 'found', value: bytes('') })).toBe('k:');
    expect(formatGet('k', { kind: 'ERR_DEP' })).toBe('k:ERR_DEP');
  });

  it('of a write is its stamp, its client and the operation', () => {
    expect(formatWrite({ ...write, operation: { kind: 'put', value: bytes('double') } })).toBe(
      '3@s1#1 c1:2 put espresso:double',
    );
    expect(formatWrite({ ...write, operation: { kind: 'delete' } })).toBe('3@s1#1 c1:2 delete espresso');
  });

  it('of a version vector is an entry a line, ids that are numbers in the order of numbers', () => {
    const clock = new VersionVector([
      [originOf('10' as ReplicaId, 1), 4],
      [originOf('9' as ReplicaId, 2), 0],
    ]);
    expect(formatClock(clock)).toEqual(['9#2:0', '10#1:4']);
  });

  it('never holds a control character, and nothing else is escaped', () => {
    expect(printable('a\nb\tc\u001b[31m\u007f\u0085\u2028')).toBe('a\\nb\\tc\\u001b[31m\\u007f\\u0085\\u2028');
    expect(printable('C:\\new "☕" é')).toBe('C:\\new "☕" é');
  });

  it('of a value that is not UTF-8 is hexadecimal', () => {
    expect(formatEntry('k', Uint8Array.of(0xff, 0x00, 0x0a))).toBe('k:0xff000a');
    expect(formatEntry('k', Uint8Array.of(0, 0x41).subarray(1))).toBe('k:A');
  });
});
