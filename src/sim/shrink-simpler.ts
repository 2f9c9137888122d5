import type { Guarantee } from '../bayou/session.js';
import type { Action, NetworkWeather, Plan, PlannedClient } from './plan.js';

type Simplification = (plan: Plan) => Plan;

/** Gaps between actions, the shortest first: what a message takes, a transfer, a round, a timeout. */
const GAPS_MS = [10, 100, 1000, 10_000, 60_000];
const ROUND_MS = [1000, 100, 10];

/**
 * Ways to say a plan more simply, to be tried one after another, each on what the one before left. All keep the actions in
 * their places. One that does not apply changes nothing.
 */
export function* simplifications(plan: Plan): Iterable<Simplification> {
  yield (before) => ({ ...before, tieBreak: 'higher' });
  yield (before) => ({ ...before, clock: 'logical' });
  yield (before) => ({ ...before, maxDriftMs: null });
  yield ({ links: _, ...before }) => before;
  for (const gapMs of GAPS_MS) yield (before) => retimed(before, (times) => closer(times, gapMs));
  for (const unitMs of ROUND_MS) {
    yield (before) => retimed(before, (times) => times.map((time) => Math.floor(time / unitMs) * unitMs));
  }
  yield (before) => ({ ...before, actions: before.actions.map((it) => ({ ...it, action: shorter(it.action) })) });
  for (const [i, { guarantees }] of plan.clients.entries()) {
    yield (before) => withClient(before, i, ({ tries: _, ...client }) => client);
    yield (before) => withClient(before, i, (client) => ({ ...client, guarantees: [] }));
    for (const dropped of guarantees) {
      yield (before) =>
        withClient(before, i, (client) => ({ ...client, guarantees: without(client.guarantees, dropped) }));
    }
  }
  for (const [i, { action }] of plan.actions.entries()) {
    for (const simpler of SIMPLER_ACTIONS) {
      if (simpler(action) !== action) yield (before) => withAction(before, i, simpler);
    }
  }
}

/** Long enough to tell values apart. */
const VALUE_CHARS_MAX = 12;

function shorter(action: Action): Action {
  return 'value' in action ? { ...action, value: action.value.slice(0, VALUE_CHARS_MAX) } : action;
}

const SIMPLER_ACTIONS: readonly ((action: Action) => Action)[] = [
  (action) => (action.kind === 'crash' ? { ...action, how: 'kill' } : action),
  (action) => calmer(action, { loss: 0 }),
  (action) => calmer(action, { duplication: 0 }),
  (action) => calmer(action, { reordering: 0 }),
  (action) => calmer(action, { delayMs: [1, 1] }),
  ...GAPS_MS.map(
    (ms) => (action: Action) => ('forMs' in action && action.forMs > ms ? { ...action, forMs: ms } : action),
  ),
];

function calmer(action: Action, weather: Partial<NetworkWeather>): Action {
  return action.kind === 'weather' ? { ...action, weather: { ...action.weather, ...weather } } : action;
}

function withClient(plan: Plan, i: number, change: (client: PlannedClient) => PlannedClient): Plan {
  return { ...plan, clients: plan.clients.map((client, j) => (j === i ? change(client) : client)) };
}

function without(guarantees: readonly Guarantee[], dropped: Guarantee): readonly Guarantee[] {
  return guarantees.filter((guarantee) => guarantee !== dropped);
}

function withAction(plan: Plan, i: number, change: (action: Action) => Action): Plan {
  const actions = plan.actions.map((planned, j) =>
    j === i ? { ...planned, action: change(planned.action) } : planned,
  );
  return { ...plan, actions };
}

/** With other times for its actions, and for its end. */
function retimed(plan: Plan, change: (times: readonly number[]) => readonly number[]): Plan {
  const times = change([...plan.actions.map(({ at }) => at), plan.durationMs]);
  const timeOf = (i: number): number => times[i] ?? plan.durationMs;
  const actions = plan.actions.map(({ action }, i) => ({ at: timeOf(i), action }));
  return { ...plan, actions, durationMs: timeOf(actions.length) };
}

/** The times with no gap longer than that, the one before the first included. */
function closer(times: readonly number[], gapMs: number): readonly number[] {
  let saved = 0;
  return times.map((time, i) => {
    const gap = time - (times[i - 1] ?? 0);
    saved += Math.max(0, gap - gapMs);
    return time - saved;
  });
}
