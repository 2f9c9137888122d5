/** `import { openReplica } from 'barista'`: a replica in the process of the program that uses it. */
export type { Address } from '../base/address.js';
export type { Log, LogFields } from '../base/log.js';
export type { LinkStatus, Status } from '../bayou/admin-messages.js';
export * from '../session/exports.js';
export { type EmbeddedReplica, type OpenOptions, openReplica } from './embedded.js';
