/** Sizes every replica of a cluster must agree on; what exceeds one is refused where it enters. */
export interface Limits {
  readonly idBytesMax: number;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** Of one member of a set. */
  readonly memberBytesMax: number;
}

export const DEFAULT_LIMITS: Limits = {
  idBytesMax: 256,
  keyBytesMax: 4 * 1024,
  valueBytesMax: 1024 * 1024,
  memberBytesMax: 4 * 1024,
};

/** Accept times, client times and incarnations are exact integers in every language that speaks the protocol. */
export const TIME_MAX = Number.MAX_SAFE_INTEGER;

/** The longest time to live, in milliseconds: ten years. */
export const TTL_MS_MAX = 10 * 365 * 24 * 60 * 60 * 1_000;

/**
 * Origins that a replica knows of. Nobody ever leaves a version vector; and a pull request carries three of them, which
 * with the longest ids there are must fit into a frame.
 */
export const ORIGINS_MAX = 16_384;

/** Keys that one batch writes. */
export const BATCH_PARTS_MAX = 128;

/** What the keys of a batch, in UTF-8, and what its operations carry take together: it is never divided on its way. */
export const BATCH_BYTES_MAX = 1024 * 1024;

/** For how long a client may send an operation again, unless the cluster says otherwise. */
export const RETRY_WINDOW_MS_DEFAULT = 10 * 60_000;

/** A year. */
export const RETRY_WINDOW_MS_MAX = 365 * 24 * 3_600_000;

/** How often a replica that exchanges writes by itself folds what every member holds. */
export const COMPACT_PERIOD_MS = 10_000;

/** Bytes of `text` in UTF-8, or -1 if it holds a lone surrogate and so has no UTF-8 form. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3;
    else {
      const next = text.charCodeAt(++i);
      if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return -1;
      bytes += 4;
    }
  }
  return bytes;
}
