import partition from 'lodash/partition.js';
import type { Address } from '../src/base/address.js';
import { checkId } from '../src/base/checks.js';
import { BaristaError } from '../src/base/errors.js';
import { type ClientId, compareIds, incarnationOf, type Origin, type ReplicaId } from '../src/base/ids.js';
import type { Done } from '../src/base/outcome.js';
import type { LogReply, PullOutcome, StabilizeReply, Status, StoreReply } from '../src/bayou/admin-messages.js';
import type { BatchPart, ReadReply, WriteReply } from '../src/bayou/messages.js';
import { type Guarantee, Session } from '../src/bayou/session.js';
import type { VersionVector } from '../src/bayou/version-vector.js';
import type { Write } from '../src/bayou/write.js';
import { Client } from '../src/client/client.js';
import type { KvOperation } from '../src/machine/kv.js';
import type { Cluster, GetResult } from './cluster.js';
import { logPages, storePages } from './pages.js';
import type { Simulation } from './simulation.js';
import { stabilizePart } from './stabilize.js';
import { Topology } from './topology.js';
import type { ClientLine, ReplicaHandle, World } from './world.js';

/** How long the master waits for a replica it gives an order to. */
const ADMIN_TIMEOUT_MS = 10_000;
/** A pull is ordered in steps: the replica answers after the budget, finished or not, and one that hangs is found out. */
const PULL_BUDGET_MS = 1_000;
const PULL_TIMEOUT_MS = 5_000;
/** After one sweep all hold the same writes, after two all know that they do, and in the third they fold them. */
const COMPACT_SWEEPS = 3;

interface Server {
  readonly id: ReplicaId;
  /** Null once it was retired: it may have taken its next one. */
  incarnation: number | null;
  readonly handle: ReplicaHandle;
  /** Null until it listens. */
  address: Address | null;
  paused: boolean;
  /** Why it ended, if it ended by itself. */
  death: BaristaError | null;
}

interface LinkedClient {
  readonly client: Client;
  readonly lines: Map<ReplicaId, ClientLine>;
}

/** A cluster over a world: who is linked with whom, and what the master asks of replicas and clients. */
export class LinkedCluster implements Cluster {
  readonly #world: World;
  readonly #guarantees: readonly Guarantee[];
  readonly #timeoutMs: number;
  readonly #servers = new Map<string, Server>();
  readonly #clients = new Map<string, LinkedClient>();
  /** The highest incarnation of an id that is known to have been taken. */
  readonly #incarnations = new Map<string, number>();
  /** The incarnation that an id was started under last. */
  readonly #founded = new Map<string, number>();
  /** The ids that were retired since they joined last. */
  readonly #retired = new Set<string>();
  readonly #topology = new Topology();

  constructor(world: World, guarantees: readonly Guarantee[], timeoutMs: number) {
    this.#world = world;
    this.#guarantees = guarantees;
    this.#timeoutMs = timeoutMs;
  }

