/** What both faces of the library give. */
export { BaristaError, type ErrorCode } from '../base/errors.js';
export type { ClientId } from '../base/ids.js';
export type { Concurrent, LossRule } from '../bayou/conflict-messages.js';
export type { Fate, NoEffect, WriteName } from '../bayou/fates.js';
export type { Stage } from '../bayou/history-messages.js';
export type { WriteState } from '../bayou/hold-messages.js';
export type { Guarantee } from '../bayou/session.js';
export type { AcceptStamp } from '../bayou/write.js';
export type { AnyProcedure, Conflict, MergeProcedure, ProcedureRegistry } from './procedures.js';
export type {
  AcceptedBatch,
  AcceptedWrite,
  Author,
  Batch,
  BatchPart,
  CallOptions,
  Change,
  Conflicts,
  ConflictsOptions,
  Found,
  History,
  HistoryOptions,
  Lasting,
  Loss,
  MergeOptions,
  Missing,
  OnMissing,
  Operation,
  PastBase,
  PastWrite,
  PutOptions,
  Read,
  ReadMany,
  RefusedBatch,
  RefusedWrite,
  Scan,
  ScanEntry,
  ScanOptions,
  Session,
  SessionOptions,
  Sessions,
  Stamp,
  StateOptions,
  Watch,
  WatchOptions,
  Write,
  WriteProgress,
} from './session.js';
export { millisecondsOf } from './stamp.js';
export { binary, type JsonValue, json, utf8, type ValueCodec } from './value-codec.js';
