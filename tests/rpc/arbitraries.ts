import fc from 'fast-check';
import { BaristaError, ERROR_CODES } from '../../src/base/errors.js';
import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { utf8Length } from '../../src/base/limits.js';
import { fail, succeed } from '../../src/base/outcome.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';

/* Values of every kind the wire carries, with the edges of each among them. */

const idText = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', '1', 'a#b', 'é日😀', 'x'.repeat(256)),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what ids may not hold
    .filter((id) => utf8Length(id) > 0 && utf8Length(id) <= 256 && !/[\u0000-\u001f\u007f-\u009f]/u.test(id)),
);
const clientId = idText.map((id) => id as ClientId);
const replicaId = idText.map((id) => id as ReplicaId);

const key = fc.oneof(
  fc.constantFrom('__proto__', 'hasOwnProperty', '\0', 'k'.repeat(4096), '日'.repeat(1365), ' '),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
);

const value = fc.oneof(
  fc.uint8Array({ maxLength: 120 }),
  fc.constantFrom(0, 48, 49, 5000).map((n) => new Uint8Array(n)),
);

const timeFrom = (min: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.constantFrom(min, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER),
    fc.maxSafeNat().filter((time) => time >= min),
  );
const time = timeFrom(0);
const fromOne = timeFrom(1);

const origin = fc.tuple(replicaId, fromOne).map(([id, incarnation]) => originOf(id, incarnation));
const stamp = fc.record({ origin, acceptTime: time });
const vector = fc.array(fc.tuple(origin, time), { maxLength: 6 }).map((entries) => new VersionVector(entries));

const orNull = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(values, { nil: null });

const put = fc.record({ kind: fc.constant('put' as const), value });
const remove = fc.constant({ kind: 'delete' as const });
const member = fc.oneof(
  fc.constantFrom('', '"', '\0', 'é日😀', 'm'.repeat(4096)),
  fc.string({ unit: 'binary', maxLength: 60 }),
);
const others = [
  fc.record({
    kind: fc.constant('increment' as const),
    by: fc.oneof(fc.constantFrom(0, -1, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER), fc.integer()),
  }),
  fc.record({ kind: fc.constant('append' as const), bytes: value }),
  fc.record({ kind: fc.constant('setAdd' as const), member }),
  fc.record({ kind: fc.constant('setRemove' as const), member }),
  fc.record({ kind: fc.constant('putIfAbsent' as const), value }),
  fc.record({
    kind: fc.constant('merge' as const),
    procedure: fc.constantFrom('keep-both@1', 'a@999999999', `${'z'.repeat(64)}@1`),
    value,
    expects: fc.oneof(fc.constantFrom(null, 'absent' as const), value),
  }),
] as const;
const ttlMs = fc.oneof(fc.constantFrom(1, 10 * 365 * 24 * 3_600_000), fc.integer({ min: 1, max: 1_000_000 }));
const lasting = (['put', 'putIfAbsent'] as const).map((kind) => fc.record({ kind: fc.constant(kind), value, ttlMs }));
/** As a client may send it. */
const sent = fc.oneof(put, remove, ...others, ...lasting);
/** As a log has it. */
const operation = fc.oneof(
  put,
  remove,
  ...others,
  ...lasting.map((sent) => fc.tuple(sent, fromOne).map(([operation, expires]) => ({ ...operation, expires }))),
  fc.record({ kind: fc.constant('total' as const), value }),
  fc.record({ kind: fc.constant('total' as const), value, expires: fromOne }),
);

const writeRequestOf = <Op>(op: fc.Arbitrary<Op>) =>
  fc.record({ client: clientId, clientTime: time, key, operation: op, after: time, needs: orNull(vector) });
