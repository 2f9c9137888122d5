/* Numbers of the format that PackedWrites of barista.thrift describes. */

export const PACKED_FORMAT = 4;

/* What is added to four times the origin's place. */

export const PACKED_RESUBMITTED = 1;
export const PACKED_PART = 2;

/* What the number before an operation says; that of a put is its length and this. */

export const PACKED_DELETE = 0;

/** A kind follows, and what the operation carries. */
export const PACKED_OTHER = 1;
export const PACKED_PUT = 2;

/** 7 bits a byte: enough for 54 bits. */
export const NUMBER_BYTES_MAX = 8;

/** The fewest bytes of a write: each of its seven numbers takes one. */
export const WRITE_BYTES_MIN = 7;
