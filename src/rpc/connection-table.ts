/** What a listener knows of one of its connections. */
export interface TableEntry {
  /** True if no call waits for its answer. */
  readonly isIdle: boolean;
  /** Ends it; why, for the log. */
  evict(why: string): void;
}

interface Row {
  /** When it was last of use, on the clock of `performance.now()`. */
  usedAt: number;
  heldBytes: number;
}

export interface TableLimits {
  readonly connectionsMax: number;
  /** Parts of frames and unsent replies, of all connections together. */
  readonly heldBytesMax: number;
  /** How long a connection must have been idle before it makes room for another. */
  readonly idleMsMin: number;
}

/**
 * The connections of a listener, and what they may take together. When there are as many as may be, the one that has been
 * idle longest makes room for a new one: so who opens connections and leaves them cannot shut others out. When together
 * they hold more than they may, the one that holds most is ended.
 */
export class ConnectionTable<Connection extends TableEntry> {
  readonly #limits: TableLimits;
  /** Longest unused first. */
  readonly #rows = new Map<Connection, Row>();
  #heldBytes = 0;

  constructor(limits: TableLimits) {
    this.#limits = limits;
  }

  connections(): IterableIterator<Connection> {
    return this.#rows.keys();
  }

  /** False if there is no room for one more. */
  makeRoom(): boolean {
    if (this.#rows.size < this.#limits.connectionsMax) return true;
    const idleSince = performance.now() - this.#limits.idleMsMin;
    for (const [connection, { usedAt }] of this.#rows) {
      if (usedAt > idleSince) return false;
      if (!connection.isIdle) continue;
      this.remove(connection);
      connection.evict('the connection that was idle longest made room for another');
      return true;
    }
    return false;
  }

  add(connection: Connection): void {
    this.#rows.set(connection, { usedAt: performance.now(), heldBytes: 0 });
  }

  remove(connection: Connection): void {
    this.#heldBytes -= this.#rows.get(connection)?.heldBytes ?? 0;
    this.#rows.delete(connection);
  }

  /** The connection brought a whole frame. */
  used(connection: Connection): void {
    const row = this.#rows.get(connection);
    if (row === undefined) return;
    row.usedAt = performance.now();
    this.#rows.delete(connection);
    this.#rows.set(connection, row);
  }

  /** The connection holds so many bytes by now. */
  holds(connection: Connection, bytes: number): void {
    const row = this.#rows.get(connection);
    if (row === undefined) return;
    this.#heldBytes += bytes - row.heldBytes;
    row.heldBytes = bytes;
    while (this.#heldBytes > this.#limits.heldBytesMax) this.#endLargest();
  }

  #endLargest(): void {
    let largest: Connection | null = null;
    let most = -1;
    for (const [connection, { heldBytes }] of this.#rows) {
      if (heldBytes <= most) continue;
      largest = connection;
      most = heldBytes;
    }
    if (largest === null) return;
    this.remove(largest);
    largest.evict(`of all connections it held most, ${most} bytes, and all together too much`);
  }
}
