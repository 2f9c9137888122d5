import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * What a measurement leaves on the machine, and takes away again however it ends: a folder, and the processes it started.
 */

let folder: string | null = null;
const children = new Set<ChildProcess>();
let folders = 0;

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** A name in the folder of this run that nothing has yet. */
export function freshPath(name: string): string {
  folder ??= mkdtempSync(join(tmpdir(), 'barista-bench-'));
  folders += 1;
  return join(folder, `${folders}-${name}`);
}

/** Sees to it that `child` ends with this process. */
export function minded<Child extends ChildProcess>(child: Child): Child {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** Ends it at once; done when it is gone. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** What the files below `path` take on the disk, holes not counted. */
export function bytesOnDisk(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + bytesOnDisk(join(path, name)), 0);
}

/** A port that was free a moment ago, for servers that cannot be asked to pick one. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}
