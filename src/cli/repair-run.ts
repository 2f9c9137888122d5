import { printable } from '../../master/format.js';
import { BaristaError } from '../base/errors.js';
import { type RepairReport, repairData } from '../server/repair.js';
import { formatCount } from './client-format.js';
import { describeFailure } from './failure.js';
import type { RepairRequest } from './repair-command.js';

const SOUND = 0;
const DAMAGED = 1;
const IMPOSSIBLE = 2;

/** Checks or repairs a data directory, and says what it found. The exit status. */
export async function runRepair({ path, apply }: RepairRequest): Promise<number> {
  let report: RepairReport;
  try {
    report = repairData(path, apply);
  } catch (thrown) {
    if (!(thrown instanceof BaristaError)) throw thrown;
    process.stderr.write(describeFailure('barista: ', thrown));
    return IMPOSSIBLE;
  }
  await show(`${formatRepair(report).join('\n')}\n`);
  if (report.table.kind === 'sound' && report.log.damage === null) return SOUND;
  process.stderr.write(`barista: ${adviceFor(report)}\n`);
  return DAMAGED;
}

/** Done when it has left the process, or nobody reads it: the status says the same. */
function show(text: string): Promise<void> {
  process.stdout.on('error', () => {});
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}

/** A fact a line, as `barista repair --help` documents it. */
function formatRepair({ path, origin, table, log, repaired }: RepairReport): readonly string[] {
  const tableFact =
    table.kind === 'sound'
      ? `${formatCount(table.keys)} keys, ${formatCount(table.writes)} writes`
      : `damaged: ${table.what}`;
  return [
    `replica ${origin}`,
    `table ${tableFact}`,
    ...log.segments.map(({ name, bytes, soundBytes }) => {
      const part = soundBytes === bytes ? '' : `${formatCount(soundBytes)} of `;
      return `segment ${name} ${part}${formatCount(bytes)} bytes`;
    }),
    ...(log.damage === null ? [] : [`damage ${path}/log/${log.damage.what}`]),
    ...(repaired?.aside.map((file) => `aside ${file}`) ?? []),
    ...(repaired === null ? [] : [`renewed ${repaired.origin}`]),
  ].map(printable);
}

function adviceFor({ table, log, repaired }: RepairReport): string {
  const keepsLog = log.segments.some(({ soundBytes }) => soundBytes > 0);
  const isEmpty = !keepsLog && (table.kind === 'damaged' || table.keys === 0);
  if (repaired !== null) {
    return isEmpty
      ? 'repaired: the replica starts empty, and fetches from its peers what they hold'
      : 'repaired: start the replica; it fetches from its peers what they hold';
  }
  return isEmpty
    ? 'damaged: nothing of it can be used; with --apply it is set aside, and the replica starts empty'
    : 'damaged: with --apply what stands before the damage is kept, and the rest set aside';
}
