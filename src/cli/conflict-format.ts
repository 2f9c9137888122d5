import { formatOperation as formatLogged, formatMember, printable } from '../../master/format.js';
import type { Author, Fate, Loss, Operation, PastBase, PastWrite } from '../client/library.js';
import { encodeOperation } from '../session/operations.js';
import { binary } from '../session/value-codec.js';
import { stampFields, textOf } from './client-format.js';

/* What the commands print that tell what became of writes; their --help documents it. */

type Write = PastWrite<Uint8Array>;

export function formatPastWrite(key: string, write: Write, json: boolean): string {
  const { operation, stage, resubmitted, fate } = write;
  if (json) return jsonOf(key, write, operation, { stage, resubmitted, ...fateFields(fate) });
  return `${formatName(write)} ${formatOperation(key, operation)}; ${stage}; ${formatFate(fate)}`;
}

export function formatPastBase(key: string, base: PastBase<Uint8Array>, json: boolean): string {
  const { value, fate } = base;
  const operation: Operation<Uint8Array> = value === undefined ? { kind: 'delete' } : { kind: 'put', value };
  if (json) return jsonOf(key, base, operation, { stage: 'base', resubmitted: false, ...fateFields(fate) });
  return `${formatName(base)} ${formatOperation(key, operation)}; base; ${formatFate(fate)}`;
}

export function formatConflict({ key, lost, operation, rule, winner, concurrent }: Loss<Uint8Array>): string {
  const to = winner === null ? '' : ` ${rule === 'overwritten' ? 'by' : 'to what'} ${formatName(winner)}`;
  const left = rule === 'inapplicable' && winner !== null ? ' left' : '';
  return `${formatName(lost)} ${formatOperation(key, operation)}; ${rule}${to}${left}; concurrent: ${concurrent}`;
}

export function formatConflictJson(conflict: Loss<Uint8Array>, cursor: string | null): string {
  const { key, lost, operation, rule, winner, concurrent } = conflict;
  return jsonOf(key, lost, operation, { rule, winner: nameFields(winner), concurrent, cursor });
}

function formatName({ stamp, client }: Author): string {
  return `${stamp.acceptTime}@${formatMember(stamp.origin)} ${printable(client)}`;
}

/** As the log has it. */
function formatOperation(key: string, operation: Operation<Uint8Array>): string {
  return formatLogged(key, encodeOperation(binary, operation));
}

function formatFate(fate: Fate): string {
  switch (fate.kind) {
    case 'stands':
      return 'stands';
    case 'expired':
      return 'expired';
    case 'overwritten':
      return `overwritten by ${formatName(fate.by)}`;
    case 'no-effect':
      return `no effect: ${fate.rule}${fate.by === null ? '' : ` ${formatName(fate.by)}`}`;
    case 'unknown':
      return `unknown: it takes ${fate.lacks}`;
  }
}

function jsonOf(key: string, { stamp, client }: Author, operation: Operation<Uint8Array>, rest: object): string {
  const { kind, ...carried } = operation;
  const expected = 'expects' in carried && carried.expects !== undefined ? { expects: textOf(carried.expects) } : {};
  const fields = 'value' in carried ? { ...carried, value: textOf(carried.value), ...expected } : carried;
  return JSON.stringify({ key, ...stampFields(stamp), client, operation: kind, ...fields, ...rest });
}

function fateFields(fate: Fate): { readonly fate: string; readonly to: object | null } {
  if (fate.kind !== 'overwritten' && fate.kind !== 'no-effect') return { fate: fate.kind, to: null };
  return { fate: fate.kind === 'overwritten' ? 'overwritten' : fate.rule, to: nameFields(fate.by) };
}

function nameFields(name: Author | null): object | null {
  return name === null ? null : { ...stampFields(name.stamp), client: name.client };
}
