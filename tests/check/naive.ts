import type { History, LoggedWrite, ReadEvent, Stamp, StateEvent, Vector } from '../../src/check/history.js';
import type { CheckName } from '../../src/check/report.js';
import {
  acknowledged,
  covers,
  isOneWhole,
  isRepeated,
  isSameName,
  isSameStamp,
  mayBeThere,
  NaiveFacts,
  type NaiveOperation,
  type Sighting,
  same,
  timeOf,
} from './naive-facts.js';
import { naiveSessions } from './naive-sessions.js';

/** Each check as its definition says it, going through all there is; true: the history breaks it. */
export function checkNaively(history: History): ReadonlyMap<CheckName, boolean> {
  const facts = new NaiveFacts(history);
  const shown = naiveShown(facts);
  return new Map<CheckName, boolean>([
    ['operations', naiveOperations(facts)],
    ['stamps', naiveStamps(facts)],
    ['order', naiveOrder(facts)],
    ['vectors', naiveVectors(facts)],
    ['prefix', naivePrefix(facts)],
    ['store', naiveStore(facts)],
    ['oracle', shown.some(({ value }) => value !== null)],
    ['at-most-once', naiveAtMostOnce(facts)],
    ['deletes', shown.some(({ value }) => value === null) || naiveTombstones(facts)],
    ['durability', naiveDurability(facts)],
    ['convergence', naiveConvergence(facts)],
    ...naiveSessions(facts),
    ['atomicity', naiveAtomicity(facts)],
  ]);
}

/** Names, answers and sightings that cannot all be true. */
function naiveOperations({ events, writes, reads, operations, sightings }: NaiveFacts): boolean {
  const named = [...writes, ...events.flatMap((event) => (event.type === 'state' ? event.log : []))];
  const isDouble = named.some((a) =>
    named.some((b) => isSameName(a, b) && (a.key !== b.key || a.value !== b.value || a.part !== b.part)),
  );
  const isUnasked = operations.some((it) => it.tries.length === 0 || (!mayBeThere(it) && it.stamps.length > 0));
  const isUnwritten = sightings.some(
    ({ stamp, key, value }) =>
      !operations.some((it) => it.stamps.some((other) => same(other, stamp))) &&
      !operations.some((it) => it.key === key && it.value === value && mayBeThere(it)),
  );
  const isEarly = reads.some(({ stamp, end }) => {
    const read = operations.find(({ stamps }) => stamp !== undefined && stamps.some((other) => same(other, stamp)));
    return end !== null && read !== undefined && (read.first?.begin ?? Number.NEGATIVE_INFINITY) > end;
  });
  const done = events.filter((event) => event.type === 'write' || event.type === 'read');
  const isOverlapping = done.some((a, at) =>
    done.slice(at + 1).some((b) => {
      const own = done.filter(({ client }) => client === b.client);
      const isContinued = isOneWhole(own[own.indexOf(b) - 1], b);
      return a.client === b.client && b.begin < (a.end ?? a.begin) && !isContinued;
    }),
  );
  const isBack = writes.some((a, at) =>
    writes.some(
      (b, later) =>
        later > at &&
        a.client === b.client &&
        a.clientTime > b.clientTime &&
        !writes.slice(0, later).some((c) => c.client === b.client && c.clientTime === b.clientTime),
    ),
  );
  return isDouble || isUnasked || isUnwritten || isEarly || isOverlapping || isBack;
}

function naiveStamps(facts: NaiveFacts): boolean {
  const { sightings } = facts;
  return sightings.some((a) =>
    sightings.some((b) => {
      if (isSameStamp(a.stamp, b.stamp) && a.key !== b.key) return !mayBeOneBatch(facts, a, b);
      if (!same(a.stamp, b.stamp)) return false;
      if (a.key !== b.key || a.value !== b.value) return true;
      if (a.client === undefined || b.client === undefined) return false;
      return a.client !== b.client || a.clientTime !== b.clientTime;
    }),
  );
}

/** Unless one is known to be of another write than the other. */
function mayBeOneBatch(facts: NaiveFacts, a: Sighting, b: Sighting): boolean {
  const [one, other] = [nameOf(facts, a), nameOf(facts, b)];
  if (one === null || other === null) return (one ?? other)?.part === true || one === other;
  return areParts(one, other);
}

function nameOf(facts: NaiveFacts, { client, clientTime, part, stamp }: Sighting): Named | null {
  if (client !== undefined && clientTime !== undefined) return { client, clientTime, part };
  return facts.operationAt(stamp);
}

type Named = Pick<NaiveOperation, 'client' | 'clientTime' | 'part'>;

