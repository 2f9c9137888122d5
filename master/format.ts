import { isUtf8 } from 'node:buffer';
import type { Origin } from '../src/base/ids.js';
import type { VersionVector } from '../src/bayou/version-vector.js';
import type { Write } from '../src/bayou/write.js';
import type { KvOperation } from '../src/machine/kv.js';
import type { GetResult } from './cluster.js';

/**
 * What a script prints: one item, one line. These formats are documented and stable; scripts and tests of others
 * depend on them.
 */

/** `key:value`, `key:ERR_KEY`, `key:ERR_DEP` or `key:ERR_CONN`. */
export function formatGet(key: string, result: GetResult): string {
  return `${printable(key)}:${result.kind === 'found' ? formatValue(result.value) : result.kind}`;
}

/** `key:value`. */
export function formatEntry(key: string, value: Uint8Array): string {
  return `${printable(key)}:${formatValue(value)}`;
}

/** `acceptTime@id#incarnation client:clientTime put key:value`, or `... delete key`, `... increment key:number`, and so on. */
export function formatWrite({ origin, acceptTime, client, clientTime, key, operation }: Write<KvOperation>): string {
  const who = `${printable(client)}:${clientTime}`;
  return `${acceptTime}@${printable(origin)} ${who} ${formatOperation(key, operation)}`;
}

/** `put key:value`, `delete key`, `increment key:number`, and so on. */
export function formatOperation(key: string, operation: KvOperation): string {
  const carried = formatCarried(operation);
  return `${operation.kind} ${printable(key)}${carried === null ? '' : `:${carried}`}`;
}

/** What an operation carries; null if nothing. */
function formatCarried(operation: KvOperation): string | null {
  switch (operation.kind) {
    case 'delete':
      return null;
    case 'increment':
      return String(operation.by);
    case 'append':
      return formatValue(operation.bytes);
    case 'setAdd':
    case 'setRemove':
      return printable(operation.member);
    case 'merge': {
      const { value, procedure, expects } = operation;
      const expected =
        expects === null ? '' : expects === 'absent' ? ' expecting none' : ` expecting ${formatValue(expects)}`;
      return `${formatValue(value)} with ${procedure}${expected}`;
    }
    case 'total':
      return formatValue(operation.value);
    default: {
      const { value, ttlMs } = operation;
      return `${formatValue(value)}${ttlMs === undefined ? '' : ` for ${ttlMs}ms`}`;
    }
  }
}

/** `id#incarnation:time` for each entry, sorted by id. */
export function formatClock(clock: VersionVector): string[] {
  return clock.sorted().map(([origin, time]) => `${printable(origin)}:${time}`);
}

/** `id#incarnation`. */
export function formatMember(member: Origin): string {
  return printable(member);
}

/** The value as text; as `0x` and hexadecimal digits if it is not UTF-8. */
export function formatValue(value: Uint8Array): string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return isUtf8(bytes) ? printable(bytes.toString('utf8')) : `0x${bytes.toString('hex')}`;
}

// C0, DEL, C1, and the two separators that some readers take for a line's end.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const ALL_CONTROLS = new RegExp(CONTROLS.source, 'g');

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);

/**
 * Writes control characters as JSON does, so that an item stays on one line and cannot steer a terminal. A backslash
 * stays as it is: paths and patterns read better, and who needs every byte reads the store, not the print.
 */
export function printable(text: string): string {
  if (!CONTROLS.test(text)) return text;
  return text.replace(
    ALL_CONTROLS,
    (control) => SHORT_ESCAPES.get(control) ?? `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const QUOTED_MAX = 60;

/** A word of the user's, quoted and cut to a length that suits a message. */
export function quoted(word: string): string {
  return printable(JSON.stringify(word.length > QUOTED_MAX ? `${word.slice(0, QUOTED_MAX)}…` : word));
}
