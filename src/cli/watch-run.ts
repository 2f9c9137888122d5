import { nameAddress } from '../base/address.js';
import { binary, connect } from '../client/library.js';
import { formatChange, formatChangeJson } from './client-format.js';
import type { ClientRequest, ClientTask } from './client-request.js';

/** The lines that a watch prints, as they come; without end, unless no replica answers. */
export async function* watchLines(
  { at, timeoutMs }: ClientRequest,
  { prefix, from, json }: Extract<ClientTask, { kind: 'watch' }>,
): AsyncGenerator<string, undefined> {
  await using client = await connect({ endpoints: at.map(nameAddress), timeoutMs, attemptMs: timeoutMs });
  const watch = client.watch(prefix, { codec: binary, from });
  await watch.begun();
  if (json) yield JSON.stringify({ cursor: watch.cursor });
  for await (const change of watch) yield json ? formatChangeJson(change, watch.cursor) : formatChange(change);
  return undefined;
}
