import { type ClientId, originOf, type ReplicaId } from '../src/base/ids.js';
import { foldHistory } from '../src/bayou/key-history.js';
import { stampOrder } from '../src/bayou/write.js';
import { WriteLog } from '../src/bayou/write-log.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../src/machine/kv.js';
import { MemoryStorage } from '../src/storage/memory.js';
import { median, type Row, report } from './measure.js';

/*
 * One key with a long history of merges, into which writes come late, to stand a hundred places before the end, or in the middle; after
 * each the key is read, so that all that stands after it is run again. Beside the fold of the whole history, which needs nothing
 * to be kept. In memory, without a network: what is measured is the evaluation.
 */

const SIZES = [1_000, 10_000, 100_000];
const LATE = 50;
const FOLDS = 5;
const NEAR_END = 100;
const RULES = { machine: kvMachine, retryWindow: 0 };
const KEY = 'room';
const SELF = originOf('a' as ReplicaId, 1);

/** A bid that is rarely the highest: what most merges do is to look. */
function bid(i: number): KvOperation {
  const value = new TextEncoder().encode(`${(i * 7_919) % 1_000}`);
  return { kind: 'merge', procedure: 'highest@1', value, expects: null };
}

interface Measured {
  readonly nearEnd: number;
  readonly inTheMiddle: number;
  readonly whole: number;
}

function measured(size: number): Measured {
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  const log = new WriteLog(storage, stampOrder('higher'), RULES, SELF);
  // Every other accept time is left for what comes late.
  for (let i = 1; i <= size; i++) {
    const client = `c${i % 8}` as ClientId;
    log.append([{ origin: SELF, acceptTime: 2 * i, client, clientTime: i, key: KEY, operation: bid(i) }]);
  }
  log.read(KEY);
  let late = 0;
  const comesLate = (place: number): number => {
    const [origin, client] = [originOf(`late-${late}` as ReplicaId, 1), `late-${late}` as ClientId];
    late += 1;
    const began = performance.now();
    log.insertReceived({ origin, acceptTime: 2 * place + 1, client, clientTime: 1, key: KEY, operation: bid(late) });
    log.read(KEY);
    return performance.now() - began;
  };
  const some = (place: number): number => median(Array.from({ length: LATE }, (_, i) => comesLate(place + (i % 7))));
  const nearEnd = some(size - NEAR_END);
  const inTheMiddle = some(size >> 1);
  const folds = Array.from({ length: FOLDS }, () => {
    const began = performance.now();
    foldHistory(storage.base(KEY), storage.history(KEY), RULES);
    return performance.now() - began;
  });
  return { nearEnd, inTheMiddle, whole: median(folds) };
}

const shown = (ms: number): string => `${(1_000 * ms).toFixed(0)} µs`;
const rows = SIZES.flatMap((size): Row[] => {
  const { nearEnd, inTheMiddle, whole } = measured(size);
  const row = (where: string, ms: number): Row => ({
    measure: `a late merge ${where} of ${size.toLocaleString('en')}, and a read`,
    barista: shown(ms),
    beside: `the whole fold ${shown(whole)}`,
    ratio: (ms / whole).toFixed(3),
  });
  return [row('a hundred before the end', nearEnd), row('in the middle', inTheMiddle)];
});
report('refold', rows);
