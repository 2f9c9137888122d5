import { quoted } from './operation.js';
import { type Claims, covers, namePlace } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import { describeState, type State } from './state.js';

/**
 * Same writes, same store (invariant 3): states with equal vectors that hold nothing beyond them show the same; and final
 * states have equal vectors.
 */
export function checkConvergence({ states }: Recording, findings: Findings): void {
  const bySeen = new Map<string, State>();
  let final: State | null = null;
  for (const state of states) {
    if (state.final) {
      final ??= state;
      findings.looked('convergence');
      const other = final;
      if (nameClaims(other.seen) !== nameClaims(state.seen)) {
        findings.violated(
          'convergence',
          () => `${describeState(state)} and ${describeState(other)} claim different writes`,
        );
      }
    }
    const isExact = [...state.log, ...state.store].every((place) => covers(state.seen, place));
    if (!isExact) continue;
    const name = nameClaims(state.seen);
    const same = bySeen.get(name);
    if (same === undefined) {
      bySeen.set(name, state);
      continue;
    }
    findings.looked('convergence');
    const difference = differenceOf(same, state);
    if (difference === null) continue;
    findings.violated('convergence', () => {
      return `${describeState(same)} and ${describeState(state)} hold the same writes, and differ: ${difference}`;
    });
  }
}

function nameClaims(claims: Claims): string {
  return claims.join();
}

function differenceOf(a: State, b: State): string | null {
  for (let i = 0; i < Math.max(a.store.length, b.store.length); i++) {
    if (a.store[i] !== b.store[i] || a.values[i] !== b.values[i]) return `${nameEntry(a, i)}, and ${nameEntry(b, i)}`;
  }
  return null;
}

function nameEntry({ store, values }: State, at: number): string {
  const place = store[at];
  return place === undefined ? 'nothing more' : `${place.key} = ${quoted(values[at] ?? null)} of ${namePlace(place)}`;
}
