import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a directory, and those above it, if they are not there; whatever was made is durable when this returns. */
export function makeDirectory(path: string, mode = 0o777): void {
  const whole = resolve(path);
  const first = mkdirSync(whole, { recursive: true, mode });
  if (first === undefined) return;
  for (let made = whole; made.length >= first.length; made = dirname(made)) syncDirectory(dirname(made));
}

/** Makes what was created in, or removed from, a directory durable. Windows has no such call, and does it by itself. */
export function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
