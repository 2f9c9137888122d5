import { binary } from '../client/library.js';
import { formatChange, formatChangeJson } from './client-format.js';
import type { ClientRequest, ClientTask } from './client-request.js';
import { libraryClient } from './library-client.js';

/** The lines that a watch prints, as they come; without end, unless no replica answers. */
export async function* watchLines(
  request: ClientRequest,
  { prefix, from, json }: Extract<ClientTask, { kind: 'watch' }>,
): AsyncGenerator<string, undefined> {
  await using client = await libraryClient(request);
  const watch = client.watch(prefix, { codec: binary, from });
  await watch.begun();
  if (json) yield JSON.stringify({ cursor: watch.cursor });
  for await (const change of watch) yield json ? formatChangeJson(change, watch.cursor) : formatChange(change);
  return undefined;
}
