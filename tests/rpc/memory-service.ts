import { type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { succeed } from '../../src/base/outcome.js';
import type { Status } from '../../src/bayou/admin-messages.js';
import type { Conflict } from '../../src/bayou/conflict-messages.js';
import type { Fate, WriteName } from '../../src/bayou/fates.js';
import type { PastWrite } from '../../src/bayou/history-messages.js';
import { type ClusterTerms, PROTOCOL_VERSION, type Standing } from '../../src/bayou/messages.js';
import type { ReplicaService } from '../../src/bayou/ports.js';
import type { FoundValue } from '../../src/bayou/read-messages.js';
import { writesOf } from '../../src/bayou/submission.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { Write } from '../../src/bayou/write.js';
import type { KvOperation } from '../../src/machine/kv.js';

/** Of a replica that has folded nothing and knows others. */
export const STANDING: Standing = { base: 0, floor: 0, clock: 0, members: 2 };

export type KvService = ReplicaService<KvOperation, Uint8Array>;

export const TERMS: ClusterTerms = {
  protocol: PROTOCOL_VERSION,
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 60_000,
};
export const ORIGIN: Origin = originOf('r1' as ReplicaId, 1);

/** A replica in memory that answers at once and has no peers. Single methods can be put in the place of its own. */
export function memoryService(overrides: Partial<KvService> = {}): KvService {
  const writes: Write<KvOperation>[] = [];
  const links = new Map<ReplicaId, Status['links'][number]>();
  const seen = (): VersionVector => new VersionVector([[ORIGIN, writes.length]]);
  const lastOf = (key: string): Write<KvOperation> | undefined => writes.findLast((write) => write.key === key);
  return {
    bundles: {
      exportBatch: ({ since, resume }, done) => {
        const base = resume?.received ?? since;
        const lacking = writes.filter((write) => !base.covers(write.origin, write.acceptTime));
        const rest = { standing: STANDING, store: null, left: null, report: { attestations: [], retired: [] } };
        const batch = { from: ORIGIN, resumed: resume !== null, writes: lacking, seen: seen(), more: false, ...rest };
        done(succeed({ terms: TERMS, batch }));
      },
      beginImport: (_offer, done) => done(succeed({ number: 1, request: null })),
      importBatch: ({ number }, done) => done(succeed({ number, request: null })),
      pullThrough: (_offer, _way, done) => done(succeed(undefined)),
    },
    histories: {
      history: ({ key, after, only, writesMax }, done) => {
        const own = writes.filter((write) => write.key === key);
        const due = own.filter(({ acceptTime }) =>
          only ? acceptTime === only.acceptTime : acceptTime > (after?.acceptTime ?? 0),
        );
        const page = due.slice(0, writesMax).map((write): PastWrite<KvOperation> => {
          const next = own[own.indexOf(write) + 1];
          const fate: Fate = next === undefined ? { kind: 'stands' } : { kind: 'overwritten', by: nameOf(next) };
          return { ...nameOf(write), operation: write.operation, fate, stage: 'accepted', resubmitted: false };
        });
        done(succeed({ kind: 'history', base: null, writes: page, more: due.length > page.length }));
      },
      conflicts: ({ prefix, from }, done) => {
        const told = from.kind === 'cursor' ? from.cursor.told : new VersionVector();
        const conflicts = writes.flatMap((write, at): Conflict<KvOperation>[] => {
          const winner = writes.slice(at + 1).find(({ key }) => key === write.key);
          if (winner === undefined || !write.key.startsWith(prefix)) return [];
          if (from.kind !== 'cursor' || told.covers(winner.origin, winner.acceptTime)) return [];
          const { key, operation } = write;
          const [lost, to] = [nameOf(write), nameOf(winner)];
          return [{ key, lost, operation, rule: 'overwritten', winner: to, concurrent: 'no' }];
        });
        const cursor = { told: from.kind === 'cursor' ? seen() : told, target: seen(), after: null };
        done(succeed({ kind: 'conflicts', conflicts, cursor, more: from.kind !== 'cursor' }));
      },
    },
    write: (request, done) => {
      const missing = request.needs && seen().missing(request.needs);
      if (missing !== null) return done(succeed({ kind: 'missing', missing }));
      const stamp = { origin: ORIGIN, acceptTime: (writes.at(-1)?.acceptTime ?? 0) + 1 };
      writes.push(...writesOf(request, stamp, (operation) => operation));
      done(succeed({ kind: 'accepted', stamp }));
    },
    read: ({ key, needs }, done) => {
      const missing = needs && seen().missing(needs);
      if (missing !== null) return done(succeed({ kind: 'missing', missing }));
      const write = lastOf(key);
      if (write?.operation.kind !== 'put') return done(succeed({ kind: 'absent' }));
      const { origin, acceptTime } = write;
      done(succeed({ kind: 'found', value: write.operation.value, stamp: { origin, acceptTime } }));
    },
    readMany: ({ keys }, done) => {
      const values = keys.map((key) => foundIn(lastOf(key)));
      done(succeed({ kind: 'values', values }));
    },
    scan: ({ range, after, entriesMax }, done) => {
      const keys = [...new Set(writes.map((write) => write.key))].sort().filter((key) => {
        return (after === null || key > after) && key >= (range.from ?? '') && (range.before ?? key + 1) > key;
      });
      const entries = keys.slice(0, entriesMax).flatMap((key) => {
        const found = foundIn(lastOf(key));
        return found === null ? [] : [{ key, ...found }];
      });
      const upTo = keys.length > entriesMax ? (keys[entriesMax - 1] ?? null) : null;
      done(succeed({ kind: 'page', entries, upTo, snapshot: null }));
    },
    holds: ({ needs }, done) => done(succeed({ missing: seen().missing(needs) })),
    writeState: ({ stamp }, done) => {
      const isHere = seen().covers(stamp.origin, stamp.acceptTime);
      done(succeed({ holders: isHere ? [ORIGIN] : [], waitsFor: isHere ? [] : [ORIGIN], stable: isHere }));
    },
    watch: ({ prefix, from, changesMax }, done) => {
      const told = from.kind === 'cursor' ? from.cursor.told : seen();
      const due = writes.filter(({ key, origin, acceptTime }) => {
        return key.startsWith(prefix) && !told.covers(origin, acceptTime);
      });
      const changes = due.slice(0, changesMax).map(({ key, origin, acceptTime, client, operation }) => {
        const stamp = { origin, acceptTime };
        const value = operation.kind === 'put' ? operation.value : null;
        return { key, stamp, client, value, standing: stamp, stands: true, reordered: false, lost: null };
      });
      const cursor = { told: seen(), target: seen(), store: null };
      done(succeed({ kind: 'changes', changes, cursor, more: due.length > changes.length }));
    },
    pull: ({ seen: known, writesMax, resume }, done) => {
      const base = resume?.received ?? known;
      const lacking = writes.filter((write) => !base.covers(write.origin, write.acceptTime));
      const page = lacking.slice(0, writesMax);
      const more = page.length < lacking.length;
      const rest = { standing: STANDING, store: null, left: null, report: null };
      done(succeed({ from: ORIGIN, resumed: resume !== null, writes: page, seen: seen(), more, ...rest }));
    },
    news: (_news, done) => done(succeed(undefined)),
    status: (done) =>
      done(
        succeed({
          origin: ORIGIN,
          terms: TERMS,
          seen: seen(),
          writes: writes.length,
          base: 0,
          stable: 0,
          waitsFor: [],
          lacks: [],
          retired: [],
          links: [...links.values()],
        }),
      ),
    link: ({ peer, address, incarnation }, done) => {
      links.set(peer, {
        peer,
        address,
        lastError: incarnation === null ? null : 'ERR_CONN',
        drift: null,
        progress: null,
      });
      done(succeed(undefined));
    },
    unlink: ({ peer }, done) => {
      links.delete(peer);
      done(succeed(undefined));
    },
    stabilize: ({ peers }, done) => {
      const outcomes = (peers ?? [...links.keys()]).map((peer) =>
        links.has(peer)
          ? { peer, done: true, error: null }
          : { peer, done: false, error: { code: 'ERR_NOT_LINKED' as const, message: `${peer} is not linked` } },
      );
      done(succeed({ outcomes, seen: seen() }));
    },
    store: ({ after, entriesMax }, done) => {
      const keys = [...new Set(writes.map((write) => write.key))].sort().filter((key) => after === null || key > after);
      const entries = keys.flatMap((key) => {
        const operation = lastOf(key)?.operation;
        return operation?.kind === 'put' ? [{ key, value: operation.value }] : [];
      });
      done(succeed({ entries: entries.slice(0, entriesMax), more: entries.length > entriesMax }));
    },
    log: ({ after, writesMax }, done) => {
      const entries = writes.filter((write) => after === null || write.acceptTime > after.acceptTime);
      done(succeed({ entries: entries.slice(0, writesMax), more: entries.length > writesMax }));
    },
    retire: (_request, done) => done(succeed(undefined)),
    shutdown: (done) => done(succeed(undefined)),
    ...overrides,
  };
}

function nameOf({ origin, acceptTime, client }: Write<KvOperation>): WriteName {
  return { stamp: { origin, acceptTime }, client };
}

function foundIn(write: Write<KvOperation> | undefined): FoundValue<Uint8Array> | null {
  if (write?.operation.kind !== 'put') return null;
  const { origin, acceptTime } = write;
  return { value: write.operation.value, stamp: { origin, acceptTime } };
}
