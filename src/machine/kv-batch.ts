import { BaristaError } from '../base/errors.js';
import { BATCH_BYTES_MAX, BATCH_PARTS_MAX, utf8Length } from '../base/limits.js';
import { type KvOperation, kvOperationCodec } from './kv.js';

/** Why these, each good by itself, are no batch; null if they are one. */
export function checkParts(
  parts: readonly { readonly key: string; readonly operation: KvOperation }[],
): BaristaError | null {
  if (parts.length < 1 || parts.length > BATCH_PARTS_MAX) {
    return wrong(`a batch of ${parts.length} writes, where 1 to ${BATCH_PARTS_MAX} are allowed`);
  }
  const keys = new Set<string>();
  let bytes = 0;
  for (const { key, operation } of parts) {
    if (keys.has(key)) return wrong(`a batch writes ${JSON.stringify(key.slice(0, 64))} twice`);
    keys.add(key);
    bytes += utf8Length(key) + kvOperationCodec.bodyOf(operation).length;
  }
  if (bytes <= BATCH_BYTES_MAX) return null;
  return wrong(`the keys and operations of a batch take ${bytes} bytes, the limit is ${BATCH_BYTES_MAX}`);
}

function wrong(message: string): BaristaError {
  return new BaristaError('ERR_BATCH', message);
}
