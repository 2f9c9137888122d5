/** Where a replica listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The address that `HOST:PORT` says, with the host of an IPv6 address in brackets; null if it says none. Ports are not checked. */
export function readAddress(text: string): Address | null {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:=[\]]+)):(\d+)$/s.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined || port === undefined ? null : { host, port: Number(port) };
}

/** As `readAddress` reads it. */
export function nameAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