function areParts(a: Named, b: Named): boolean {
  return a.part === true && b.part === true && a.client === b.client && a.clientTime === b.clientTime;
}

function naiveOrder(facts: NaiveFacts): boolean {
  const isWrong = facts.operations.some((operation) => {
    const after = facts.after(operation);
    return (
      after !== null &&
      operation.stamps.some((stamp) => facts.resubmitted(stamp) !== true && facts.order(after, stamp) >= 0)
    );
  });
  const isUnsorted = ({ log }: StateEvent): boolean =>
    log.some((write, at) => {
      const before = log[at - 1];
      if (before === undefined || facts.order(before.stamp, write.stamp) < 0) return false;
      const [one, other] = [facts.operationAt(before.stamp), facts.operationAt(write.stamp)];
      const isSame = isSameStamp(before.stamp, write.stamp) && before.key !== write.key;
      return !(isSame && one !== null && other !== null && areParts(one, other));
    });
  return isWrong || facts.states.some(isUnsorted);
}

function naiveVectors(facts: NaiveFacts): boolean {
  const { states, operations, reads } = facts;
  const isBelow = (seen: Vector, before: Vector): boolean =>
    before.some((stamp) => stamp[0] > 0 && !covers(seen, stamp));
  const ofReplica = (replica: string): StateEvent[] =>
    states.filter((state) => state.replica === replica).sort((a, b) => a.at - b.at);
  const isStateWrong = states.some((state) => {
    const { replica, incarnation, at, seen } = state;
    const all = ofReplica(replica);
    const before = all[all.indexOf(state) - 1];
    const isBack =
      before?.incarnation === incarnation &&
      !facts.isLost(replica, incarnation, before.at, at) &&
      isBelow(seen, before.seen);
    const isForgotten = operations.some((operation) => {
      const told = acknowledged(operation);
      if (told === null || told.at >= at || told.stamp[1] !== replica || told.stamp[2] !== incarnation) return false;
      return !covers(seen, told.stamp) && !facts.isLost(replica, incarnation, Number.NEGATIVE_INFINITY, at);
    });
    return isBack || isForgotten;
  });
  const isReadWrong = reads.some(({ seen, replica, begin, end }) => {
    if (seen === undefined || replica === null) return false;
    const all = ofReplica(replica);
    const before = all.findLast(({ at }) => at < begin);
    const after = all.find(({ at }) => at >= begin);
    if (before === undefined || after === undefined || before.incarnation !== after.incarnation) return false;
    if (after.at < (end ?? begin) || facts.isLost(replica, before.incarnation, before.at, after.at)) return false;
    return isBelow(seen, before.seen);
  });
  return isStateWrong || isReadWrong;
}

function naivePrefix(facts: NaiveFacts): boolean {
  const { states, operations, header } = facts;
  const holds = (state: StateEvent, stamp: Stamp, operation: NaiveOperation): boolean => {
    if (facts.isDeparted(stamp) || stamp[0] <= state.base) return true;
    if (state.log.some((write) => same(write.stamp, stamp))) return true;
    const isReplaced = state.log.some(
      (write) =>
        write.key === operation.key &&
        write.client === operation.client &&
        (write.clientTime > operation.clientTime ||
          (write.clientTime === operation.clientTime && facts.resubmitted(write.stamp) === true)) &&
        facts.order(stamp, write.stamp) < 0,
    );
    if (isReplaced) return true;
    const told = acknowledged(operation);
    const isSure = told !== null && same(told.stamp, stamp) && !isRepeated(operation);
    return state.base > 0 && stamp[0] - header.retryWindow < state.base && !isSure;
  };
  return states.some((state, at) => {
    const before = states
      .slice(0, at)
      .findLast(({ replica, incarnation }) => replica === state.replica && incarnation === state.incarnation);
    const isOwnMissing = state.log.some(
      ({ stamp }) => stamp[1] === state.replica && stamp[2] === state.incarnation && !covers(state.seen, stamp),
    );
    const isMissing = operations.some((operation) =>
      operation.stamps.some((stamp) => {
        if (!covers(state.seen, stamp)) return false;
        const isNew = before === undefined || !covers(before.seen, stamp);
        const hasLeft = before?.log.some((write) => same(write.stamp, stamp)) === true;
        return (isNew || hasLeft) && !holds(state, stamp, operation);
      }),
    );
    return isOwnMissing || isMissing;
  });
}