export const putRequest = writeRequestOf(put);
export const deleteRequest = writeRequestOf(remove);
export const writeRequest = writeRequestOf(sent);
export const batchRequest = fc.record({
  client: clientId,
  clientTime: time,
  parts: fc.uniqueArray(fc.record({ key, operation: sent }), {
    minLength: 1,
    maxLength: 5,
    selector: (part) => part.key,
  }),
  after: time,
  needs: orNull(vector),
});
export const getRequest = fc.record({ key, needs: orNull(vector) });

const missing = fc.record({ kind: fc.constant('missing' as const), missing: vector });
export const writeReply = fc.oneof(fc.record({ kind: fc.constant('accepted' as const), stamp }), missing);
export const getReply = fc.oneof(
  fc.record({ kind: fc.constant('found' as const), value, stamp }),
  fc.record({ kind: fc.constant('found' as const), value, stamp, basis: vector }),
  fc.record({ kind: fc.constant('found' as const), value, stamp, expires: time }),
  fc.constant({ kind: 'absent' as const }),
  missing,
);

export const getManyRequest = fc.record({ keys: fc.array(key, { maxLength: 5 }), needs: orNull(vector) });
const foundValue = fc.oneof(fc.record({ value, stamp }), fc.record({ value, stamp, expires: time }));
export const getManyReply = fc.oneof(
  fc.record({ kind: fc.constant('values' as const), values: fc.array(orNull(foundValue), { maxLength: 5 }) }),
  missing,
);
export const scanRequest = fc.record({
  range: fc.record({ from: orNull(key), before: orNull(key) }),
  reverse: fc.boolean(),
  after: orNull(key),
  entriesMax: fc.integer({ min: 1, max: 65_536 }),
  hold: fc.boolean(),
  snapshot: orNull(time),
  needs: orNull(vector),
});
export const scanReply = fc.oneof(
  fc.record({
    kind: fc.constant('page' as const),
    entries: fc.array(fc.record({ key, value, stamp }), { maxLength: 4 }),
    upTo: orNull(key),
    snapshot: orNull(time),
  }),
  missing,
);

const budgetMs = fc.nat({ max: 2 ** 31 - 1 });
export const holdsRequest = fc.record({ needs: vector, budgetMs });
export const holdsReply = fc.record({ missing: orNull(vector) });
export const writeStateRequest = fc.record({
  stamp,
  holders: fc.nat({ max: 2 ** 31 - 1 }),
  stable: fc.boolean(),
  budgetMs,
});
const origins = fc.array(origin, { maxLength: 3 });
export const writeStateReply = fc.record({ holders: origins, waitsFor: origins, stable: fc.boolean() });

const store = orNull(fc.record({ time, after: orNull(key) }));
const watchCursor = fc.record({ told: vector, target: vector, store });
export const watchRequest = fc.record({
  prefix: fc.oneof(fc.constant(''), key),
  from: fc.oneof(
    fc.constant({ kind: 'now' as const }),
    fc.record({ kind: fc.constant('stamp' as const), stamp }),
    fc.record({ kind: fc.constant('cursor' as const), cursor: watchCursor }),
  ),
  needs: orNull(vector),
  changesMax: fc.integer({ min: 1, max: 65_536 }),
  budgetMs,
  name: orNull(clientId),
});
const change = fc.record({
  key,
  stamp,
  client: clientId,
  value: orNull(value),
  standing: stamp,
  stands: fc.boolean(),
  reordered: fc.boolean(),
  lost: orNull(value),
});
export const watchReply = fc.oneof(
  fc.record({
    kind: fc.constant('changes' as const),
    changes: fc.array(change, { maxLength: 4 }),
    cursor: watchCursor,
    more: fc.boolean(),
  }),
  missing,
);

