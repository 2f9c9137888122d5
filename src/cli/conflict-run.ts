import { nameAddress } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import { nameStamp } from '../bayou/write.js';
import { binary, connect, type Missing, type Stamp } from '../client/library.js';
import type { ClientRequest, ClientTask } from './client-request.js';
import { formatConflict, formatConflictJson, formatPastBase, formatPastWrite } from './conflict-format.js';
import { readStamp } from './option-values.js';

/** The lines of a key's history, page by page. */
export async function* historyLines(
  { at, timeoutMs }: ClientRequest,
  { key, json }: Extract<ClientTask, { kind: 'history' }>,
): AsyncGenerator<readonly string[], undefined> {
  await using client = await connect({ endpoints: at.map(nameAddress), timeoutMs, attemptMs: timeoutMs });
  const session = client.session({ codec: binary, timeoutMs });
  for (let after: Stamp | null = null, isFirst = true; isFirst || after !== null; isFirst = false) {
    const page = await session.history(key, after === null ? {} : { after });
    if (page.kind === 'missing') throw lacking(page);
    const base = page.base === null ? [] : [formatPastBase(key, page.base, json)];
    yield [...base, ...page.writes.map((write) => formatPastWrite(key, write, json))];
    after = page.cursor;
  }
  return undefined;
}

/** The lines of the conflicts that there are. */
export async function* conflictLines(
  { at, timeoutMs }: ClientRequest,
  { prefix, since, json }: Extract<ClientTask, { kind: 'conflicts' }>,
): AsyncGenerator<string, undefined> {
  await using client = await connect({ endpoints: at.map(nameAddress), timeoutMs, attemptMs: timeoutMs });
  const conflicts = client.conflicts({ prefix, since: readStamp(since) ?? since, codec: binary, timeoutMs });
  for await (const conflict of conflicts) {
    yield json ? formatConflictJson(conflict, conflicts.cursor) : formatConflict(conflict);
  }
  if (json) yield JSON.stringify({ cursor: conflicts.cursor });
  return undefined;
}

function lacking({ missing }: Missing): BaristaError {
  const stamps = missing.map(nameStamp).join(', ');
  return new BaristaError('ERR_DEP', `no replica that answered holds what the session needs: ${stamps}`);
}
