import { BaristaError } from '../base/errors.js';
import type { WriteReply } from '../bayou/messages.js';
import { nameStamp } from '../bayou/write.js';
import { binary, type Missing, type Stamp } from '../client/library.js';
import type { ClientRequest, ClientTask } from './client-request.js';
import { formatConflict, formatConflictJson, formatPastBase, formatPastWrite } from './conflict-format.js';
import { libraryClient } from './library-client.js';
import { readStamp } from './option-values.js';

/** The lines of a key's history, page by page. */
export async function* historyLines(
  request: ClientRequest,
  { key, json }: Extract<ClientTask, { kind: 'history' }>,
): AsyncGenerator<readonly string[], undefined> {
  await using client = await libraryClient(request);
  const session = client.session({ codec: binary, timeoutMs: request.timeoutMs });
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
  request: ClientRequest,
  { prefix, since, json }: Extract<ClientTask, { kind: 'conflicts' }>,
): AsyncGenerator<string, undefined> {
  await using client = await libraryClient(request);
  const conflicts = client.conflicts({
    prefix,
    since: readStamp(since) ?? since,
    codec: binary,
    timeoutMs: request.timeoutMs,
  });
  for await (const conflict of conflicts) {
    yield json ? formatConflictJson(conflict, conflicts.cursor) : formatConflict(conflict);
  }
  if (json) yield JSON.stringify({ cursor: conflicts.cursor });
  return undefined;
}

/** Puts back what was lost. */
export async function restore(
  request: ClientRequest,
  { key, stamp }: Extract<ClientTask, { kind: 'restore' }>,
): Promise<WriteReply> {
  await using client = await libraryClient(request);
  const write = await client
    .session({ codec: binary, timeoutMs: request.timeoutMs, onMissing: 'try-another' })
    .restore(key, stamp);
  if (write.kind === 'missing') throw lacking(write);
  return write;
}

function lacking({ missing }: Missing): BaristaError {
  const stamps = missing.map(nameStamp).join(', ');
  return new BaristaError('ERR_DEP', `no replica that answered holds what the session needs: ${stamps}`);
}
