import { connect } from 'node:net';
import { type Address, nameAddress } from '../base/address.js';
import { BaristaError, toBaristaError } from '../base/errors.js';
import { incarnationOf, type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import type { Log } from '../base/log.js';
import { type Done, promised } from '../base/outcome.js';
import type { LinkRequest, Status } from '../bayou/admin-messages.js';
import type { Driver } from '../driver/driver.js';
import { ReplicaConnection } from '../rpc/client.js';

/** How long a peer may take to answer. */
const TIMEOUT_MS = 2_000;
/** How often to look whether a link still works. */
const CHECK_MS = 5_000;
/** A peer that cannot be reached is left alone for so long; each time twice as long, */
const RETRY_MS = 100;
/** up to this. */
const RETRY_MS_MAX = 10_000;

export interface PeerKeeperOptions {
  readonly driver: Driver;
  readonly cluster: string;
  /** The replica that has these peers, as it is now. */
  readonly origin: () => Origin;
  /** Where a peer at this address reaches the replica. */
  readonly reachedFrom: (peer: Address) => Promise<Address>;
  readonly log: Log;
}

/**
 * Links a replica with peers of which only the address is known, both ways: asks who is there, links it, and has it link back.
 * A link that does not work is made again, so a peer may restart, forget its links, or be another replica by then.
 */
export class PeerKeeper {
  readonly #options: PeerKeeperOptions;
  readonly #peers: readonly KeptPeer[];

  constructor(addresses: readonly Address[], options: PeerKeeperOptions) {
    this.#options = options;
    this.#peers = addresses.map((address) => ({
      address,
      connection: new ReplicaConnection({ address }),
      id: null,
      failures: 0,
      timer: null,
      closed: false,
    }));
    for (const peer of this.#peers) this.#step(peer);
  }

  /** Lets go of every connection and timer. The links stay. */
  close(): void {
    for (const peer of this.#peers) {
      peer.closed = true;
      if (peer.timer !== null) clearTimeout(peer.timer);
      peer.connection.close();
    }
  }

  #step(peer: KeptPeer): void {
    this.#keep(peer).then(
      () => {
        peer.failures = 0;
        this.#again(peer, CHECK_MS);
      },
      (thrown: unknown) => {
        const { code, message } = toBaristaError(thrown);
        // One that is away is told of by the link, if there is one; the first failure tells of a wrong address.
        if (peer.failures === 0 && !peer.closed) {
          this.#options.log.warn({ code, peer: nameAddress(peer.address) }, `a peer cannot be linked yet: ${message}`);
        }
        const delayMs = Math.min(RETRY_MS * 2 ** peer.failures, RETRY_MS_MAX);
        peer.failures += 1;
        this.#again(peer, delayMs * (0.5 + Math.random() / 2));
      },
    );
  }

  #again(peer: KeptPeer, delayMs: number): void {
    if (!peer.closed) peer.timer = setTimeout(() => this.#step(peer), delayMs).unref();
  }

  async #keep(peer: KeptPeer): Promise<void> {
    const { driver } = this.#options;
    if (peer.id !== null) {
      const { links } = await promised<Status>((done) => driver.status(done));
      const link = links.find((one) => one.peer === peer.id);
      if (link !== undefined && link.lastError === null) return;
    }
    const { origin, terms } = await promised<Status>((done) => peer.connection.status(TIMEOUT_MS, done));
    const id = replicaIdOf(origin);
    const own = this.#options.origin();
    this.#check(peer, id, terms.cluster, replicaIdOf(own));
    if (peer.id !== null && peer.id !== id) await unlink(driver, peer.id);
    peer.id = id;
    const { address } = peer;
    await link(driver, { peer: id, address, incarnation: incarnationOf(origin) });
    const reached = await this.#options.reachedFrom(address);
    const back = { peer: replicaIdOf(own), address: reached, incarnation: incarnationOf(own) };
    await promised<void>((done) => peer.connection.link(back, TIMEOUT_MS, done));
  }

  #check({ address }: KeptPeer, id: ReplicaId, cluster: string, own: ReplicaId): void {
    const where = nameAddress(address);
    if (cluster !== this.#options.cluster) {
      const message = `the replica at ${where} is of cluster ${cluster}, not ${this.#options.cluster}`;
      throw new BaristaError('ERR_CLUSTER_MISMATCH', message);
    }
    if (id === own) throw new BaristaError('ERR_IDENTITY', `the replica at ${where} is ${id} itself, or has its id`);
  }
}

interface KeptPeer {
  readonly address: Address;
  readonly connection: ReplicaConnection;
  /** Who was there last; null until somebody was. */
  id: ReplicaId | null;
  failures: number;
  timer: NodeJS.Timeout | null;
  closed: boolean;
}

function link(driver: Driver, request: LinkRequest): Promise<void> {
  return promised((done: Done<void>) => driver.link(request, done));
}

function unlink(driver: Driver, peer: ReplicaId): Promise<void> {
  return promised((done: Done<void>) => driver.unlink({ peer }, done));
}

/** The address of this machine that connections to `peer` come from. */
export function localHostTowards({ host, port }: Address): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: TIMEOUT_MS });
    const fail = (cause?: Error): void => {
      socket.destroy();
      reject(new BaristaError('ERR_CONN', `no connection to ${host}:${port}`, { cause }));
    };
    socket.on('error', fail).on('timeout', () => fail());
    socket.on('connect', () => {
      const { localAddress } = socket;
      socket.destroy();
      if (localAddress === undefined) fail();
      else resolve(localAddress);
    });
  });
}
