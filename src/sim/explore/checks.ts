import { VersionVector } from '../../bayou/version-vector.js';
import { type AcceptStamp, nameStamp } from '../../bayou/write.js';
import { type Accepted, effectiveStamp, type Ledger, lastEffective, order } from './ledger.js';
import type { Facts } from './live-replica.js';

/** What is wrong with a replica's state, all that was ever accepted being known; null if nothing is. */
export function checkReplica(facts: Facts, ledger: Ledger, keys: readonly string[], yields: boolean): string | null {
  return checkClaims(facts, ledger) ?? checkStore(facts, ledger, keys, yields);
}

/**
 * Its vector claims only what was given, all that it gave itself, and nothing that is absent while what replaced it is
 * absent too: of each write it covers, the write itself is in the log, or folded, or a later write of its client on its
 * key stands behind it and is covered too. What is in the log was given.
 */
function checkClaims({ origin: self, seen, log, base }: Facts, ledger: Ledger): string | null {
  const highest = new VersionVector();
  for (const { origin, acceptTime } of ledger) highest.raise(origin, acceptTime);
  for (const [origin, time] of seen.entries()) {
    if (time > highest.get(origin)) return `${self} claims ${time}@${origin}, which was never given`;
  }
  if (highest.get(self) > seen.get(self)) return `${self} lost its own ${highest.get(self)}@${self}`;
  for (const held of log) {
    if (!ledger.some((write) => isSame(write, held))) return `${self} holds ${nameStamp(held)}, which was never given`;
  }
  for (const write of ledger) {
    if (!seen.covers(write.origin, write.acceptTime)) continue;
    if (!seen.dominates(write.needs))
      return `${self} claims ${nameStamp(write)}, but not all of ${write.needs} before it`;
    if (write.acceptTime <= base) continue;
    const stands = log.some(
      (held) =>
        isSame(write, held) ||
        (held.client === write.client &&
          held.key === write.key &&
          held.clientTime > write.clientTime &&
          order(held, write) > 0 &&
          seen.covers(held.origin, held.acceptTime)),
    );
    if (!stands) return `${self} claims ${nameStamp(write)}, and holds neither it nor what replaced it`;
  }
  return null;
}

/** Each key shows what the fold of all that is claimed or held comes to, as if nothing had ever been pruned or folded. */
function checkStore(facts: Facts, ledger: Ledger, keys: readonly string[], yields: boolean): string | null {
  const writes = ledger.filter((write) => isIntegrated(facts, write));
  for (const key of keys) {
    const expected = lastEffective(writes, key, yields);
    const wanted = expected === null || expected.isDelete ? 'nothing' : nameStamp(expected);
    const shown = facts.shown.get(key) ?? null;
    const got = shown === null ? 'nothing' : nameStamp(shown);
    if (got !== wanted) return `${facts.origin} shows ${got} of ${key}, and the fold of its writes is ${wanted}`;
  }
  return null;
}

/**
 * A replica answered a client that had seen, or written, `last`: with the value that `shown` wrote, or none. That is right
 * if the replica holds all of that, and shows nothing older. An operation with several stamps stands at the lowest.
 */
export function checkAnswer(
  facts: Facts,
  ledger: Ledger,
  key: string,
  last: AcceptStamp,
  shown: AcceptStamp | null,
  yields: boolean,
): string | null {
  const client = `${facts.origin} answered a client that had seen ${nameStamp(last)} of ${key}`;
  if (!facts.seen.covers(last.origin, last.acceptTime)) return `${client}, and does not claim it`;
  const floor = effectiveStamp(ledger, last);
  if (shown !== null) return order(shown, floor) < 0 ? `${client} with ${nameStamp(shown)}` : null;
  const integrated = ledger.filter((write) => isIntegrated(facts, write));
  const winner = lastEffective(integrated, key, yields);
  return winner === null || !winner.isDelete || order(winner, floor) < 0 ? `${client} that it is absent` : null;
}

/** What replicas whose vectors are equal, and all there is, must agree on. */
export function checkAgreement(replicas: readonly Facts[], ledger: Ledger, yields: boolean): string | null {
  const [first] = replicas;
  if (first === undefined) return null;
  for (const other of replicas) {
    if (!other.seen.equals(first.seen))
      return `${first.origin} claims ${first.seen}, and ${other.origin} ${other.seen}`;
  }
  const lost = ledger.find(({ origin, acceptTime }) => !first.seen.covers(origin, acceptTime));
  if (lost !== undefined) return `nobody claims ${nameStamp(lost)}`;
  for (const key of first.shown.keys()) {
    const winner = lastEffective(ledger, key, yields);
    const wanted = winner === null || winner.isDelete ? 'nothing' : nameStamp(winner);
    for (const { origin, shown } of replicas) {
      const stamp = shown.get(key) ?? null;
      const got = stamp === null ? 'nothing' : nameStamp(stamp);
      if (got !== wanted) return `when all have heard from all, ${origin} shows ${got} of ${key}, not ${wanted}`;
    }
  }
  return null;
}

function isIntegrated({ seen, log }: Facts, write: Accepted): boolean {
  return seen.covers(write.origin, write.acceptTime) || log.some((held) => order(held, write) === 0);
}

function isSame(
  write: Accepted,
  held: AcceptStamp & { readonly client: string; readonly clientTime: number },
): boolean {
  return order(write, held) === 0 && write.client === held.client && write.clientTime === held.clientTime;
}
