import type { Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { deflated, inflated } from './compression.js';
import { readPackedWrites } from './packed-reader.js';
import { packWrites } from './packed-writer.js';
import { type Codec, enumeration, structOf } from './schema.js';
import { WireType } from './thrift.js';

type Compression = 'none' | 'deflate';

const compression: Codec<Compression> = enumeration<Compression>('Compression', {
  none: ['NONE', 1],
  deflate: ['DEFLATE', 2],
});

/** Bytes that are read where they lie. */
const bytesInPlace: Codec<Buffer> = {
  shape: { kind: 'binary' },
  wireType: WireType.string,
  read: (reader) => reader.view(reader.length()),
  write: (writer, bytes) => writer.bytes(bytes),
};

interface Packed {
  readonly compression: Compression;
  readonly bytes: Buffer;
}

const packed: Codec<Packed> = structOf<Packed>('PackedWrites')
  .required(1, 'compression', compression, (packed) => packed.compression)
  .required(2, 'bytes', bytesInPlace, (packed) => packed.bytes)
  .build((compression, bytes) => ({ compression, bytes }));

export const packedWrites: Codec<readonly Write<KvOperation>[]> = {
  shape: packed.shape,
  wireType: packed.wireType,
  read: (reader) => {
    const { compression, bytes } = packed.read(reader);
    return readPackedWrites(compression === 'deflate' ? inflated(bytes) : bytes);
  },
  write: (writer, writes) => {
    const bytes = packWrites(writes);
    const fewer = writer.deflates ? deflated(bytes) : null;
    packed.write(writer, fewer === null ? { compression: 'none', bytes } : { compression: 'deflate', bytes: fewer });
  },
};
