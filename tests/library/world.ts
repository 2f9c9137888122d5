import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Address } from '../../src/base/address.js';
import type { ReplicaId } from '../../src/base/ids.js';
import { promised } from '../../src/base/outcome.js';
import type { StabilizeReply } from '../../src/bayou/admin-messages.js';
import { type Bundles, connect, type Sessions } from '../../src/client/library.js';
import { ReplicaConnection } from '../../src/rpc/client.js';
import { openReplica } from '../../src/server/library.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const PATIENCE_MS = 30_000;

/** Replicas with their data on disk, and what a program reaches each through. */
export interface LibraryReplica {
  readonly id: string;
  /** As the program has it: the replica itself, or a client of it alone. */
  readonly sessions: Sessions & Bundles;
  readonly address: Address;
}

export interface ReplicaSettings {
  /** Null, and so the default: replicas exchange writes only when `sync` has them. */
  readonly antiEntropyMs?: number | null;
  readonly cluster?: string;
  readonly retryWindowMs?: number;
  /** A module of merge procedures. */
  readonly procedures?: string;
}

/** One of the two worlds that a program may live in. */
export abstract class LibraryWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'barista-library-'));
  readonly #admins = new Map<string, ReplicaConnection>();

  abstract start(id: string, settings?: ReplicaSettings): Promise<LibraryReplica>;
  protected abstract end(): Promise<void>;

  async link(a: LibraryReplica, b: LibraryReplica): Promise<void> {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const request = { peer: other.id as ReplicaId, address: other.address, incarnation: null };
      await promised<void>((done) => this.admin(one).link(request, PATIENCE_MS, done));
    }
  }

  /** `to` takes over what `from` holds. */
  async sync(from: LibraryReplica, to: LibraryReplica, compact = false): Promise<void> {
    const request = { peers: [from.id as ReplicaId], budgetMs: PATIENCE_MS, compact };
    const { outcomes } = await promised<StabilizeReply>((done) => this.admin(to).stabilize(request, PATIENCE_MS, done));
    for (const { error } of outcomes) if (error !== null) throw new Error(`${error.code}: ${error.message}`);
  }

  admin({ id, address }: LibraryReplica): ReplicaConnection {
    const known = this.#admins.get(id);
    if (known !== undefined) return known;
    const connection = new ReplicaConnection({ address });
    this.#admins.set(id, connection);
    return connection;
  }

  async close(): Promise<void> {
    for (const admin of this.#admins.values()) admin.close();
    await this.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Replicas in this process. */
export class EmbeddedWorld extends LibraryWorld {
  readonly #replicas: AsyncDisposable[] = [];

  async start(id: string, { procedures, ...settings }: ReplicaSettings = {}): Promise<LibraryReplica> {
    const module = procedures === undefined ? { default: [] } : await import(procedures);
    const replica = await openReplica({
      procedures: module.default,
      id,
      dataDir: join(this.folder, id),
      listen: 0,
      antiEntropyMs: null,
      ...settings,
    });
    this.#replicas.push(replica);
    if (replica.address === null) throw new Error('it does not listen');
    return { id, sessions: replica, address: replica.address };
  }

  protected async end(): Promise<void> {
    for (const replica of this.#replicas) await replica[Symbol.asyncDispose]();
  }
}

/** Each replica in a process of its own. */
export class RemoteWorld extends LibraryWorld {
  readonly #ends: (() => Promise<unknown>)[] = [];

  async start(
    id: string,
    { antiEntropyMs = null, cluster = 'default', retryWindowMs = 600_000, procedures }: ReplicaSettings = {},
  ): Promise<LibraryReplica> {
    const exchange = antiEntropyMs === null ? 'off' : `${antiEntropyMs}ms`;
    const data = ['--data-dir', join(this.folder, id), '--cluster', cluster, '--anti-entropy', exchange];
    const window = ['--retry-window', `${retryWindowMs}ms`];
    const merging = procedures === undefined ? [] : ['--procedures', procedures];
    const server = execa(process.execPath, [CLI, 'server', '--id', id, '--lifeline', ...data, ...window, ...merging], {
      reject: false,
      stdin: 'pipe',
      stderr: 'inherit',
    });
    this.#ends.push(async () => {
      server.kill('SIGKILL');
      await server;
    });
    const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const { host, port } = JSON.parse(line) as Address;
    const client = await connect({ endpoints: [`${host}:${port}`] });
    this.#ends.push(() => client.close());
    return { id, sessions: client, address: { host, port } };
  }

  protected async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }
}

/**
 * Has the tests of a suite run in a world with two replicas, `a` and `b`, which exchange writes only when told to; and holds
 * that no promise is left that rejects with nobody to hear it.
 */
export function useTwoReplicas(
  make: () => LibraryWorld,
  take: (world: LibraryWorld, a: LibraryReplica, b: LibraryReplica) => void,
): void {
  let world: LibraryWorld;
  const rejections: unknown[] = [];
  const note = (reason: unknown): number => rejections.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    world = make();
    const [a, b] = await Promise.all([world.start('a'), world.start('b')]);
    await world.link(a, b);
    await world.sync(a, b);
    await world.sync(b, a);
    take(world, a, b);
  });

  afterAll(async () => {
    await world.close();
    process.off('unhandledRejection', note);
    expect(rejections).toEqual([]);
  });
}

/** What a call rejected with. */
export async function errorOf(call: Promise<unknown>): Promise<{ readonly code: string; readonly advice: string }> {
  const outcome = await call.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (outcome instanceof Error && 'code' in outcome && 'advice' in outcome) return outcome as never;
  throw new Error(`not rejected with a coded error: ${outcome}`);
}

/** Waits until `holds`, which may be asked again and again. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`in vain: ${what}`);
    await delay(10);
  }
}
