import type { ClientId, Origin } from '../base/ids.js';
import type { Write } from '../bayou/write.js';
import { ByteReader, ByteWriter } from './bytes.js';
import type { OperationCodec } from './operation-codec.js';

/** A change of a replica's storage, as the write-ahead log keeps it. */
export type Change<Op> =
  | { readonly kind: 'insert'; readonly write: Write<Op>; readonly position: number }
  | { readonly kind: 'remove'; readonly key: string; readonly position: number }
  | { readonly kind: 'seen'; readonly origin: Origin; readonly acceptTime: number };

const INSERT = 1;
const REMOVE = 2;
const SEEN = 3;

/** How changes and histories stand on disk. What is encoded is good until the next is. */
export class RecordFormat<Op> {
  readonly #codec: OperationCodec<Op>;
  readonly #writer = new ByteWriter();

  constructor(codec: OperationCodec<Op>) {
    this.#codec = codec;
  }

  encodeChange(change: Change<Op>): Uint8Array {
    const writer = this.#writer;
    switch (change.kind) {
      case 'insert':
        writer.number(INSERT);
        writer.number(change.position);
        writer.text(change.write.key);
        this.#write(change.write);
        break;
      case 'remove':
        writer.number(REMOVE);
        writer.number(change.position);
        writer.text(change.key);
        break;
      case 'seen':
        writer.number(SEEN);
        writer.text(change.origin);
        writer.number(change.acceptTime);
        break;
    }
    return writer.take();
  }

  decodeChange(bytes: Uint8Array): Change<Op> {
    const reader = new ByteReader(bytes);
    const kind = reader.number();
    if (kind === SEEN) return { kind: 'seen', origin: reader.text() as Origin, acceptTime: reader.number() };
    const position = reader.number();
    const key = reader.text();
    if (kind === INSERT) return { kind: 'insert', position, write: this.#read(reader, key) };
    if (kind === REMOVE) return { kind: 'remove', position, key };
    throw new RangeError(`no change is of kind ${kind}`);
  }

  /** The writes of one key; the key itself is not part of it. */
  encodeHistory(history: readonly Write<Op>[]): Uint8Array {
    for (const write of history) this.#write(write);
    return this.#writer.take();
  }

  decodeHistory(key: string, bytes: Uint8Array): Write<Op>[] {
    const reader = new ByteReader(bytes);
    const history: Write<Op>[] = [];
    while (reader.remaining > 0) history.push(this.#read(reader, key));
    return history;
  }

  #write(write: Write<Op>): void {
    const writer = this.#writer;
    writer.text(write.origin);
    writer.number(write.acceptTime);
    writer.text(write.client);
    writer.number(write.clientTime);
    writer.number(this.#codec.kindOf(write.operation));
    writer.bytes(this.#codec.bodyOf(write.operation));
  }

  #read(reader: ByteReader, key: string): Write<Op> {
    return {
      origin: reader.text() as Origin,
      acceptTime: reader.number(),
      client: reader.text() as ClientId,
      clientTime: reader.number(),
      key,
      operation: this.#codec.decode(reader.number(), reader.bytes()),
    };
  }
}
