import { countBefore } from '../base/search.js';
import { areOneBatch, type Client, describePlace, nameOperation, type Operation } from './operation.js';
import { type Claims, covers, type Place, type PlaceOrder } from './place.js';
import type { Recording } from './recording.js';
import type { CheckName, Findings } from './report.js';
import type { Standing } from './standing.js';
import { describeState } from './state.js';

type WriteGuarantee = 'writes-follow-reads' | 'monotonic-writes';

/** From a write at `time` on, who holds the writes of its origin holds `needed`, which its session knew before it. */
interface Need {
  readonly time: number;
  readonly write: Place;
  readonly needed: Place;
}

/**
 * Writes-follow-reads and monotonic-writes (Terry et al., PDIS 1994, under these names), for the sessions that asked for
 * them: a write stands after all that its session had read (written) before; and, in the set form, whoever claims to hold it
 * claims to hold that too.
 */
export function checkWriteGuarantees(recording: Recording, standing: Standing, findings: Findings): void {
  checkGuarantee('writes-follow-reads', recording, standing, findings);
  checkGuarantee('monotonic-writes', recording, standing, findings);
}

function checkGuarantee(guarantee: WriteGuarantee, recording: Recording, standing: Standing, findings: Findings): void {
  const needs = new Map<number, Map<number, Need[]>>();
  const sessions = [...recording.clients.values()].filter(({ guarantees }) => guarantees.has(guarantee));
  for (const client of sessions) collect(client, guarantee, recording.order, findings, needs);
  for (const byNeeded of needs.values()) for (const list of byNeeded.values()) keepHighest(list);
  const changing = new Set(recording.operations.filter(({ change }) => change !== null).map(nameOperation));
  const check: CheckName = `${guarantee}-set`;
  for (const state of recording.states) {
    for (const [index, byNeeded] of needs) {
      const claimed = state.seen[index] ?? 0;
      for (const list of byNeeded.values()) {
        const last = list[countBefore(list.length, (at) => (list[at] as Need).time <= claimed) - 1];
        if (last === undefined) continue;
        findings.looked(check);
        if (holds(state.seen, last.needed, changing) || standing.mayBeGivenUp([last.needed])) continue;
        findings.violated(check, () => {
          const knew = `its session had ${guarantee === 'monotonic-writes' ? 'written' : 'read'} ${describePlace(last.needed)}`;
          return `${describeState(state)} claims ${describePlace(last.write)}, and not what ${knew}`;
        });
      }
    }
  }
}

/** Compares the stamps of the session's writes with what it knew, and takes down what each of them needs. */
function collect(
  client: Client,
  guarantee: WriteGuarantee,
  order: PlaceOrder,
  findings: Findings,
  needs: Map<number, Map<number, Need[]>>,
): void {
  let last: Place | null = null;
  const known = new Map<number, Place>();
  /** At each origin, and for each that is needed, what was noted last. */
  const noted = new Map<number, Map<number, Need>>();
  const learn = (place: Place): void => {
    if (last === null || order(last, place) < 0) last = place;
    const there = known.get(place.origin.index);
    if (there === undefined || there.time < place.time) known.set(place.origin.index, place);
  };
  /** Of the batch under way: its parts do not follow each other. */
  let parts: Operation | null = null;
  const learnt: Place[] = [];
  for (const step of client.steps) {
    const isSame = step.kind === 'write' && parts !== null && areOneBatch(parts, step.operation);
    if (!isSame) for (const place of learnt.splice(0)) learn(place);
    parts = step.kind === 'write' ? step.operation : null;
    if (step.kind === 'read') {
      if (guarantee === 'writes-follow-reads' && step.found !== null) learnt.push(step.found);
      continue;
    }
    if (step.isFirst) {
      for (const write of firstPlaces(step.operation)) {
        if (last !== null) compare(write, last, guarantee, order, findings);
        const before = noted.get(write.origin.index) ?? new Map<number, Need>();
        noted.set(write.origin.index, before);
        for (const [index, needed] of known) {
          const there = before.get(index);
          if (there?.needed === needed && there.time <= write.time) continue;
          const need = { time: write.time, write, needed };
          before.set(index, need);
          note(needs, need);
        }
      }
    }
    if (guarantee === 'monotonic-writes' && step.accepted !== null) learnt.push(step.accepted);
  }
}

/**
 * True if who claims that holds the write; one that reads its key also as it was accepted anew, which is not the same then, and
 * one that came with such.
 */
function holds(seen: Claims, needed: Place, changing: ReadonlySet<string>): boolean {
  const { operation } = needed;
  if (covers(seen, needed) || operation === null || !changing.has(nameOperation(operation)))
    return covers(seen, needed);
  return operation.places.some((place) => place.resubmitted === true && covers(seen, place));
}

/** The stamps under which replicas accepted it from its client. */
function firstPlaces({ places, accepted }: Operation): readonly Place[] {
  return places.filter((place) => place.resubmitted === false || (place === accepted && place.resubmitted === null));
}

function compare(write: Place, last: Place, guarantee: WriteGuarantee, order: PlaceOrder, findings: Findings): void {
  findings.looked(guarantee);
  if (order(last, write) < 0) return;
  findings.violated(guarantee, () => {
    const knew = guarantee === 'monotonic-writes' ? 'written' : 'read';
    return `${describePlace(write)} does not stand after what its session had ${knew}: ${describePlace(last)}`;
  });
}

function note(needs: Map<number, Map<number, Need[]>>, need: Need): void {
  const { index } = need.write.origin;
  const byNeeded = needs.get(index) ?? new Map<number, Need[]>();
  needs.set(index, byNeeded);
  const list = byNeeded.get(need.needed.origin.index);
  if (list === undefined) byNeeded.set(need.needed.origin.index, [need]);
  else list.push(need);
}

/** By time, each with the highest that any need up to it asks for. */
function keepHighest(list: Need[]): void {
  list.sort((a, b) => a.time - b.time);
  let kept = 0;
  for (const need of list) {
    const highest = list[kept - 1];
    if (kept === 0 || highest === undefined || need.needed.time > highest.needed.time) list[kept++] = need;
  }
  list.length = kept;
}
