import { compareKeys } from '../base/ids.js';
import type { BatchPart, BatchRequest, WriteRequest } from './messages.js';
import type { AcceptStamp, Write } from './write.js';

/** What a client has a replica write: one operation, or a batch of them. */
export type Submission<Op> = WriteRequest<Op> | BatchRequest<Op>;

export function isBatch<Op>(request: Submission<Op>): request is BatchRequest<Op> {
  return 'parts' in request;
}

export function partsOf<Op>(request: Submission<Op>): readonly BatchPart<Op>[] {
  return isBatch(request) ? request.parts : [request];
}

/** The writes that it comes to under `stamp`, ascending by key. `accepted`: the operation as the log keeps it. */
export function writesOf<Op>(
  request: Submission<Op>,
  { origin, acceptTime }: AcceptStamp,
  accepted: (operation: Op) => Op,
): readonly Write<Op>[] {
  const { client, clientTime } = request;
  if (!isBatch(request)) {
    return [{ origin, acceptTime, client, clientTime, key: request.key, operation: accepted(request.operation) }];
  }
  return request.parts
    .map((part) => {
      const operation = accepted(part.operation);
      return { origin, acceptTime, client, clientTime, key: part.key, operation, part: true as const };
    })
    .sort((a, b) => compareKeys(a.key, b.key));
}
