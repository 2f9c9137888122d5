import { assert } from '../base/assert.js';
import { incarnationOf, type Origin, replicaIdOf } from '../base/ids.js';
import { textOf } from '../base/text.js';
import type { VersionVector } from '../bayou/version-vector.js';
import type { AcceptStamp, Write } from '../bayou/write.js';
import type { LoggedWrite, Stamp, StateEvent, Vector, WriteEvent } from '../check/history.js';
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
  const store = Array.from(replica.entries(null, at), ({ key, value }) => {
    const reply = replica.read({ key, needs: null }, at);
    const stamp: Stamp = reply.kind === 'found' ? stampOf(reply.stamp) : [0, '', 0];
    return [key, shownOf(value), stamp] as const;
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
  const { client, clientTime, key, operation, resubmitted, part } = write;
  const logged = { stamp: stampOf(write), client, clientTime, key, ...whatOf(operation) };
  if (resubmitted !== true && part !== true) return logged;
  return { ...logged, ...(resubmitted === true ? { resubmitted } : {}), ...(part === true ? { part } : {}) };
}

type Carried = Pick<WriteEvent, 'value' | 'change'>;

/** What a client's write does, as a history has it. */
export function carriedBy(operation: KvOperation): Carried {
  const { value, change } = whatOf(operation);
  assert(change !== 'total', 'no client sends a total');
  return change === undefined ? { value } : { value, change };
}

function whatOf(operation: KvOperation): Pick<LoggedWrite, 'value' | 'change'> {
  switch (operation.kind) {
    case 'put':
      return { value: shownOf(operation.value) };
    case 'delete':
      return { value: null };
    case 'increment':
      return { value: String(operation.by), change: 'increment' };
    case 'append':
      return { value: shownOf(operation.bytes), change: 'append' };
    case 'setAdd':
    case 'setRemove':
      return { value: operation.member, change: operation.kind };
    case 'merge': {
      const { procedure, value, expects } = operation;
      const carried = { procedure, value: shownOf(value) };
      if (expects === null) return { value: JSON.stringify(carried), change: 'merge' };
      const expected = expects === 'absent' ? null : shownOf(expects);
      return { value: JSON.stringify({ ...carried, expects: expected }), change: 'merge' };
    }
    default:
      return { value: shownOf(operation.value), change: operation.kind };
  }
}

/** A value as a history has it: clients of a simulation write nothing that is not text. */
export function shownOf(value: Uint8Array): string {
  const text = textOf(value);
  assert(text !== null, 'values of a simulation are text');
  return text;
}
