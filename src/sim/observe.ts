import { incarnationOf, type Origin, replicaIdOf } from '../base/ids.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { AcceptStamp, Write } from '../bayou/write.js';
import type { LoggedWrite, Stamp, StateEvent, Vector } from '../check/history.js';
import type { KvOperation } from '../machine/kv.js';
import type { Machine } from './machine.js';

/* What replicas show, as a history has it. */

/** The parts of origins that were asked for before. */
const PARTS = new Map<Origin, readonly [id: string, incarnation: number]>();

export function stampOf({ origin, acceptTime }: AcceptStamp): Stamp {
  let parts = PARTS.get(origin);
  if (parts === undefined) {
    parts = [replicaIdOf(origin), incarnationOf(origin)];
    PARTS.set(origin, parts);
  }
  return [acceptTime, parts[0], parts[1]];
}

export function vectorOf(vector: VersionVector): Vector {
  const stamps: Stamp[] = [];
  for (const [origin, acceptTime] of vector.entries()) stamps.push(stampOf({ origin, acceptTime }));
  return stamps;
}

/**
 * All that the machine's replica shows. Null if it does not run, or takes over what it missed, so that its claims have gaps;
 * or if a crash could take some of it back.
 */
export function stateOf(machine: Machine, at: number, final: boolean): StateEvent | null {
  const { replica } = machine;
  if (replica === null || replica.isBehind || !machine.isSettled) return null;
  const store = Array.from(replica.entries(null), ({ key, value }) => {
    const reply = replica.read({ key, needs: null });
    const stamp: Stamp = reply.kind === 'found' ? stampOf(reply.stamp) : [0, '', 0];
    return [key, textOf(value), stamp] as const;
  });
  return {
    type: 'state',
    at,
    replica: machine.id,
    incarnation: machine.incarnation,
    seen: vectorOf(replica.seen()),
    received: replica.received.map(vectorOf),
    base: replica.base,
    stable: replica.stable,
    log: Array.from(replica.log(null), loggedOf),
    store,
    final,
  };
}

function loggedOf(write: Write<KvOperation>): LoggedWrite {
  const { client, clientTime, key, operation } = write;
  const value = operation.kind === 'put' ? textOf(operation.value) : null;
  const logged = { stamp: stampOf(write), client, clientTime, key, value };
  return write.resubmitted === true ? { ...logged, resubmitted: true } : logged;
}

/** The bytes of a text in UTF-8. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 127) return bytesOfAny(text);
    bytes[i] = unit;
  }
  return bytes;
}

function bytesOfAny(text: string): Uint8Array {
  const escaped = encodeURIComponent(text).match(/%[0-9A-F]{2}|[^%]/g) ?? [];
  return Uint8Array.from(escaped, (byte) =>
    byte.length === 3 ? Number.parseInt(byte.slice(1), 16) : byte.charCodeAt(0),
  );
}

export function textOf(bytes: Uint8Array): string {
  let text = '';
  let isPlain = true;
  for (const byte of bytes) {
    if (byte > 127) isPlain = false;
    text += String.fromCharCode(byte);
  }
  if (isPlain) return text;
  return decodeURIComponent(Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''));
}
