import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { printable } from '../../master/format.js';
import { triedProcedures } from '../../master/tried-procedures.js';
import { BaristaError, messageOf } from '../base/errors.js';
import { HistoryChecker } from '../check/check.js';
import { HistoryReader } from '../check/json-lines.js';
import type { Merges } from '../check/merge.js';
import type { CheckReport } from '../check/report.js';
import { mergesOf } from '../sim/merging.js';
import type { CheckRequest } from './check-command.js';
import { formatCount } from './client-format.js';
import { describeFailure } from './failure.js';

const SOUND = 0;
const VIOLATED = 1;
const UNREADABLE = 2;

/** Checks a recorded history, and says what it found. The exit status. */
export async function runCheck({ path, procedureFiles }: CheckRequest): Promise<number> {
  let report: CheckReport;
  try {
    const { procedures } = await triedProcedures(procedureFiles);
    report = await checkStream(path === '-' ? process.stdin : createReadStream(path), mergesOf(procedures));
  } catch (thrown) {
    const failure =
      thrown instanceof BaristaError
        ? thrown
        : new BaristaError('ERR_HISTORY', `the history cannot be read: ${messageOf(thrown)}`, { cause: thrown });
    process.stderr.write(describeFailure('barista: ', failure));
    return UNREADABLE;
  }
  await show(`${formatReport(report).join('\n')}\n`);
  return report.ok ? SOUND : VIOLATED;
}

async function checkStream(stream: Readable, merges: Merges): Promise<CheckReport> {
  const reader = new HistoryReader();
  let checker: HistoryChecker | null = null;
  for await (const line of linesOf(stream)) {
    const event = reader.take(line);
    if (reader.header !== null) checker ??= new HistoryChecker(reader.header, merges);
    if (event !== null) checker?.take(event);
  }
  return (checker ?? new HistoryChecker(reader.end(), merges)).report();
}

/** The lines of UTF-8, without their line breaks. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest: string[] = [];
  for await (const chunk of stream) {
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    const last = parts.pop() ?? '';
    for (const part of parts) {
      yield rest.length === 0 ? part : rest.join('') + part;
      rest = [];
    }
    rest.push(last);
  }
  const last = rest.join('') + decoder.decode();
  if (last !== '') yield last;
}

/** As `barista check --help` documents it. */
function formatReport({ reads, writes, states, checks, violations }: CheckReport): readonly string[] {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const row = (check: string, looked: string, found: string): string =>
    `${check.padEnd(width)}  ${looked.padStart(12)}  ${found.padStart(10)}`;
  return [
    ...violations.map(({ check, message }) => printable(`violation ${check}: ${message}`)),
    `history ${formatCount(reads)} reads, ${formatCount(writes)} writes, ${formatCount(states)} states`,
    row('check', 'looked at', 'violations'),
    ...checks.map(({ check, looked, violations: found }) => row(check, formatCount(looked), formatCount(found))),
  ];
}

/** Done when it has left the process, or nobody reads it: the status says the same. */
function show(text: string): Promise<void> {
  process.stdout.on('error', () => {});
  return new Promise((resolve) => process.stdout.write(text, () => resolve()));
}
