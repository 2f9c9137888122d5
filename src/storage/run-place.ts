import { compareKeys } from '../base/ids.js';

/** Where a write stands in the run of its origin: by accept time, and among the parts of a batch, which share that, by key. */
export interface RunPlace {
  readonly acceptTime: number;
  /** Null: behind all writes of that accept time. */
  readonly key: string | null;
}

/** Behind every place. */
export const RUN_END: RunPlace = { acceptTime: Number.POSITIVE_INFINITY, key: null };

export function compareRunPlaces(a: RunPlace, b: RunPlace): number {
  if (a.acceptTime !== b.acceptTime) return a.acceptTime - b.acceptTime;
  if (a.key === b.key) return 0;
  if (a.key === null) return 1;
  return b.key === null ? -1 : compareKeys(a.key, b.key);
}

/** Behind all writes up to this accept time. */
export function behindTime(acceptTime: number): RunPlace {
  return { acceptTime, key: null };
}

export function firstPlace(a: RunPlace, b: RunPlace): RunPlace {
  return compareRunPlaces(a, b) <= 0 ? a : b;
}

/** What of a table's run stands behind `passed`, of whose accept time there may be more. */
export function* placesBehind(
  passed: RunPlace,
  run: (after: number) => Iterator<readonly [acceptTime: number, key: string]>,
): Generator<RunPlace, undefined> {
  const stored = run(passed.key === null ? passed.acceptTime : passed.acceptTime - 1);
  for (let next = stored.next(); next.done !== true; next = stored.next()) {
    const place = { acceptTime: next.value[0], key: next.value[1] };
    if (compareRunPlaces(place, passed) > 0) yield place;
  }
  return undefined;
}
