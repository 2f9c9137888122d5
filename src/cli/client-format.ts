import { isUtf8 } from 'node:buffer';
import { formatClock, formatGet, formatMember, formatValue, printable } from '../../master/format.js';
import type { Address } from '../base/address.js';
import { incarnationOf, type Origin, replicaIdOf } from '../base/ids.js';
import type { Progress, Status } from '../bayou/admin-messages.js';
import type { Change, Stamp } from '../client/library.js';

/** What the commands that speak to replicas print. `barista status --help` documents the two forms of a status. */

/** A fact a line, its name first, so that grep and awk find it. */
export function formatStatus(status: Status): readonly string[] {
  const { origin, terms, seen, writes, base, stable, waitsFor, retired, links, lacks } = status;
  return [
    `replica ${formatMember(origin)}`,
    `cluster ${printable(terms.cluster)}`,
    `protocol ${terms.protocol}`,
    `tie-break ${terms.tieBreak}`,
    `clock ${terms.clock}`,
    `retry-window ${terms.retryWindowMs}ms`,
    `writes ${writes}`,
    `base ${base}`,
    `stable ${stable}`,
    ...waitsFor.map((member) => `waits-for ${formatMember(member)}`),
    ...retired.map((member) => `retired ${formatMember(member)}`),
    ...lacks.map((procedure) => `lacks ${procedure}`),
    ...formatClock(seen).map((entry) => `seen ${entry}`),
    ...links.map(({ peer, address, lastError }) => {
      return `link ${printable(peer)}=${formatAddress(address)} ${lastError ?? '-'}`;
    }),
    ...links.flatMap(({ peer, progress }) =>
      progress === null ? [] : [`progress ${printable(peer)} ${formatProgress(progress)}`],
    ),
    ...links.flatMap(({ peer, drift }) =>
      drift === null ? [] : [`drift ${printable(peer)} ${formatMember(drift.origin)} ${drift.aheadMs}`],
    ),
  ];
}

export function formatStatusJson(status: Status): string {
  const { origin, terms, seen, writes, base, stable, waitsFor, retired, links, lacks } = status;
  return JSON.stringify({
    id: replicaIdOf(origin),
    incarnation: incarnationOf(origin),
    cluster: terms.cluster,
    protocol: terms.protocol,
    tieBreak: terms.tieBreak,
    clock: terms.clock,
    retryWindowMs: terms.retryWindowMs,
    writes,
    base,
    stable,
    waitsFor: waitsFor.map(memberOf),
    retired: retired.map(memberOf),
    lacks,
    seen: seen.sorted().map(([member, time]) => ({ ...memberOf(member), time })),
    links: links.map(({ peer, address, lastError, drift, progress }) => ({
      id: peer,
      host: address.host,
      port: address.port,
      lastError,
      drift: drift === null ? null : { ...memberOf(drift.origin), aheadMs: drift.aheadMs },
      progress,
    })),
  });
}

/** What is under the key of a change now. */
export function formatChange({ key, value }: Change<Uint8Array>): string {
  return formatGet(key, value === undefined ? { kind: 'ERR_KEY' } : { kind: 'found', value });
}

/** `barista watch --help` documents it. */
export function formatChangeJson(change: Change<Uint8Array>, cursor: string | null): string {
  const { key, value, stamp, client, standing, stands, reordered, lost, expires = null } = change;
  const text = (bytes: Uint8Array | undefined): string | null => (bytes === undefined ? null : textOf(bytes));
  return JSON.stringify({
    key,
    value: text(value),
    ...stampFields(stamp),
    client,
    stands,
    standing: stampFields(standing),
    reordered,
    lost: text(lost),
    expires,
    cursor,
  });
}

/** As it is; as `0x` and hexadecimal digits if it is not UTF-8. */
export function textOf(value: Uint8Array): string {
  return isUtf8(value) ? new TextDecoder().decode(value) : formatValue(value);
}

export function stampFields({ acceptTime, origin }: Stamp): object {
  return { time: acceptTime, ...memberOf(origin) };
}

function memberOf(member: Origin): { readonly id: string; readonly incarnation: number } {
  return { id: replicaIdOf(member), incarnation: incarnationOf(member) };
}

/** `12,000 of 1,000,000 writes, 350,000/s`. */
export function formatProgress({ done, total, perSecond }: Progress): string {
  return `${formatCount(done)} of ${formatCount(total)} writes, ${formatCount(perSecond)}/s`;
}

const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `1,000,000`. */
export function formatCount(number: number): string {
  return COUNT.format(number);
}

/** As `--at` takes it. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : printable(host)}:${port}`;
}

/** A value for a person: its lines and tabs as they are, but nothing that steers the terminal. */
export function formatForTerminal(value: Uint8Array): string {
  if (!isUtf8(value)) return formatValue(value);
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    .toString('utf8')
    .replace(/[^\n\t]+/g, printable);
}
