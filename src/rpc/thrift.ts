/** Numbers of Thrift's binary protocol: doc/specs/thrift-binary-protocol.md of Apache Thrift. */

export const STOP = 0;

/** The type of a value on the wire; binary is a string, an enum is an i32, a union is a struct. */
export const WireType = {
  bool: 2,
  byte: 3,
  double: 4,
  i16: 6,
  i32: 8,
  i64: 10,
  string: 11,
  struct: 12,
  map: 13,
  set: 14,
  list: 15,
  uuid: 16,
} as const;

export const MessageType = { call: 1, reply: 2, exception: 3, oneway: 4 } as const;

/** The high half of a message's first word: "strict" encoding, version 1. */
export const VERSION_1 = 0x8001;

/** What TApplicationException says went wrong. */
export const ExceptionType = {
  unknownMethod: 1,
  invalidMessageType: 2,
  internalError: 6,
  protocolError: 7,
} as const;

/** The fewest bytes a value of the wire type takes; 0 for what is not a type. Checks a list's length before it is read. */
export function bytesMinOf(type: number): number {
  return BYTES_MIN[type] ?? 0;
}

const BYTES_MIN: readonly number[] = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 4, 1, 6, 5, 5, 16];
