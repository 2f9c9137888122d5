/* Numbers of the format that PackedWrites of barista.thrift describes. */

export const PACKED_FORMAT = 1;

/** 7 bits a byte: enough for 54 bits. */
export const NUMBER_BYTES_MAX = 8;

/** The fewest bytes of a write: each of its seven numbers takes one. */
export const WRITE_BYTES_MIN = 7;
