import { deflateRawSync, type InflateRaw, inflateRawSync } from 'node:zlib';
import { malformed } from './field-error.js';
import { DEFLATED_BYTES_MIN, FRAME_BYTES_MAX } from './limits.js';

/** Whether replies are deflated for a peer that can read that. Over the loopback interface it costs more than it saves. */
export type CompressReplies = 'always' | 'never' | 'unless-loopback';

export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1$|(?:::ffff:)?127\.)/u.test(address);
}

/** Higher levels take several times as long to save a few percent more. */
const LEVEL = 1;

/** Whether it pays is tried on so many bytes first. */
const SAMPLE_BYTES = 16 * 1024;

/** It pays if what is left is at most this part. */
const WORTH_PART = 0.8;

const CHUNK_BYTES = 64 * 1024;

/** Null if it does not pay. */
export function deflated(bytes: Uint8Array): Buffer | null {
  if (bytes.length < DEFLATED_BYTES_MIN) return null;
  const sample = deflatedIfWorth(bytes.subarray(0, SAMPLE_BYTES));
  return sample === null || bytes.length <= SAMPLE_BYTES ? sample : deflatedIfWorth(bytes);
}

function deflatedIfWorth(bytes: Uint8Array): Buffer | null {
  const deflated = deflateRawSync(bytes, { level: LEVEL, chunkSize: CHUNK_BYTES });
  return deflated.length <= bytes.length * WORTH_PART ? deflated : null;
}

/** Takes no more memory than a frame may. */
export function inflated(bytes: Uint8Array): Buffer {
  let result: { readonly buffer: Buffer; readonly engine: InflateRaw };
  try {
    // With `info` the answer is this pair, which the published types leave out.
    result = inflateRawSync(bytes, {
      maxOutputLength: FRAME_BYTES_MAX,
      chunkSize: CHUNK_BYTES,
      info: true,
    }) as unknown as typeof result;
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown)) throw thrown;
    if (thrown.code === 'ERR_BUFFER_TOO_LARGE') {
      throw malformed(`what is deflated takes more than ${FRAME_BYTES_MAX} bytes`);
    }
    throw malformed(`what is deflated cannot be inflated: ${thrown.message}`);
  }
  if (result.engine.bytesWritten !== bytes.length) throw malformed('bytes after the end of what is deflated');
  return result.buffer;
}
