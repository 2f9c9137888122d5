import type { Random } from '../../src/base/random.js';
import type {
  History,
  HistoryEvent,
  LoggedWrite,
  ReadEvent,
  Stamp,
  StateEvent,
  Vector,
} from '../../src/check/history.js';

/** The history with one thing in it changed: often one that breaks a promise. */
export function mutate({ header, events }: History, random: Random): History {
  const all = [...events];
  const at = random.below(all.length);
  const changed = changedEvent(all[at] as HistoryEvent, all, random);
  all.splice(at, 1, ...changed);
  return { header, events: all };
}

function changedEvent(event: HistoryEvent, all: readonly HistoryEvent[], random: Random): readonly HistoryEvent[] {
  switch (event.type) {
    case 'session':
      return [{ ...event, guarantees: event.guarantees.slice(random.below(2)) }];
    case 'write': {
      const { repeated, stamp, ...write } = event;
      const dice = random.below(5);
      if (dice === 0) return [];
      if (dice === 1) return [{ ...event, clientTime: event.clientTime + random.below(2) }];
      if (dice === 2) return [{ ...write, outcome: 'unknown' }];
      if (stamp === undefined) return [{ ...write, outcome: 'failed' }];
      return [{ ...write, stamp: dice === 3 ? shifted(stamp, random) : stamp }];
    }
    case 'read':
      return [changedRead(event, all, random)];
    case 'state':
      return [changedState(event, random)];
    case 'life':
      return [];
  }
}

function changedRead(read: ReadEvent, all: readonly HistoryEvent[], random: Random): ReadEvent {
  const { value, stamp, seen, ...rest } = read;
  const dice = random.below(4);
  if (dice === 0 && seen !== undefined) return { ...read, seen: lowered(seen, random) };
  const claims = seen === undefined ? {} : { seen };
  if (dice === 1) return { ...rest, ...claims, outcome: 'absent' };
  const others = all.filter((event) => event.type === 'write' && event.key === read.key && event.stamp !== undefined);
  const other = others[random.below(others.length)];
  if (other?.type !== 'write' || other.value === null || other.stamp === undefined) return read;
  return { ...rest, ...claims, outcome: 'found', value: other.value, stamp: other.stamp };
}

function changedState(state: StateEvent, random: Random): StateEvent {
  switch (random.below(8)) {
    case 0:
      return { ...state, log: without(state.log, random) };
    case 1:
      return { ...state, store: without(state.store, random) };
    case 2:
      return { ...state, seen: lowered(state.seen, random) };
    case 3:
      return { ...state, seen: state.seen.map((stamp) => shifted(stamp, random)) };
    case 4:
      return { ...state, base: random.below(2) === 0 ? 0 : state.base + random.below(20) };
    case 5:
      return { ...state, stable: state.stable + random.below(400) };
    case 6:
      return { ...state, log: state.log.map((write) => (random.below(3) === 0 ? remarked(write) : write)) };
    default:
      return { ...state, log: [...state.log].reverse() };
  }
}

function remarked({ resubmitted, ...write }: LoggedWrite): LoggedWrite {
  return resubmitted === true ? write : { ...write, resubmitted: true };
}

function shifted([time, replica, incarnation]: Stamp, random: Random): Stamp {
  return [time + random.below(3), replica, incarnation];
}

function lowered(vector: Vector, random: Random): Vector {
  const at = random.below(vector.length);
  return vector.map((stamp, i) =>
    i === at ? ([Math.max(0, stamp[0] - 1 - random.below(3)), stamp[1], stamp[2]] as const) : stamp,
  );
}

function without<T>(items: readonly T[], random: Random): readonly T[] {
  const at = random.below(items.length + 1);
  return items.filter((_, i) => i !== at);
}