function naiveStore(facts: NaiveFacts): boolean {
  const { retryWindow } = facts.header;
  const mayYield = (later: LoggedWrite, earlier: LoggedWrite): boolean => {
    if (later.client !== earlier.client || later.stamp[0] - earlier.stamp[0] >= retryWindow) return false;
    if (later.clientTime === earlier.clientTime) return facts.resubmitted(later.stamp) !== true;
    return earlier.clientTime > later.clientTime;
  };
  return facts.states.some(({ log, store }) =>
    log.some(({ key }) => {
      const writes = log.filter((write) => write.key === key);
      const before = (write: LoggedWrite): LoggedWrite[] => writes.slice(0, writes.indexOf(write));
      const isSure = (write: LoggedWrite): boolean => !before(write).some((earlier) => mayYield(write, earlier));
      const isIdle = (write: LoggedWrite): boolean =>
        before(write).some((earlier) => mayYield(write, earlier) && isSure(earlier));
      const last = writes.findLastIndex(isSure);
      const possible = writes.filter((write, at) => at === last || (at > last && !isIdle(write)));
      const entry = store.find(([name]) => name === key);
      return !possible.some(({ value, stamp }) =>
        value === null ? entry === undefined : entry !== undefined && same(entry[2], stamp),
      );
    }),
  );
}

interface Shown {
  readonly key: string;
  readonly stamp: Stamp | null;
  readonly seen: Vector;
  readonly at: number;
}

/** The operations that something shown is wrong about. */
function naiveShown(facts: NaiveFacts): NaiveOperation[] {
  const { states, reads, operations } = facts;
  const keys = [...new Set([...operations.map(({ key }) => key), ...facts.sightings.map(({ key }) => key)])];
  const shown: Shown[] = [
    ...states.flatMap(({ store, seen, at }) =>
      keys.map((key) => ({ key, stamp: store.find(([name]) => name === key)?.[2] ?? null, seen, at })),
    ),
    ...reads.flatMap(({ key, stamp, seen, begin, end }) =>
      seen === undefined ? [] : [{ key, stamp: stamp ?? null, seen, at: end ?? begin }],
    ),
  ];
  const isSure = (operation: NaiveOperation): boolean =>
    acknowledged(operation) !== null ||
    !operations.some(
      (other) =>
        other.client === operation.client &&
        other.key === operation.key &&
        other.clientTime > operation.clientTime &&
        mayBeThere(other),
    );
  return shown.flatMap(({ key, stamp, seen, at }) => {
    const onKey = operations.filter((operation) => operation.key === key && isSure(operation));
    if (stamp !== null) {
      return onKey.filter(
        (operation) =>
          operation.stamps.some((other) => covers(seen, other) && facts.order(other, stamp) > 0) &&
          facts.isBefore(stamp, operation) &&
          !(operation.value === null && operation.stamps.some((other) => facts.isDeparted(other))),
      );
    }
    const claimed = facts.sightings.filter((it) => it.key === key && covers(seen, it.stamp)).map((it) => it.stamp);
    const last = claimed.filter((a) => !claimed.some((b) => b[1] === a[1] && b[2] === a[2] && b[0] > a[0]));
    return onKey.filter(
      (operation) =>
        operation.value !== null &&
        operation.stamps.some((other) => last.some((it) => same(it, other))) &&
        !facts.mayBeDeleted(operation, at),
    );
  });
}

function naiveTombstones({ states, header }: NaiveFacts): boolean {
  return states.some(
    ({ final, stable, log }) =>
      final &&
      stable > 0 &&
      log.some(({ value, stamp }) => value === null && stamp[0] <= stable - 3 * header.retryWindow),
  );
}

function naiveAtMostOnce(facts: NaiveFacts): boolean {
  const isTwice = (stamp: Stamp, seen: Vector): boolean => {
    const operation = facts.operationAt(stamp);
    if (operation === null || facts.resubmitted(stamp) !== false) return false;
    const first = operation.stamps.filter(
      (other) => other[0] < stamp[0] && stamp[0] - other[0] < facts.header.retryWindow && covers(seen, other),
    );
    const isOvertaken = (at: Stamp): boolean =>
      facts.operations.some(
        ({ client, key, clientTime, stamps }) =>
          client === operation.client &&
          key === operation.key &&
          clientTime > operation.clientTime &&
          stamps.some((other) => facts.order(other, at) < 0),
      );
    return first.some((at) => !isOvertaken(at));
  };
  return (
    facts.states.some(({ store, seen }) => store.some(([, , stamp]) => isTwice(stamp, seen))) ||
    facts.reads.some(({ stamp, seen }) => stamp !== undefined && seen !== undefined && isTwice(stamp, seen))
  );
}

