import { BaristaError } from '../base/errors.js';
import { fail, type Outcome, succeed } from '../base/outcome.js';
import { BinaryWriter } from '../rpc/binary-writer.js';
import { FRAME_BYTES_MAX } from '../rpc/limits.js';
import type { Codec } from '../rpc/schema.js';
import { METHODS } from '../rpc/services.js';
import type { ExchangeKind, SizeOf } from '../sim/report/link-network.js';

const REFUSAL = new BaristaError('ERR_BEHIND', 'a refusal of about this length');
const writer = new BinaryWriter(FRAME_BYTES_MAX);
writer.deflates = true;

/** How long a message between replicas is on the wire: it is encoded as a replica does it. */
export const wireSize: SizeOf = (kind, what, message) => {
  const method = METHODS[kind];
  const isRequest = what === 'request';
  writer.begin(isRequest ? method.callHead : method.replyHead, 1);
  if (isRequest) (method.arguments as Codec<unknown>).write(writer, message);
  else (method.result as Codec<Outcome<unknown>>).write(writer, outcomeOf(kind, message));
  writer.end();
  const { length } = writer;
  writer.release(false);
  return length;
};

/** News has an empty answer, all others have one, or a refusal. */
function outcomeOf(kind: ExchangeKind, message: unknown): Outcome<unknown> {
  if (message !== undefined) return succeed(message);
  return kind === 'news' ? succeed({}) : fail(REFUSAL);
}
