import type { Action, Plan } from './plan.js';

/** The ids of the replicas and clients that an action names. */
function namesIn(action: Action): readonly string[] {
  const fields: { readonly [name in 'kind' | 'client' | 'replica' | 'from' | 'to' | 'at']?: string } = action;
  const { client, replica, from, to, at } = fields;
  return [client, replica, from, to, at].filter((name) => name !== undefined);
}

/** The ids of all replicas and clients of a plan, those that join too. */
export function namesOf({ replicas, clients, actions }: Plan): ReadonlySet<string> {
  const joining = actions.flatMap(({ action }) => (action.kind === 'join' ? [action.replica] : []));
  return new Set([...replicas, ...clients.map(({ id }) => id), ...joining]);
}

/** An id that the action names and that is not known; undefined if all are. */
export function strangerIn(action: Action, known: ReadonlySet<string>): string | undefined {
  return namesIn(action).find((name) => !known.has(name));
}

/** The plan without actions and links that name somebody who never is there. */
export function withoutStrangers(plan: Plan): Plan {
  const known = namesOf(plan);
  const actions = plan.actions.filter(({ action }) => strangerIn(action, known) === undefined);
  const links = plan.links?.filter((ends) => ends.every((id) => known.has(id)));
  return { ...plan, actions, ...(links === undefined ? {} : { links }) };
}
