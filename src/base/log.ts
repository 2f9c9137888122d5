/** Where a replica says what it notices; a port, so that the simulator can listen too. */
export interface Log {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
}

export type LogFields = Readonly<Record<string, string | number | null>>;

export const SILENT_LOG: Log = { info: () => undefined, warn: () => undefined };
