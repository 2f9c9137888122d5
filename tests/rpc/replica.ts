import { onTestFinished } from 'vitest';
import type { Address } from '../../src/base/address.js';
import type { BaristaError } from '../../src/base/errors.js';
import type { ClientId } from '../../src/base/ids.js';
import { type Done, promised } from '../../src/base/outcome.js';
import type { ReadReply, WriteRequest } from '../../src/bayou/messages.js';
import type { KvOperation } from '../../src/machine/kv.js';
import { ReplicaConnection, type ReplicaConnectionOptions } from '../../src/rpc/client.js';
import { type Listener, type ListenOptions, listen } from '../../src/rpc/server.js';
import { memoryService } from './memory-service.js';

/** Long enough that a test which needs it has failed. */
export const PATIENCE_MS = 60_000;

/** A server that ends with the test. */
export async function startServer(options: Partial<ListenOptions> = {}): Promise<Listener> {
  const listener = await promised<Listener>((done) =>
    listen({ host: '127.0.0.1', port: 0, service: memoryService(), ...options }, done),
  );
  onTestFinished(() => promised<void>((done) => listener.close(done)));
  return listener;
}

/** A connection that ends with the test. */
export function connectTo(address: Address, options: Partial<ReplicaConnectionOptions> = {}): ReplicaConnection {
  const connection = new ReplicaConnection({ address, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

/** Waits for a call's reply, or throws its error. */
export function reply<T>(call: (timeoutMs: number, done: Done<T>) => void, timeoutMs = PATIENCE_MS): Promise<T> {
  return promised((done) => call(timeoutMs, done));
}

/** Waits for a call's error. */
export async function errorOf<T>(
  call: (timeoutMs: number, done: Done<T>) => void,
  timeoutMs = PATIENCE_MS,
): Promise<BaristaError> {
  return new Promise((resolve, reject) => {
    call(timeoutMs, (outcome) => (outcome.ok ? reject(new Error('the call succeeded')) : resolve(outcome.error)));
  });
}

export function putRequest(key: string, value: string | Uint8Array, clientTime = 1): WriteRequest<KvOperation> {
  const operation = {
    kind: 'put' as const,
    value: typeof value === 'string' ? new TextEncoder().encode(value) : value,
  };
  return { client: 'c1' as ClientId, clientTime, key, operation, after: 0, needs: null };
}

export function get(
  connection: ReplicaConnection,
  key: string,
  timeoutMs = PATIENCE_MS,
): Promise<ReadReply<Uint8Array>> {
  return promised((done) => connection.read({ key, needs: null }, timeoutMs, done));
}
