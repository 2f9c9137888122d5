import type { ClientId } from '../src/base/ids.js';
import { promised } from '../src/base/outcome.js';
import type { ReadReply, WriteReply, WriteRequest } from '../src/bayou/messages.js';
import type { KvOperation } from '../src/machine/kv.js';
import type { ReplicaConnection } from '../src/rpc/client.js';

/* The keys and values of every measurement: 16 bytes and 100 bytes. */

export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;

const IN_FLIGHT = 512;
const TIMEOUT_MS = 600_000;

export function keyOf(i: number): string {
  return `key-${String(i).padStart(KEY_BYTES - 4, '0')}`;
}

/** No two alike, so that nothing is won by storing them once. */
export function valueFor(i: number): Uint8Array {
  const value = new Uint8Array(VALUE_BYTES).fill(120);
  const view = new DataView(value.buffer);
  view.setFloat64(0, Math.sin(i));
  view.setFloat64(VALUE_BYTES - 8, Math.cos(i));
  return value;
}

let clientTime = 0;

/** A put under a client time that no other has. */
export function putRequest(client: string, key: string, value: Uint8Array): WriteRequest<KvOperation> {
  clientTime += 1;
  return { client: client as ClientId, clientTime, key, operation: { kind: 'put', value }, after: 0, needs: null };
}

export async function put(connection: ReplicaConnection, client: string, key: string, value: Uint8Array) {
  const request = putRequest(client, key, value);
  const reply = await promised<WriteReply>((done) => connection.write(request, TIMEOUT_MS, done));
  if (reply.kind !== 'accepted') throw new Error(`a put was answered with ${reply.kind}`);
  return reply.stamp;
}

export function get(connection: ReplicaConnection, key: string): Promise<ReadReply<Uint8Array>> {
  return promised((done) => connection.read({ key, needs: null }, TIMEOUT_MS, done));
}

/** Puts keys `from` to `from + count`, each once, many in flight. */
export function fill(connection: ReplicaConnection, client: string, from: number, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let next = from;
    let left = count;
    const more = (): void => {
      if (next >= from + count) return;
      const i = next++;
      connection.write(putRequest(client, keyOf(i), valueFor(i)), TIMEOUT_MS, (outcome) => {
        if (!outcome.ok) return reject(outcome.error);
        left -= 1;
        if (left === 0) resolve();
        else more();
      });
    };
    if (count === 0) resolve();
    for (let i = 0; i < IN_FLIGHT; i++) more();
  });
}
