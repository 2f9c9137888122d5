import { nameAddress } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import { nameStamp } from '../bayou/write.js';
import { binary, connect, type Missing, type Stamp } from '../client/library.js';
import type { ClientRequest, ClientTask } from './client-request.js';
import { formatPastBase, formatPastWrite } from './conflict-format.js';

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

function lacking({ missing }: Missing): BaristaError {
  const stamps = missing.map(nameStamp).join(', ');
  return new BaristaError('ERR_DEP', `no replica that answered holds what the session needs: ${stamps}`);
}
