import { nameAddress } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import type { WriteReply } from '../bayou/messages.js';
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

/** Puts back what was lost. */
export async function restore(
  { at, timeoutMs }: ClientRequest,
  { key, stamp }: Extract<ClientTask, { kind: 'restore' }>,
): Promise<WriteReply> {
  await using client = await connect({ endpoints: at.map(nameAddress), timeoutMs, attemptMs: timeoutMs });
  const write = await client.session({ codec: binary, timeoutMs, onMissing: 'try-another' }).restore(key, stamp);
  if (write.kind === 'missing') throw lacking(write);
  return write;
}

function lacking({ missing }: Missing): BaristaError {
  const stamps = missing.map(nameStamp).join(', ');
  return new BaristaError('ERR_DEP', `no replica that answered holds what the session needs: ${stamps}`);
}
