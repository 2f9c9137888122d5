import { assert } from '../base/assert.js';
import type { ClientId } from '../base/ids.js';
import { Effects, KeyFold, type KeyRules, startOf, yieldsTo } from './key-history.js';
import type { Write } from './write.js';
import type { WriteLog } from './write-log.js';

/**
 * Folds the writes on `key` up to the accept time `upTo`, which are the first of its history: they leave the log, and the
 * key's base becomes the one write that stands for all of them that took effect. With `keepTombstones` a delete stays as
 * the base.
 */
export function foldKey<Op, Value>(log: WriteLog<Op, Value>, key: string, upTo: number, keepTombstones: boolean): void {
  const history = [...log.storage.history(key)];
  const count = history.findIndex(({ acceptTime }) => acceptTime > upTo);
  const due = count < 0 ? history : history.slice(0, count);
  // What is not claimed may yet leave the log, and others never hear of it.
  const claimed = history.filter(({ origin, acceptTime }) => log.seen.covers(origin, acceptTime));
  const effects = new Effects(claimed, log.rules);
  const effective = due.filter((write) => effects.take(write));
  for (const { origin, acceptTime } of effective) log.baseVector.raise(origin, acceptTime);
  for (const write of yieldingTo(effective, history.slice(due.length), log.rules)) log.drop(write);

  const { stands, base } = comeTo(log.storage.base(key), effective, log.rules);
  const [only] = stands;
  const isDue = only !== undefined && due.includes(only);
  const isOwn = stands.length === 1 && isDue && log.rules.machine.standsAlone(only.operation);
  for (let at = due.length - 1; at >= 0; at--) if (!isOwn || due[at] !== only) log.remove(key, at);
  if (isOwn) log.settle(key, keepTombstones || base !== null);
  else if (stands.length > 1 || isDue) log.setBase(key, base);
}

/**
 * The writes that the base and the effective ones after it come to: the last blind one, and all that changed something
 * since; and the one write that stands for them, null if they leave the key absent.
 */
function comeTo<Op, Value>(
  before: Write<Op> | null,
  effective: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): { readonly stands: readonly Write<Op>[]; readonly base: Write<Op> | null } {
  const { machine } = rules;
  const blind = effective.findLastIndex(({ operation }) => machine.isBlind(operation));
  const first = effective[blind] ?? before;
  const fold = new KeyFold(first === null ? null : startOf(first, rules), rules);
  const changing = effective.slice(blind + 1).filter((write) => fold.take(write));
  const stands = first === null ? changing : [first, ...changing];
  const folded = fold.folded();
  assert(folded?.kind !== 'unknown', 'only what can be told is folded');
  if (folded === null) return { stands, base: null };
  if (stands.length === 1 && machine.standsAlone(folded.last.operation)) return { stands, base: folded.last };
  return { stands, base: { ...folded.last, operation: machine.total(folded.value, folded.expires) } };
}

/** Those of `later` that take no effect behind what is folded. */
export function yieldingTo<Op, Value>(
  folded: readonly Write<Op>[],
  later: readonly Write<Op>[],
  rules: KeyRules<Op, Value>,
): Write<Op>[] {
  const clients = new Map<ClientId, { highest: number; readonly writes: Write<Op>[] }>();
  for (const write of folded) {
    const client = clients.get(write.client);
    if (client === undefined) clients.set(write.client, { highest: write.clientTime, writes: [write] });
    else {
      client.highest = Math.max(client.highest, write.clientTime);
      client.writes.push(write);
    }
  }
  return later.filter((write) => {
    const client = clients.get(write.client);
    if (client === undefined || client.highest < write.clientTime) return false;
    return client.writes.some((earlier) => yieldsTo(write, earlier, rules));
  });
}
