import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/*
 * What Barista is measured beside. None of it is needed to build or run Barista: packages have a package.json of their
 * own in bench/peers, servers are looked for on the PATH, and a row whose peer is not there says so.
 */

const require = createRequire(fileURLToPath(new URL('../../bench/peers/package.json', import.meta.url)));

export const INSTALL_PACKAGES = 'npm ci --prefix bench/peers';
const INSTALL_SERVERS: Readonly<Record<string, string>> = {
  etcd: 'apt-get install etcd-server',
  'redis-server': 'apt-get install redis-server',
};

/** A package of bench/peers, null if it is not installed. The caller knows its type. */
export function peerPackage<Module>(name: string): Module | null {
  try {
    return require(name) as Module;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return null;
    throw error;
  }
}

export function hasPackage(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

export function hasServer(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What stands in the row of a peer that is not installed. */
export function notInstalled(name: string): string {
  return `${name} is not installed: ${INSTALL_SERVERS[name] ?? INSTALL_PACKAGES}`;
}
