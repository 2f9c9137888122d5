import type { BinaryReader } from './binary-reader.js';
import { malformed } from './field-error.js';
import { VERSION_1 } from './thrift.js';

/** Longer than any method's name. */
const NAME_BYTES_MAX = 256;

/** What every message begins with: its type, the method, and the number that pairs a reply with its call. */
export class MessageHeader {
  type = 0;
  sequenceId = 0;
  #nameAt = 0;
  #nameLength = 0;

  /** Reads the header that stands next; may be used again and again, so that a message costs no object. */
  read(reader: BinaryReader): void {
    const word = reader.i32();
    if (word >>> 16 !== VERSION_1) throw malformed('it does not begin with the version of the binary protocol');
    this.type = word & 0xff;
    this.#nameLength = reader.length();
    if (this.#nameLength > NAME_BYTES_MAX) throw malformed(`a method name of ${this.#nameLength} bytes`);
    this.#nameAt = reader.position;
    reader.pass(this.#nameLength);
    this.sequenceId = reader.i32();
  }

  /** Compares bytes, as the name is nearly always known and needs no string. */
  isNamed(reader: BinaryReader, name: Uint8Array): boolean {
    return name.length === this.#nameLength && reader.isAt(this.#nameAt, name);
  }

  /** The name without its service, as it was sent: Thrift's clients look for a method by that. */
  methodIn(reader: BinaryReader): Uint8Array {
    const name = reader.viewAt(this.#nameAt, this.#nameLength);
    return name.subarray(name.indexOf(':') + 1);
  }

  nameIn(reader: BinaryReader): string {
    return reader.textAt(this.#nameAt, this.#nameLength);
  }
}

/** The bytes of a message up to its sequence id. */
export function messageHead(type: number, name: Uint8Array): Uint8Array {
  const head = Buffer.alloc(8 + name.length);
  head.writeUInt16BE(VERSION_1, 0);
  head.writeUInt16BE(type, 2);
  head.writeInt32BE(name.length, 4);
  head.set(name, 8);
  return head;
}
