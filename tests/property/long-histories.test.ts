import { expect, test } from 'vitest';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import { foldHistory, positionOf } from '../../src/bayou/key-history.js';
import { LongHistories } from '../../src/bayou/long-histories.js';
import { stampOrder, type Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const order = stampOrder('higher');
const encoder = new TextEncoder();
const KEY = 'k';

/** Mostly operations that read the key; now and then a repeat, or one that was accepted anew. */
function draw(random: Random, acceptTime: number, blindShare: number): Write<KvOperation> {
  const client = random.below(4);
  const isRepeat = random.below(12) === 0;
  const clientTime = isRepeat ? 1 + random.below(acceptTime) : acceptTime;
  const text = `${random.below(10)}`;
  const read: readonly KvOperation[] = [
    { kind: 'increment', by: random.below(5) - 2 },
    { kind: 'append', bytes: encoder.encode(text) },
    { kind: 'putIfAbsent', value: encoder.encode(text) },
    { kind: 'setAdd', member: text },
    { kind: 'merge', procedure: 'highest@1', value: encoder.encode(text), expects: null },
    { kind: 'merge', procedure: 'add-to-list@1', value: encoder.encode(text), expects: 'absent' },
    { kind: 'merge', procedure: `unheard-of@${1 + random.below(40)}`, value: encoder.encode(text), expects: null },
  ];
  const blind: readonly KvOperation[] = [{ kind: 'put', value: encoder.encode(text) }, { kind: 'delete' }];
  const from = random.below(100) < blindShare ? blind : random.below(30) === 0 ? read : read.slice(0, -1);
  const write = {
    origin: originOf(`r${random.below(3)}` as ReplicaId, 1),
    acceptTime,
    client: `c${client}` as ClientId,
    clientTime,
    key: KEY,
    operation: from[random.below(from.length)] as KvOperation,
  };
  return random.below(20) === 0 ? { ...write, resubmitted: true } : write;
}

test.each([0, 2, 30])('what is kept of a long history folds as the whole does, with %i %% puts', (blindShare) => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = seededRandom(seed);
    const rules = { machine: kvMachine, retryWindow: [0, 20, 100, 10_000][random.below(4)] as number };
    const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
    const long = new LongHistories(storage, rules);
    for (let step = 1; step < 700; step++) {
      const history = storage.history(KEY);
      const dice = random.below(100);
      if (dice < 3 && history.length > 0) {
        const position = random.below(2) === 0 ? 0 : random.below(history.length);
        const write = history[position] as Write<KvOperation>;
        storage.remove(KEY, position);
        long.removed(write, position);
      } else if (dice < 4) {
        storage.setBase(KEY, random.below(2) === 0 ? null : draw(random, 1, 100));
        long.based(KEY);
      } else {
        // Most come at the end, some late.
        const time =
          random.below(3) > 0
            ? step
            : 1 + Math.max(0, step - 1 - random.below([5, 80, 700][random.below(3)] as number));
        const write = draw(random, time, blindShare);
        const position = positionOf(history, write, order);
        const there = history[position];
        if (there === undefined || order(there, write) !== 0) {
          storage.insert(write, position);
          long.inserted(write, position);
        }
      }
      if (random.below(4) > 0) continue;
      expect(long.read(KEY), `seed ${seed}, step ${step}`).toEqual(
        foldHistory(storage.base(KEY), storage.history(KEY), rules),
      );
      const some = storage.history(KEY)[random.below(storage.history(KEY).length)];
      if (some === undefined) continue;
      const same = storage
        .history(KEY)
        .filter(({ client, clientTime }) => client === some.client && clientTime === some.clientTime);
      expect(long.named(KEY, some.client, some.clientTime).writes).toEqual(same);
    }
  }
});