const writeName = fc.record({ stamp, client: clientId });
const fate = fc.oneof(
  fc.constant({ kind: 'stands' as const }),
  fc.record({ kind: fc.constant('overwritten' as const), by: writeName }),
  fc.record({
    kind: fc.constant('no-effect' as const),
    rule: fc.constantFrom(
      'repeat' as const,
      'outdated' as const,
      'anew' as const,
      'met' as const,
      'inapplicable' as const,
    ),
    by: orNull(writeName),
  }),
  fc.record({ kind: fc.constant('unknown' as const), lacks: fc.constantFrom('keep-both@1', 'a@9007199254740991') }),
);
const stage = fc.constantFrom('received' as const, 'accepted' as const, 'stable' as const);
const pastWrite = fc.record({ stamp, client: clientId, operation, fate, stage, resubmitted: fc.boolean() });
export const historyRequest = fc.record({
  key,
  after: orNull(stamp),
  only: orNull(stamp),
  writesMax: fc.integer({ min: 1, max: 65_536 }),
  needs: orNull(vector),
});
export const historyReply = fc.oneof(
  fc.record({
    kind: fc.constant('history' as const),
    base: orNull(fc.record({ stamp, client: clientId, operation, fate })),
    writes: fc.array(pastWrite, { maxLength: 4 }),
    more: fc.boolean(),
  }),
  missing,
);

const conflictCursor = fc.record({ told: vector, target: vector, after: orNull(stamp) });
export const conflictsRequest = fc.record({
  prefix: fc.oneof(fc.constant(''), key),
  from: fc.oneof(
    fc.constant({ kind: 'start' as const }),
    fc.constant({ kind: 'now' as const }),
    fc.record({ kind: fc.constant('stamp' as const), stamp }),
    fc.record({ kind: fc.constant('cursor' as const), cursor: conflictCursor }),
  ),
  needs: orNull(vector),
  conflictsMax: fc.integer({ min: 1, max: 65_536 }),
});
const conflict = fc.record({
  key,
  lost: writeName,
  operation,
  rule: fc.constantFrom('overwritten' as const, 'inapplicable' as const),
  winner: orNull(writeName),
  concurrent: fc.constantFrom('yes' as const, 'no' as const, 'unknown' as const),
});
export const conflictsReply = fc.oneof(
  fc.record({
    kind: fc.constant('conflicts' as const),
    conflicts: fc.array(conflict, { maxLength: 4 }),
    cursor: conflictCursor,
    more: fc.boolean(),
  }),
  missing,
);

const terms = fc.record({
  protocol: fc.integer(),
  cluster: idText,
  tieBreak: fc.constantFrom('higher' as const, 'lower' as const),
  clock: fc.constantFrom('logical' as const, 'hybrid' as const),
  retryWindowMs: time,
});
const count = fc.integer({ min: 1, max: 65_536 });

export const pullRequest = fc.record({
  terms,
  from: origin,
  to: replicaId,
  seen: vector,
  resume: orNull(fc.record({ received: vector, target: vector })),
  store: orNull(fc.record({ time, after: orNull(key) })),
  report: fc.boolean(),
  clock: time,
  life: time,
  outside: fc.boolean(),
  writesMax: count,
  bytesMax: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});

/** Of few origins and clients, so that batches name them again and again. */
export const writes = (maxLength: number): fc.Arbitrary<readonly Write<KvOperation>[]> =>
  fc
    .tuple(
      fc.array(origin, { minLength: 1, maxLength: 3 }),
      fc.array(clientId, { minLength: 1, maxLength: 4 }),
      fc.array(key, { minLength: 1, maxLength: 3 }),
    )
    .chain(([origins, clients, keys]) =>
      fc.array(
        fc.record(
          {
            origin: fc.constantFrom(...origins),
            acceptTime: fromOne,
            client: fc.constantFrom(...clients),
            clientTime: time,
            // Many keys share a beginning, some of them up to the middle of a character.
            key: fc.oneof(
              key,
              fc
                .tuple(fc.constantFrom(...keys), fc.constantFrom('', 'a', 'é', 'è', '日', '旦', '😀', '😁'))
                .map(([beginning, end]) => (utf8Length(beginning) > 4000 ? end || 'k' : beginning + end)),
            ),
            operation,
            resubmitted: fc.constant(true as const),
            part: fc.constant(true as const),
          },
          { requiredKeys: ['origin', 'acceptTime', 'client', 'clientTime', 'key', 'operation'] },
        ),
        { maxLength },
      ),
    );