  joinServer(id: string): Promise<void> {
    return this.#joining(id, () => {
      const incarnation = (this.#incarnations.get(id) ?? 0) + 1;
      this.#incarnations.set(id, incarnation);
      this.#founded.set(id, incarnation);
      this.#retired.delete(id);
      return this.#start(id, incarnation);
    });
  }

  restartServer(id: string): Promise<void> {
    return this.#joining(id, () => {
      const incarnation = this.#founded.get(id);
      if (incarnation === undefined) throw new BaristaError('ERR_UNKNOWN_ID', `there was never a server ${id}`);
      if (!this.#world.keepsData) {
        throw new BaristaError('ERR_OPTION', `server ${id} kept nothing: restartServer needs --data-dir`);
      }
      return this.#start(id, incarnation);
    });
  }

  async killServer(id: string): Promise<void> {
    const server = this.#server(id);
    const incarnation = await this.#incarnationOf(server);
    this.#incarnations.set(id, Math.max(incarnation, this.#incarnations.get(id) ?? 0));
    this.#forget(server);
    await server.handle.kill();
  }

  joinClient(id: string, serverId: string): Promise<void> {
    return this.#joining(id, () => {
      const server = this.#server(serverId);
      const client = new Client(new Session<KvOperation>(id as ClientId, this.#guarantees), this.#timeoutMs);
      this.#clients.set(id, { client, lines: new Map() });
      this.#topology.link(id, server.id);
      return this.#attach(id, server);
    });
  }

  async breakConnection(a: string, b: string): Promise<void> {
    const [server, other] = this.#ends(a, b);
    this.#topology.unlink(a, b);
    if (typeof other === 'string') return this.#detach(other, server);
    await Promise.all([this.#syncLink(server, other), this.#syncLink(other, server)]);
  }

  async createConnection(a: string, b: string): Promise<void> {
    const [server, other] = this.#ends(a, b);
    const wasLinked = this.#topology.linked(a, b);
    this.#topology.link(a, b);
    if (typeof other === 'string') return wasLinked ? undefined : this.#attach(other, server);
    await Promise.all([this.#syncLink(server, other), this.#syncLink(other, server)]);
  }

  async stabilize(): Promise<void> {
    const failure = await this.#sweep(false);
    if (failure !== null) throw failure;
  }

  async compact(): Promise<void> {
    let failure: Error | null = null;
    for (let sweep = 0; sweep < COMPACT_SWEEPS; sweep++) failure = (await this.#sweep(true)) ?? failure;
    if (failure !== null) throw failure;
  }

  async retireServer(id: string): Promise<void> {
    if (!this.#incarnations.has(id)) throw new BaristaError('ERR_UNKNOWN_ID', `there was never a server ${id}`);
    const asked = this.#liveServers().find((server) => server.id !== id && !server.paused);
    if (asked === undefined) throw new BaristaError('ERR_UNKNOWN_ID', 'there is no other running server to ask');
    const { admin } = asked.handle;
    await this.#world.answer<void>((done) => admin.retire({ id: id as ReplicaId }, ADMIN_TIMEOUT_MS, done));
    this.#retired.add(id);
    const server = this.#servers.get(id);
    if (server !== undefined) server.incarnation = null;
  }

  write(clientId: string, key: string, operation: KvOperation): Promise<void> {
    return this.#write(clientId, (client, done) => client.write(key, operation, done));
  }

  batch(clientId: string, parts: readonly BatchPart<KvOperation>[]): Promise<void> {
    return this.#write(clientId, (client, done) => client.batch(parts, done));
  }

  async #write(clientId: string, ask: (client: Client, done: Done<WriteReply>) => void): Promise<void> {
    const { client } = this.#client(clientId);
    const reply = await this.#world.answer<WriteReply>((done) => ask(client, done));
    if (reply.kind === 'missing') {
      throw new BaristaError(
        'ERR_DEP',
        `no linked replica holds what the session of ${clientId} needs: ${reply.missing}`,
      );
    }
  }

  async get(clientId: string, key: string): Promise<GetResult> {
    const { client } = this.#client(clientId);
    try {
      const reply = await this.#world.answer<ReadReply<Uint8Array>>((done) => client.read(key, done));
      if (reply.kind === 'found') return { kind: 'found', value: reply.value };
      return { kind: reply.kind === 'absent' ? 'ERR_KEY' : 'ERR_DEP' };
    } catch (error) {
      if (error instanceof BaristaError && error.code === 'ERR_CONN') return { kind: 'ERR_CONN' };
      throw error;
    }
  }

  async *store(id: string): AsyncGenerator<{ readonly key: string; readonly value: Uint8Array }> {
    const { admin } = this.#awakeServer(id).handle;
    const pages = storePages((request) =>
      this.#world.answer<StoreReply<Uint8Array>>((done) => admin.store(request, ADMIN_TIMEOUT_MS, done)),
    );
    for await (const page of pages) yield* page;
  }

  async *log(id: string): AsyncGenerator<Write<KvOperation>> {
    const { admin } = this.#awakeServer(id).handle;
    const pages = logPages((request) =>
      this.#world.answer<LogReply<KvOperation>>((done) => admin.log(request, ADMIN_TIMEOUT_MS, done)),
    );
    for await (const page of pages) yield* page;
  }

  async clock(id: string): Promise<VersionVector> {
    const { admin } = this.#awakeServer(id).handle;
    return (await this.#world.answer<Status>((done) => admin.status(ADMIN_TIMEOUT_MS, done))).seen;
  }

  async members(id: string): Promise<readonly Origin[]> {
    return (await this.clock(id)).sorted().map(([origin]) => origin);
  }

  async pause(id: string): Promise<void> {
    const server = this.#server(id);
    server.paused = true;
    await server.handle.pause();
  }

  /** Done when the replica has answered what reached it while it hung, and knows of the links changed meanwhile. */
  async resume(id: string): Promise<void> {
    const server = this.#server(id);
    if (!server.paused) return;
    await server.handle.resume();
    server.paused = false;
    const lines = [...this.#clients.values()].flatMap(({ lines }) => lines.get(server.id) ?? []);
    await Promise.all(
      lines.map((line) =>
        this.#world.answer<Status>((done) => line.status(ADMIN_TIMEOUT_MS, done)).catch(() => undefined),
      ),
    );
    const others = this.#liveServers().filter((other) => other !== server);
    await Promise.all(others.map((other) => this.#syncLink(server, other)));
  }

  sleep(ms: number): Promise<void> {
    return this.#world.sleep(ms);
  }

  simulation(): Simulation {
    const { simulation } = this.#world;
    if (simulation !== null) return simulation;
    throw new BaristaError('ERR_OPTION', 'simulate, at and check need virtual time: --world simulated');
  }

  ids(): { readonly servers: readonly string[]; readonly clients: readonly string[] } {
    return {
      servers: this.#liveServers().map((server) => server.id),
      clients: [...this.#clients.keys()].sort(compareIds),
    };
  }

  async close(): Promise<void> {
    for (const { client } of this.#clients.values()) client.close();
    for (const server of this.#servers.values()) server.handle.admin.close();
    await this.#world.close();
  }

  /** Checks and takes an id before anything is waited for, so that joins may overlap; a join that fails gives it back. */
  async #joining(id: string, join: () => Promise<void>): Promise<void> {
    const wrong = checkId(id);
    if (wrong !== null) throw wrong;
    const server = this.#servers.get(id);
    if (this.#clients.has(id)) throw new BaristaError('ERR_DUPLICATE_ID', `there is already a client ${id}`);
    if (server !== undefined && server.death === null) {
      throw new BaristaError('ERR_DUPLICATE_ID', `there is already a server ${id}`);
    }
    await join();
  }

  /** Starts a replica and links it with every live one. */
  #start(id: string, incarnation: number): Promise<void> {
    const onDeath = (error: BaristaError): void => {
      server.death = error;
      this.#topology.remove(id);
    };
    const handle = this.#world.startReplica(id as ReplicaId, incarnation, onDeath);
    const server: Server = {
      id: id as ReplicaId,
      incarnation: this.#retired.has(id) ? null : incarnation,
      handle,
      address: null,
      paused: false,
      death: null,
    };
    this.#servers.set(id, server);
    for (const other of this.#liveServers()) if (other !== server) this.#topology.link(id, other.id);
    return this.#linkWhenReady(server);
  }

  async #linkWhenReady(server: Server): Promise<void> {
    try {
      server.address = await server.handle.ready;
    } catch (error) {
      this.#forget(server);
      throw error;
    }
    const others = this.#liveServers().filter((other) => other !== server && other.address !== null);
    await Promise.all(others.flatMap((other) => [this.#syncLink(server, other), this.#syncLink(other, server)]));
  }

  /** Tells a replica whether it is linked with another. One that is paused is told when it resumes. */
  async #syncLink(server: Server, other: Server): Promise<void> {
    const { address } = other;
    if (server.paused || server.address === null || address === null || server.death !== null) return;
    const { admin } = server.handle;
    const { id: peer, incarnation } = other;
    if (this.#topology.linked(server.id, peer)) {
      await this.#world.answer<void>((done) => admin.link({ peer, address, incarnation }, ADMIN_TIMEOUT_MS, done));
    } else {
      await this.#world.answer<void>((done) => admin.unlink({ peer }, ADMIN_TIMEOUT_MS, done));
    }
  }

  async #attach(clientId: string, server: Server): Promise<void> {
    await server.handle.ready;
    const { client, lines } = this.#client(clientId);
    const line = server.handle.connectClient();
    lines.set(server.id, line);
    client.attach(server.id, line);
  }

  #detach(clientId: string, server: Server): void {
    const { client, lines } = this.#client(clientId);
    client.detach(server.id);
    lines.delete(server.id);
  }

  /** Brings every part of the network to its fixpoint. Why one could not be; null if all were. */
  async #sweep(compact: boolean): Promise<Error | null> {
    const awake = this.#liveServers().filter((server) => !server.paused);
    const parts = this.#topology.parts(awake.map((server) => server.id));
    const pulls = parts.map(async (part) => {
      const pullFrom = (replica: string, neighbours: readonly string[]): Promise<StabilizeReply> =>
        this.#pullFrom(replica, neighbours, compact);
      const [alone] = part.ids;
      // It has nobody to pull from, and yet something to fold.
      if (compact && alone !== undefined && part.ids.length === 1) await pullFrom(alone, []);
      await stabilizePart(part, pullFrom);
    });
    const failed = (await Promise.allSettled(pulls)).find((result) => result.status === 'rejected');
    return failed === undefined ? null : (failed.reason as Error);
  }

  async #pullFrom(replica: string, neighbours: readonly string[], compact: boolean): Promise<StabilizeReply> {
    const { admin } = this.#awakeServer(replica).handle;
    const outcomes: PullOutcome[] = [];
    for (let peers = neighbours as readonly ReplicaId[]; ; ) {
      const request = { peers, budgetMs: PULL_BUDGET_MS, compact };
      const reply: StabilizeReply = await this.#world.answer((done) => admin.stabilize(request, PULL_TIMEOUT_MS, done));
      const [ended, underWay] = partition(reply.outcomes, ({ done, error }) => done || error !== null);
      outcomes.push(...ended);
      if (underWay.length === 0) return { seen: reply.seen, outcomes };
      peers = underWay.map(({ peer }) => peer);
    }
  }

  /** A replica takes its next incarnation by itself when it has to rejoin the others. */
  async #incarnationOf(server: Server): Promise<number> {
    const founded = this.#founded.get(server.id) ?? 0;
    const { admin } = server.handle;
    // One that cannot be asked has at most been retired since.
    if (server.paused || server.address === null) return founded + (this.#retired.has(server.id) ? 1 : 0);
    try {
      return incarnationOf((await this.#world.answer<Status>((done) => admin.status(PULL_BUDGET_MS, done))).origin);
    } catch {
      return founded + 1;
    }
  }

  #liveServers(): Server[] {
    return [...this.#servers.values()].filter(({ death }) => death === null).sort((a, b) => compareIds(a.id, b.id));
  }

  #forget(server: Server): void {
    for (const clientId of this.#topology.neighbours(server.id))
      if (this.#clients.has(clientId)) this.#detach(clientId, server);
    this.#topology.remove(server.id);
    this.#servers.delete(server.id);
  }

  #server(id: string): Server {
    const server = this.#servers.get(id);
    if (server === undefined) throw new BaristaError('ERR_UNKNOWN_ID', `there is no server ${id}`);
    if (server.death !== null) throw server.death;
    return server;
  }

  #awakeServer(id: string): Server {
    const server = this.#server(id);
    if (server.paused) throw new BaristaError('ERR_PAUSED', `server ${id} is paused`);
    return server;
  }

  #client(id: string): LinkedClient {
    const client = this.#clients.get(id);
    if (client === undefined) throw new BaristaError('ERR_UNKNOWN_ID', `there is no client ${id}`);
    return client;
  }

  /** The two ends of a link in either order: a server, and another server or the id of a client. */
  #ends(a: string, b: string): readonly [Server, Server | string] {
    const clients = [a, b].filter((id) => this.#clients.has(id));
    if (a === b) throw new BaristaError('ERR_INVALID_LINK', `${a} cannot be linked with itself`);
    if (clients.length === 2) throw new BaristaError('ERR_INVALID_LINK', `${a} and ${b} are both clients`);
    const [client] = clients;
    if (client === undefined) return [this.#server(a), this.#server(b)];
    return [this.#server(client === a ? b : a), client];
  }
}
