import { createRequire } from 'node:module';
import type { Logger } from 'pino';
import type { Log } from '../base/log.js';

/**
 * Lines of JSON on standard error, written at once, so that the last words of a replica that dies are there. Under a
 * master only warnings: its standard error is for what a script's author must see. The logger is loaded with the first
 * line, since most replicas of a master start, serve and end without one.
 */
export function openLog(id: string, quiet: boolean): Log {
  let logger: Logger | null = null;
  const opened = (): Logger => {
    logger ??= openLogger(id);
    return logger;
  };
  return {
    info: (fields, message) => {
      if (!quiet) opened().info(fields, message);
    },
    warn: (fields, message) => opened().warn(fields, message),
  };
}

function openLogger(id: string): Logger {
  const { pino, destination } = createRequire(import.meta.url)('pino') as typeof import('pino');
  const timestamp = (): string => `,"time":"${new Date().toISOString()}"`;
  return pino({ base: { replica: id }, timestamp }, destination({ dest: 2, sync: true }));
}