const storePage = fc.record({
  time,
  vector,
  after: orNull(key),
  entries: writes(6),
  upTo: orNull(key),
});
const standing = fc.record({ base: time, floor: time, clock: time, members: fc.nat() });
const report = fc.record({
  attestations: fc.array(fc.record({ origin, clock: time, held: time, view: time }), { maxLength: 4 }),
  retired: fc.array(origin, { maxLength: 3 }),
});

export const pullBatch = fc.record({
  from: origin,
  resumed: fc.boolean(),
  writes: writes(8),
  seen: vector,
  more: fc.boolean(),
  standing,
  store: orNull(storePage),
  left: orNull(time),
  report: orNull(report),
});

export const newsRequest = fc.record({ terms, from: origin, to: replicaId, fresh: vector });

const address = fc.record({
  host: fc.constantFrom('localhost', '::1', '127.0.0.1'),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const errorCode = fc.constantFrom(...ERROR_CODES);
const message = fc.string({ unit: 'grapheme' });

export const linkRequest = fc.record({ peer: replicaId, address, incarnation: orNull(fromOne) });
export const unlinkRequest = fc.record({ peer: replicaId });
export const retireRequest = fc.record({ id: replicaId });
const drift = fc.record({ origin, aheadMs: time });
const progress = fc.record({ done: time, total: time, perSecond: time });
export const status = fc.record({
  origin,
  terms,
  seen: vector,
  writes: time,
  base: time,
  stable: time,
  waitsFor: fc.array(origin, { maxLength: 3 }),
  retired: fc.array(origin, { maxLength: 3 }),
  lacks: fc.array(fc.constantFrom('keep-both@1', 'slots@12'), { maxLength: 3 }),
  links: fc.array(
    fc.record({
      peer: replicaId,
      address,
      lastError: orNull(errorCode),
      drift: orNull(drift),
      progress: orNull(progress),
    }),
    { maxLength: 4 },
  ),
});
export const stabilizeRequest = fc.record({
  peers: orNull(fc.array(replicaId, { maxLength: 4 })),
  budgetMs: fc.nat({ max: 2 ** 31 - 1 }),
  compact: fc.boolean(),
});
export const stabilizeReply = fc.record({
  outcomes: fc.array(
    fc.record({ peer: replicaId, done: fc.boolean(), error: orNull(fc.record({ code: errorCode, message })) }),
    { maxLength: 4 },
  ),
  seen: vector,
});
export const storeRequest = fc.record({ after: orNull(key), entriesMax: count });
export const storeReply = fc.record({
  entries: fc.array(fc.record({ key, value }), { maxLength: 5 }),
  more: fc.boolean(),
});
export const logRequest = fc.record({ after: orNull(stamp), writesMax: count });
export const logReply = fc.record({ entries: writes(5), more: fc.boolean() });
export const nothing = fc.constant(undefined);

export const failure = fc.tuple(errorCode, message).map(([code, text]) => new BaristaError(code, text));

export const exportRequest = fc.record({
  since: vector,
  resume: orNull(fc.record({ received: vector, target: vector })),
  store: orNull(fc.record({ time, after: orNull(key) })),
  writesMax: count,
  bytesMax: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});
export const exportReply = fc.record({ terms, batch: pullBatch });
export const importRequest = fc.record({ terms, from: origin, since: vector, seen: vector });
export const importBatch = fc.record({
  number: time,
  batch: fc.oneof(
    pullBatch.map((batch) => succeed(batch)),
    failure.map((error) => fail<never>(error)),
  ),
});
export const importReply = fc.record({ number: time, request: orNull(pullRequest) });
export const bundleHead = fc.record({ terms, from: origin, since: vector });
export const bundlePart = fc.record({ writes: writes(8), store: orNull(storePage) });
export const bundleEnd = fc.record({ seen: vector, standing, report, entries: time });
