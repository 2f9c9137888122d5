import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { kvOperationCodec } from '../machine/kv.js';
import { type RepairReport, repairDirectory } from '../storage/node/repair-directory.js';
import type { TableFindings } from '../storage/repair.js';
import { systemClock } from './system.js';

export type { RepairReport } from '../storage/node/repair-directory.js';

/** A program of its own, beside this file once that is built. */
const CHECK_TABLE = new URL('./check-table.js', import.meta.url);
/** When tests run the source. */
const BUILT_CHECK_TABLE = new URL('../../dist/src/server/check-table.js', import.meta.url);

/** Checks the data directory of a key-value replica; with `apply` makes a damaged one usable again. */
export function repairData(path: string, apply: boolean): RepairReport {
  return repairDirectory({ path, apply, now: systemClock.now(), codec: kvOperationCodec, inspectTable });
}

function inspectTable(path: string): TableFindings {
  const program = fileURLToPath(import.meta.url.endsWith('.ts') ? BUILT_CHECK_TABLE : CHECK_TABLE);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, path], { encoding: 'utf8' });
  if (status === 0 && stdout.startsWith('{')) return JSON.parse(stdout) as TableFindings;
  const end = signal === null ? `status ${status}` : signal;
  const lastWords = stderr.trim().split('\n').at(-1) ?? '';
  return {
    kind: 'damaged',
    what: `to read it ended the process with ${end}${lastWords === '' ? '' : `: ${lastWords}`}`,
  };
}
