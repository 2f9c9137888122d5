import { sortBy } from 'lodash';
import { describe, expect, test } from 'vitest';
import { type ClientId, compareKeys, originOf, type ReplicaId } from '../../src/base/ids.js';
import { seededRandom } from '../../src/base/random.js';
import { PROTOCOL_VERSION } from '../../src/bayou/messages.js';
import type { ScanRequest } from '../../src/bayou/read-messages.js';
import { Replica } from '../../src/bayou/replica.js';
import { kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const terms = {
  protocol: PROTOCOL_VERSION,
  cluster: 'c',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 0,
} as const;

/** A replica whose writes are made one after the other. */
class Store {
  readonly replica = new Replica({
    origin: originOf('a' as ReplicaId, 1),
    terms,
    machine: kvMachine,
    storage: new MemoryStorage(kvOperationCodec),
  });
  #time = 0;
  now = 0;

  put(key: string, value: string | Uint8Array | null): void {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    const operation = bytes === null ? ({ kind: 'delete' } as const) : ({ kind: 'put', value: bytes } as const);
    const request = { client: 'c' as ClientId, clientTime: ++this.#time, key, operation, after: 0, needs: null };
    expect(this.replica.accept(request, this.now)).toMatchObject({ kind: 'accepted' });
  }

  page(asked: Partial<ScanRequest> = {}) {
    const range = { from: null, before: null };
    const request = { range, reverse: false, after: null, entriesMax: 10, hold: true, snapshot: null, needs: null };
    const reply = this.replica.reader.scan({ ...request, ...asked }, this.now);
    if (reply.kind === 'missing') throw new Error('missing');
    return reply;
  }

  /** All that a scan gives, as `key=value`, while `meanwhile` happens after each page. */
  scan(asked: Partial<ScanRequest>, meanwhile: () => void): string[] {
    const found: string[] = [];
    let after: string | null = asked.after ?? null;
    let snapshot: number | null = null;
    for (;;) {
      const page = this.page({ ...asked, after, snapshot });
      if (page.kind === 'refused') throw new Error(page.message);
      found.push(...page.entries.map(({ key, value }) => `${key}=${new TextDecoder().decode(value)}`));
      if (page.upTo === null) return found;
      ({ upTo: after, snapshot } = page);
      meanwhile();
    }
  }

  contents(): Map<string, string> {
    return new Map([...this.replica.entries(null, 0)].map(({ key, value }) => [key, new TextDecoder().decode(value)]));
  }
}

describe('a scan', () => {
  test('shows one state over all its pages, whatever changes meanwhile, in both directions and any range', () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed);
      const store = new Store();
      const key = (): string => 'kéy😀'.slice(0, random.below(3)) + String(random.below(40));
      const change = (): void => {
        for (let i = random.below(12); i > 0; i--) {
          store.put(key() || 'k', random.below(3) === 0 ? null : `${random.below(1_000)}`);
        }
      };
      for (let i = 0; i < 8; i++) change();
      const from = random.below(2) === 0 ? null : key();
      const before = random.below(2) === 0 ? null : key();
      const reverse = random.below(2) === 0;
      const isIn = (it: string): boolean =>
        (from === null || compareKeys(it, from) >= 0) && (before === null || compareKeys(it, before) < 0);
      const expected = [...store.contents()].filter(([it]) => isIn(it)).sort(([a], [b]) => compareKeys(a, b));
      if (reverse) expected.reverse();
      const asked = { range: { from, before }, reverse, entriesMax: 1 + random.below(6) };
      const found = store.scan(asked, change);
      expect(found, `seed ${seed}`).toEqual(expected.map(([it, value]) => `${it}=${value}`));
    }
  });

  test('without holding it each page shows a state, and keys that stay are given once, in order', () => {
    const store = new Store();
    const keys = Array.from({ length: 50 }, (_, i) => `k${String(i).padStart(2, '0')}`);
    for (const key of keys) store.put(key, 'old');
    let round = 0;
    const found = store.scan({ hold: false, entriesMax: 7 }, () => {
      round += 1;
      for (const key of keys) store.put(key, `new ${round}`);
    });
    expect(found.map((entry) => entry.split('=')[0])).toEqual(keys);
    expect(found[0]).toBe('k00=old');
    expect(found[49]).toBe('k49=new 7');
  });

  test('may ask for a page again', () => {
    const store = new Store();
    for (let i = 0; i < 9; i++) store.put(`k${i}`, 'old');
    const first = store.page({ entriesMax: 3 });
    if (first.kind === 'refused') throw new Error();
    const next = { entriesMax: 3, after: first.upTo, snapshot: first.snapshot };
    const second = store.page(next);
    for (let i = 0; i < 9; i++) store.put(`k${i}`, 'new');
    expect(store.page(next)).toEqual(second);
  });

  test('that is behind what it asks for, or another, is refused', () => {
    const store = new Store();
    for (let i = 0; i < 9; i++) store.put(`k${i}`, 'v');
    const first = store.page({ entriesMax: 3 });
    if (first.kind === 'refused') throw new Error();
    const next = { entriesMax: 3, after: first.upTo, snapshot: first.snapshot };
    for (const wrong of [
      { snapshot: (first.snapshot ?? 0) + 1 },
      { after: null },
      { after: 'k0' },
      { reverse: true },
      { range: { from: 'k1', before: null } },
    ]) {
      expect(store.page({ ...next, ...wrong })).toMatchObject({ kind: 'refused', code: 'ERR_SNAPSHOT' });
    }
    expect(store.page(next)).toMatchObject({ kind: 'page' });
  });

  test('is let go of when it ends, when it is left for long, when many are open, or when too much changes', () => {
    const store = new Store();
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    for (const key of keys) store.put(key, 'v');
    const begin = () => {
      const page = store.page({ entriesMax: 1 });
      if (page.kind === 'refused') throw new Error();
      return { entriesMax: 1, after: page.upTo, snapshot: page.snapshot };
    };
    const isHeld = (next: object): boolean => store.page({ ...next, hold: false }).kind === 'page';

    const ended = begin();
    expect([isHeld(ended), isHeld(ended)]).toEqual([true, false]);

    const left = begin();
    store.now += 60_000;
    const kept = begin();
    store.now += 1;
    expect([isHeld(left), isHeld(kept)]).toEqual([false, true]);

    const many = Array.from({ length: 65 }, begin);
    expect(many.map(isHeld)).toEqual([false, ...Array.from({ length: 64 }, () => true)]);

    const large = begin();
    const value = new Uint8Array(1024 * 1024);
    for (const key of keys) store.put(key, value);
    expect(isHeld(large)).toBe(true);
    const larger = begin();
    for (const key of keys) store.put(key, 'v');
    expect(isHeld(larger)).toBe(false);
  });

  test('looks at a bounded number of keys for a page, and says how far it came', () => {
    const store = new Store();
    const keys = sortBy(Array.from({ length: 20_000 }, (_, i) => `k${i}`));
    for (const key of keys) store.put(key, null);
    store.put('z', 'v');
    const first = store.page();
    expect(first).toMatchObject({ kind: 'page', entries: [], upTo: keys[8_191] });
    expect(store.scan({}, () => undefined)).toEqual(['z=v']);
  });
});
