import { BaristaError } from '../../src/base/errors.js';
import type { MethodName } from './values.js';

export type ServiceName = 'client' | 'replication' | 'admin';

/**
 * What the server does about it: answers the call with a code and serves on; says a code and ends the connection; answers
 * as it would any call that changes nothing; or says nothing and serves on.
 */
export type Expected =
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'last word'; readonly code: string }
  | { readonly kind: 'answered'; readonly value?: unknown }
  | { readonly kind: 'unanswered' };

/** Bytes that no client, peer or operator should send, and what becomes of them. */
export interface BadInput {
  readonly name: string;
  readonly service: ServiceName;
  /** Whose reply the answer is read as. */
  readonly method: MethodName;
  readonly bytes: () => Uint8Array;
  readonly expected: Expected;
}

export function refusedWith(code: string): Expected {
  return { kind: 'refused', code: knownCode(code) };
}

export function endedWith(code: string): Expected {
  return { kind: 'last word', code: knownCode(code) };
}

export function answered(value?: unknown): Expected {
  return value === undefined ? { kind: 'answered' } : { kind: 'answered', value };
}

export const UNANSWERED: Expected = { kind: 'unanswered' };

const SERVICES: Readonly<Record<MethodName, ServiceName>> = {
  put: 'client',
  remove: 'client',
  write: 'client',
  batch: 'client',
  get: 'client',
  getMany: 'client',
  scan: 'client',
  holds: 'client',
  writeState: 'client',
  watch: 'client',
  history: 'client',
  conflicts: 'client',
  pull: 'replication',
  news: 'replication',
  status: 'admin',
  link: 'admin',
  unlink: 'admin',
  stabilize: 'admin',
  store: 'admin',
  log: 'admin',
  retire: 'admin',
  exportBatch: 'admin',
  beginImport: 'admin',
  importBatch: 'admin',
  shutdown: 'admin',
};

export function badInput(method: MethodName, name: string, bytes: () => Uint8Array, expected: Expected): BadInput {
  return { name: `${method}: ${name}`, service: SERVICES[method], method, bytes, expected };
}

/** Only codes that docs/ERRORS.md has, which is held to the catalogue. */
function knownCode(code: string): string {
  if (new BaristaError(code as never, '').advice === undefined) throw new Error(`${code} is no code`);
  return code;
}
