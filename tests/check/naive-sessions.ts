import type { GuaranteeName, ReadEvent, Stamp, WriteEvent } from '../../src/check/history.js';
import type { CheckName } from '../../src/check/report.js';
import { acknowledged, covers, type NaiveFacts, type NaiveOperation, same } from './naive-facts.js';

type Step = WriteEvent | ReadEvent;

/** The session guarantees as their definitions say them. */
export function naiveSessions(facts: NaiveFacts): readonly (readonly [CheckName, boolean])[] {
  const asking = (...all: readonly GuaranteeName[]): string[] =>
    facts.clients.filter((client) => all.every((guarantee) => facts.guarantees(client).includes(guarantee)));
  const ryw = asking('read-your-writes').flatMap((client) => ownWrites(facts, client));
  const reads = asking('monotonic-reads').flatMap((client) => earlierReads(facts, client));
  const follow = asking('writes-follow-reads').flatMap((client) => knownBefore(facts, client, 'read'));
  const writes = asking('monotonic-writes').flatMap((client) => knownBefore(facts, client, 'write'));
  const four = asking('read-your-writes', 'monotonic-reads', 'writes-follow-reads', 'monotonic-writes');
  return [
    ['read-your-writes', ryw.some(({ isOld }) => isOld)],
    ['read-your-writes-set', ryw.some(({ isUnclaimed }) => isUnclaimed)],
    ['monotonic-reads', reads.some(({ isOld }) => isOld)],
    ['monotonic-reads-set', reads.some(({ isUnclaimed }) => isUnclaimed)],
    ['writes-follow-reads', follow.some((pair) => isOutOfOrder(facts, pair))],
    ['writes-follow-reads-set', follow.some((pair) => isApart(facts, pair))],
    ['monotonic-writes', writes.some((pair) => isOutOfOrder(facts, pair))],
    ['monotonic-writes-set', writes.some((pair) => isApart(facts, pair))],
    ['causal', isCausalBroken(facts, four)],
  ];
}

interface Judged {
  readonly isOld: boolean;
  readonly isUnclaimed: boolean;
}

/** Each read against the session's last write of the key before it. */
function ownWrites(facts: NaiveFacts, client: string): Judged[] {
  const steps = facts.steps(client);
  return steps.flatMap((read, at) => {
    if (read.type !== 'read') return [];
    const before = facts.before(client, at);
    const wrote = before.filter((step) => isAccepted(step) && step.key === read.key) as WriteEvent[];
    const newest = Math.max(...wrote.map(({ clientTime }) => clientTime));
    const last = wrote.findLast(({ clientTime }) => clientTime === newest);
    if (last === undefined) return [];
    const own = facts.operationOf(last);
    const isRead = before
      .slice(before.indexOf(last))
      .some((step) => step.type === 'read' && step.key === read.key && step.stamp !== undefined);
    const isReplaced = isRead && facts.guarantees(client).includes('monotonic-reads');
    const { seen } = read;
    const isUnclaimed = seen !== undefined && !isReplaced && !own.stamps.some((stamp) => covers(seen, stamp));
    return [{ isOld: isOlder(facts, read, own), isUnclaimed }];
  });
}

/** Each read against what the session had read of the key before it. */
function earlierReads(facts: NaiveFacts, client: string): Judged[] {
  const steps = facts.steps(client);
  return steps.flatMap((read, at) => {
    if (read.type !== 'read') return [];
    const before = facts.before(client, at);
    const found = before.filter((step) => step.type === 'read' && step.key === read.key && step.stamp !== undefined);
    const last = found.at(-1);
    if (last === undefined) return [];
    // What was older than what it had seen already is held against the read that returned it, and not counted again.
    const top = found.reduce<Stamp | null>((so, { stamp }) => {
      return so === null || (stamp !== undefined && !facts.isBeforeStamp(stamp, so)) ? (stamp ?? so) : so;
    }, null) as Stamp;
    const { seen, stamp } = read;
    const isOld =
      stamp === undefined ? !facts.mayStampBeDeleted(top, read.end ?? read.begin) : facts.isBeforeStamp(stamp, top);
    const isWritten = before.slice(before.indexOf(last)).some((step) => isNewest(facts, client, step, read.key));
    const isReplaced = isWritten && facts.guarantees(client).includes('read-your-writes');
    if (seen === undefined || isReplaced || facts.possibleAt(top).length > 0) return [{ isOld, isUnclaimed: false }];
    const stamps = facts.operationAt(top)?.stamps ?? [top];
    return [{ isOld, isUnclaimed: !stamps.some((it) => covers(seen, it)) }];
  });
}

