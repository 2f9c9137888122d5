import { effective, fold, isUnknown } from './fold.js';
import type { Merges } from './merge.js';
import { describePlace, quoted } from './operation.js';
import type { Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import { describeState, type State } from './state.js';

/**
 * The store is the fold of the log (invariant 6): each key that has writes in the log shows the last of them that takes
 * effect. A write takes none if one of the same client, with the same client time or a later one, stands before it within
 * the retry window; unless it is the same operation accepted anew.
 */
export function checkStore({ states, header, merges }: Recording, findings: Findings): void {
  for (const state of states) {
    const shown = new Map(state.store.map((place) => [place.key, place]));
    const values = new Map(state.store.map(({ key }, at) => [key, state.values[at]]));
    for (const [key, writes] of byKey(state)) {
      if (writes.some(({ change }) => change !== null)) {
        findings.looked('store');
        checkFold(state, key, writes, values.get(key) ?? null, { retryWindow: header.retryWindow, merges }, findings);
        continue;
      }
      findings.looked('store');
      const place = shown.get(key) ?? null;
      const possible = lastEffective(writes, header.retryWindow);
      if (possible.some((write) => (write.value === null ? place === null : place === write))) continue;
      findings.violated('store', () => {
        const found = place === null ? `shows no ${key}` : `shows ${describePlace(place)}`;
        return `${describeState(state)} ${found}, and its log has ${possible.map(describePlace).join(', or ')}`;
      });
    }
  }
}

/** As the value of a key goes that operations change which read it; where the log has all that it comes from. */
function checkFold(
  state: State,
  key: string,
  writes: readonly Place[],
  shown: string | null,
  { retryWindow, merges }: { readonly retryWindow: number; readonly merges: Merges },
  findings: Findings,
): void {
  // What stands for others has the name of one of them, and nobody can tell what yields to it, or it to.
  if (writes.some(({ operation }) => operation === null) || isUnknown(writes, merges)) return;
  const taken = effective(writes, retryWindow);
  const isBlind = ({ change }: Place): boolean => change === null;
  if (state.base > 0 && !taken.some(isBlind)) return;
  const folded = fold(taken.slice(Math.max(0, taken.findLastIndex(isBlind))), merges);
  if (folded.value === shown) return;
  findings.violated('store', () => {
    const comesTo = folded.value === null ? 'nothing' : quoted(folded.value);
    const has = shown === null ? `shows no ${key}` : `shows ${key} = ${quoted(shown)}`;
    return `${describeState(state)} ${has}, and its log comes to ${comesTo}: ${writes.map(describePlace).join(', ')}`;
  });
}

function byKey({ log }: State): Map<string, Place[]> {
  const keys = new Map<string, Place[]>();
  for (const place of log) {
    const writes = keys.get(place.key);
    if (writes === undefined) keys.set(place.key, [place]);
    else writes.push(place);
  }
  return keys;
}

/**
 * The writes that may be the last to take effect, the last first: the last that yields to none, and those behind it of which
 * it cannot be said, since what they yield to may itself yield.
 */
function lastEffective(writes: readonly Place[], retryWindow: number): Place[] {
  const possible: Place[] = [];
  const yieldsTo = (at: number): number[] => {
    const later = writes[at] as Place;
    return Array.from(writes.slice(0, at).keys()).filter((i) => mayYield(later, writes[i] as Place, retryWindow));
  };
  for (let at = writes.length - 1; at >= 0; at--) {
    const ahead = yieldsTo(at);
    if (!ahead.some((i) => yieldsTo(i).length === 0)) possible.push(writes[at] as Place);
    if (ahead.length === 0) break;
  }
  return possible;
}

/** True if `later` takes no effect, should `earlier` take some. */
function mayYield(later: Place, earlier: Place, retryWindow: number): boolean {
  const [a, b] = [earlier.operation, later.operation];
  if (a === null || b === null || a.client !== b.client) return false;
  if (later.time - earlier.time >= retryWindow) return false;
  return a === b ? later.resubmitted !== true : a.clientTime > b.clientTime;
}
