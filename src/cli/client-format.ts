import { isUtf8 } from 'node:buffer';
import { formatClock, formatMember, formatValue, printable } from '../../master/format.js';
import type { Address } from '../base/address.js';
import { incarnationOf, replicaIdOf } from '../base/ids.js';
import type { Status } from '../bayou/admin-messages.js';

/** What the commands that speak to replicas print. `barista status --help` documents the two forms of a status. */

/** A fact a line, its name first, so that grep and awk find it. */
export function formatStatus(status: Status): readonly string[] {
  const { origin, terms, seen, writes, links } = status;
  return [
    `replica ${formatMember(origin)}`,
    `cluster ${printable(terms.cluster)}`,
    `protocol ${terms.protocol}`,
    `tie-break ${terms.tieBreak}`,
    `clock ${terms.clock}`,
    `writes ${writes}`,
    ...formatClock(seen).map((entry) => `seen ${entry}`),
    ...links.map(({ peer, address, lastError }) => {
      return `link ${printable(peer)}=${formatAddress(address)} ${lastError ?? '-'}`;
    }),
    ...links.flatMap(({ peer, drift }) =>
      drift === null ? [] : [`drift ${printable(peer)} ${formatMember(drift.origin)} ${drift.aheadMs}`],
    ),
  ];
}

export function formatStatusJson(status: Status): string {
  const { origin, terms, seen, writes, links } = status;
  return JSON.stringify({
    id: replicaIdOf(origin),
    incarnation: incarnationOf(origin),
    cluster: terms.cluster,
    protocol: terms.protocol,
    tieBreak: terms.tieBreak,
    clock: terms.clock,
    writes,
    seen: seen
      .sorted()
      .map(([member, time]) => ({ id: replicaIdOf(member), incarnation: incarnationOf(member), time })),
    links: links.map(({ peer, address, lastError, drift }) => ({
      id: peer,
      host: address.host,
      port: address.port,
      lastError,
      drift:
        drift === null
          ? null
          : { id: replicaIdOf(drift.origin), incarnation: incarnationOf(drift.origin), aheadMs: drift.aheadMs },
    })),
  });
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