/** True if the step is an accepted write of the key, and the session had none with a later client time before. */
function isNewest(facts: NaiveFacts, client: string, step: Step, key: string): boolean {
  if (!isAccepted(step) || step.key !== key) return false;
  const steps = facts.steps(client);
  return !steps
    .slice(0, steps.indexOf(step))
    .some((other) => isAccepted(other) && other.key === key && other.clientTime > step.clientTime);
}

interface Pair {
  /** Stamps under which replicas accepted a write from its client, and what its session knew before. */
  readonly write: Stamp;
  readonly known: readonly Stamp[];
}

function knownBefore(facts: NaiveFacts, client: string, type: 'read' | 'write'): Pair[] {
  const steps = facts.steps(client);
  return steps.flatMap((step, at) => {
    if (step.type !== 'write') return [];
    const operation = facts.operationOf(step);
    if (operation.first !== step) return [];
    const known = facts
      .before(client, at)
      .flatMap((it) => (it.type === type && it.stamp !== undefined ? [it.stamp] : []));
    const told = acknowledged(operation)?.stamp;
    return operation.stamps
      .filter((stamp) => {
        const resubmitted = facts.resubmitted(stamp);
        return resubmitted === false || (resubmitted === null && told !== undefined && same(told, stamp));
      })
      .map((write) => ({ write, known }));
  });
}

function isOutOfOrder(facts: NaiveFacts, { write, known }: Pair): boolean {
  return known.some((stamp) => facts.order(stamp, write) >= 0);
}

function isApart({ states }: NaiveFacts, { write, known }: Pair): boolean {
  return states.some(({ seen }) => covers(seen, write) && known.some((stamp) => !covers(seen, stamp)));
}

function isCausalBroken(facts: NaiveFacts, clients: readonly string[]): boolean {
  /** All operations in the past of the session's steps before `at`. */
  const pasts = new Map<string, Set<NaiveOperation>>();
  const past = (client: string, at: number): Set<NaiveOperation> => {
    const name = `${client} ${at}`;
    const all = pasts.get(name) ?? new Set<NaiveOperation>();
    if (pasts.has(name)) return all;
    pasts.set(name, all);
    for (const step of facts.before(client, at)) {
      const stamp = step.type === 'read' ? step.stamp : undefined;
      const operation = step.type === 'write' ? facts.operationOf(step) : stamp && facts.operationAt(stamp);
      if (operation == null || operation.first === null || !clients.includes(operation.client)) continue;
      all.add(operation);
      if (step.type === 'write') continue;
      const sentAt = facts.steps(operation.client).indexOf(operation.first);
      for (const it of past(operation.client, sentAt)) all.add(it);
    }
    return all;
  };
  return clients.some((client) =>
    facts.steps(client).some((read, at) => {
      if (read.type !== 'read') return false;
      const known = [...past(client, facts.before(client, at).length)];
      return clients.some((writer) => {
        const upTo = Math.max(...known.filter((it) => it.client === writer).map(({ clientTime }) => clientTime));
        const its = facts.operations.filter(
          (it) => it.client === writer && it.key === read.key && it.clientTime <= upTo && acknowledged(it) !== null,
        );
        const last = its.sort((a, b) => a.clientTime - b.clientTime).at(-1);
        return last !== undefined && isOlder(facts, read, last);
      });
    }),
  );
}

function isOlder(facts: NaiveFacts, read: ReadEvent, write: NaiveOperation): boolean {
  if (read.stamp !== undefined) return facts.isBefore(read.stamp, write);
  return write.value !== null && !facts.mayBeDeleted(write, read.end ?? read.begin);
}

function isAccepted(step: Step): step is WriteEvent {
  return step.type === 'write' && step.outcome === 'accepted';
}
