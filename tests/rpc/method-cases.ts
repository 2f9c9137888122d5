import { BaristaError } from '../../src/base/errors.js';
import type { ClientId, ReplicaId } from '../../src/base/ids.js';
import { fail } from '../../src/base/outcome.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { METHODS } from '../../src/rpc/services.js';
import { ORIGIN, TERMS } from './memory-service.js';
import { putRequest } from './replica.js';
import { callFrame } from './wire.js';

const needs = new VersionVector([[ORIGIN, 0]]);
const seen = needs;
const peer = 'r2' as ReplicaId;
const pull = {
  terms: TERMS,
  from: ORIGIN,
  to: peer,
  seen,
  resume: { received: seen, target: seen },
  store: { time: 1, after: 'k' },
  report: true,
  clock: 2,
  life: 1,
  outside: false,
  writesMax: 9,
  bytesMax: 9,
};
const stamp = { origin: ORIGIN, acceptTime: 1 };

/** A valid call of every method, as a frame. */
export const CALLS = [
  { name: 'put', method: METHODS.put, frame: callFrame(METHODS.put, { ...putRequest('k', 'v'), after: 1, needs }) },
  {
    name: 'remove',
    method: METHODS.remove,
    frame: callFrame(METHODS.remove, { ...putRequest('k', ''), operation: { kind: 'delete' }, needs }),
  },
  {
    name: 'write',
    method: METHODS.write,
    frame: callFrame(METHODS.write, { ...putRequest('k', ''), operation: { kind: 'increment', by: -1 }, needs }),
  },
  {
    name: 'batch',
    method: METHODS.batch,
    frame: callFrame(METHODS.batch, {
      client: 'c' as ClientId,
      clientTime: 3,
      parts: [
        { key: 'k', operation: { kind: 'increment', by: -1 } },
        { key: 'l', operation: { kind: 'delete' } },
      ],
      after: 1,
      needs,
    }),
  },
  { name: 'get', method: METHODS.get, frame: callFrame(METHODS.get, { key: '__proto__', needs }) },
  { name: 'getMany', method: METHODS.getMany, frame: callFrame(METHODS.getMany, { keys: ['k', 'l'], needs }) },
  {
    name: 'scan',
    method: METHODS.scan,
    frame: callFrame(METHODS.scan, {
      range: { from: 'a', before: 'z' },
      reverse: true,
      after: 'k',
      entriesMax: 9,
      hold: true,
      snapshot: 7,
      needs,
    }),
  },
  { name: 'holds', method: METHODS.holds, frame: callFrame(METHODS.holds, { needs, budgetMs: 1 }) },
  {
    name: 'writeState',
    method: METHODS.writeState,
    frame: callFrame(METHODS.writeState, { stamp, holders: 1, stable: true, budgetMs: 1 }),
  },
  {
    name: 'watch',
    method: METHODS.watch,
    frame: callFrame(METHODS.watch, {
      prefix: 'k',
      from: { kind: 'cursor', cursor: { told: seen, target: seen, store: { time: 1, after: 'k' } } },
      needs,
      changesMax: 9,
      budgetMs: 1,
      name: 'w' as ClientId,
    }),
  },
  {
    name: 'history',
    method: METHODS.history,
    frame: callFrame(METHODS.history, { key: 'k', after: stamp, only: stamp, writesMax: 9, needs }),
  },
  {
    name: 'conflicts',
    method: METHODS.conflicts,
    frame: callFrame(METHODS.conflicts, {
      prefix: 'k',
      from: { kind: 'cursor', cursor: { told: seen, target: seen, after: stamp } },
      needs,
      conflictsMax: 9,
    }),
  },
  { name: 'pull', method: METHODS.pull, frame: callFrame(METHODS.pull, pull) },
  {
    name: 'news',
    method: METHODS.news,
    frame: callFrame(METHODS.news, { terms: TERMS, from: ORIGIN, to: peer, fresh: seen }),
  },
  { name: 'status', method: METHODS.status, frame: callFrame(METHODS.status, undefined) },
  {
    name: 'link',
    method: METHODS.link,
    frame: callFrame(METHODS.link, { peer, address: { host: 'h', port: 1 }, incarnation: 1 }),
  },
  { name: 'unlink', method: METHODS.unlink, frame: callFrame(METHODS.unlink, { peer }) },
  {
    name: 'stabilize',
    method: METHODS.stabilize,
    frame: callFrame(METHODS.stabilize, { peers: [peer], budgetMs: 1, compact: true }),
  },
  { name: 'store', method: METHODS.store, frame: callFrame(METHODS.store, { after: 'k', entriesMax: 1 }) },
  { name: 'log', method: METHODS.log, frame: callFrame(METHODS.log, { after: stamp, writesMax: 1 }) },
  { name: 'retire', method: METHODS.retire, frame: callFrame(METHODS.retire, { id: peer }) },
  {
    name: 'exportBatch',
    method: METHODS.exportBatch,
    frame: callFrame(METHODS.exportBatch, {
      since: seen,
      resume: pull.resume,
      store: pull.store,
      writesMax: 9,
      bytesMax: 9,
    }),
  },
  {
    name: 'beginImport',
    method: METHODS.beginImport,
    frame: callFrame(METHODS.beginImport, { terms: TERMS, from: ORIGIN, since: seen, seen }),
  },
  {
    name: 'importBatch',
    method: METHODS.importBatch,
    frame: callFrame(METHODS.importBatch, { number: 1, batch: fail(new BaristaError('ERR_BUNDLE', 'gone')) }),
  },
  { name: 'shutdown', method: METHODS.shutdown, frame: callFrame(METHODS.shutdown, undefined) },
] as const;