function naiveDurability(facts: NaiveFacts): boolean {
  const { states, operations } = facts;
  const finals = states.filter(({ final }) => final);
  const isLeft = (replica: string, incarnation: number, since: number): boolean =>
    finals.some((state) => state.replica === replica && state.incarnation === incarnation) &&
    !facts.isLost(replica, incarnation, since, Number.POSITIVE_INFINITY);
  const mayBeGone = (operation: NaiveOperation, stamp: Stamp, at: number, final: StateEvent): boolean => {
    const [, replica, incarnation] = stamp;
    const isHeld = states.some(
      (state) =>
        (state.replica !== replica || state.incarnation !== incarnation) &&
        covers(state.seen, stamp) &&
        isLeft(state.replica, state.incarnation, state.at),
    );
    if (isHeld || isLeft(replica, incarnation, at)) return false;
    if (!facts.isDeparted(stamp) || facts.isLost(replica, incarnation, at, Number.POSITIVE_INFINITY)) return true;
    const shown = final.store.find(([key]) => key === operation.key);
    if (shown === undefined) return operation.value === null || facts.mayBeDeleted(operation, final.at);
    return !facts.isBefore(shown[2], operation);
  };
  const isThere = ({ stamps }: NaiveOperation, { seen, log }: StateEvent): boolean =>
    stamps.some((stamp) => covers(seen, stamp) || log.some((write) => same(write.stamp, stamp)));
  return finals.some((final) =>
    operations.some((operation) => {
      const told = acknowledged(operation);
      if (told === null || told.at >= final.at) return false;
      const { client, key, clientTime } = operation;
      const isHere = operations.some(
        (it) => it.client === client && it.key === key && it.clientTime >= clientTime && isThere(it, final),
      );
      return !isHere && !mayBeGone(operation, told.stamp, told.at, final);
    }),
  );
}

function naiveConvergence({ states }: NaiveFacts): boolean {
  const isAtLeast = (a: Vector, b: Vector): boolean => b.every((stamp) => timeOf(a, stamp) >= stamp[0]);
  const isEqual = (a: Vector, b: Vector): boolean => isAtLeast(a, b) && isAtLeast(b, a);
  const isExact = ({ log, store, seen }: StateEvent): boolean =>
    [...log.map(({ stamp }) => stamp), ...store.map(([, , stamp]) => stamp)].every((stamp) => covers(seen, stamp));
  return states.some((a) =>
    states.some((b) => {
      if (a.final && b.final && !isEqual(a.seen, b.seen)) return true;
      if (!isExact(a) || !isExact(b) || !isEqual(a.seen, b.seen)) return false;
      return JSON.stringify(a.store) !== JSON.stringify(b.store);
    }),
  );
}

/** A read of several keys that shows a part of a batch, and beside it, of another key of that, what stands before the batch. */
function naiveAtomicity(facts: NaiveFacts): boolean {
  return facts.clients.some((client) => {
    const steps = facts.steps(client);
    const isTogether = (at: number, other: number): boolean => {
      const [low, high] = [Math.min(at, other), Math.max(at, other)];
      return steps.slice(low, high).every((step, i) => isOneWhole(step, steps[low + i + 1] as (typeof steps)[number]));
    };
    return steps.some((read, at) =>
      steps.some((beside, other) => {
        if (read.type !== 'read' || beside.type !== 'read' || at === other || !isTogether(at, other)) return false;
        const shown = read.stamp === undefined ? null : facts.operationAt(read.stamp);
        return shown?.part === true && isHalf(facts, shown, beside);
      }),
    );
  });
}

function isHalf(facts: NaiveFacts, shown: NaiveOperation, { key, stamp, begin, end }: ReadEvent): boolean {
  const batch = facts.operations.filter((other) => areParts(shown, other));
  const part = batch.find((other) => other.key === key);
  if (part === undefined) return false;
  if (stamp === undefined) {
    return part.value !== null && acknowledged(part) !== null && !facts.mayBeDeleted(part, end ?? begin);
  }
  const at = facts.operationAt(stamp);
  const possible = at === null ? facts.possibleAt(stamp) : [at];
  if (possible.some((it) => it.client === part.client && it.clientTime > part.clientTime)) return false;
  if (batch.some((it) => possible.includes(it))) return false;
  const stamps = batch.flatMap((it) => it.stamps);
  if (stamps.length === 0 || stamps.some((other) => facts.order(stamp, other) >= 0)) return false;
  if (batch.every((it) => acknowledged(it) !== null && !isRepeated(it))) return true;
  const after = facts.after(batch[0] as NaiveOperation);
  return after !== null && facts.order(stamp, after) <= 0;
}
