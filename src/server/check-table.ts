import { crc32 } from 'node:zlib';
import { messageOf } from '../base/errors.js';
import { kvOperationCodec } from '../machine/kv.js';
import { LmdbTable } from '../storage/node/lmdb-table.js';
import { inspectTable, type TableFindings } from '../storage/repair.js';

/*
 * A process of its own: prints what it finds in the table whose folder is its one argument, as a line of JSON. Reading a
 * file that is damaged, LMDB may take the process with it.
 */

function findings(path: string): TableFindings {
  try {
    const checksum = (bytes: Uint8Array): number => crc32(bytes);
    return inspectTable({ table: LmdbTable.toRead(path), codec: kvOperationCodec, checksum });
  } catch (thrown) {
    return { kind: 'damaged', what: messageOf(thrown) };
  }
}

process.stdout.write(JSON.stringify(findings(process.argv[2] ?? '')), () => process.exit(0));
