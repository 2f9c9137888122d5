/** `import { openReplica } from 'barista'`: a replica in the process of the program that uses it. */
export type { Address } from '../base/address.js';
export type { Origin, ReplicaId } from '../base/ids.js';
export type { Log, LogFields } from '../base/log.js';
export type { LinkStatus, Progress, Status } from '../bayou/admin-messages.js';
export type { ClockKind, ClusterTerms, Drift } from '../bayou/messages.js';
export type { VersionVector } from '../bayou/version-vector.js';
export type { TieBreak } from '../bayou/write.js';
export * from '../bundle/exports.js';
export * from '../session/exports.js';
export { type EmbeddedReplica, type OpenOptions, openReplica } from './embedded.js';
