import type { Origin } from '../base/ids.js';
import type { Done } from '../base/outcome.js';
import type { ReplicaState, ReplicaStorage, Visit } from './ports.js';
import type { VersionVector } from './version-vector.js';
import type { Write } from './write.js';

/** A storage, and somebody who is told of each key whose writes are about to change. */
export class ObservedStorage<Op> implements ReplicaStorage<Op> {
  readonly #storage: ReplicaStorage<Op>;
  readonly #beforeChange: (key: string) => void;

  constructor(storage: ReplicaStorage<Op>, beforeChange: (key: string) => void) {
    this.#storage = storage;
    this.#beforeChange = beforeChange;
  }

  get size(): number {
    return this.#storage.size;
  }

  get keyCount(): number {
    return this.#storage.keyCount;
  }

  get highestTime(): number {
    return this.#storage.highestTime;
  }

  get dirty(): boolean {
    return this.#storage.dirty;
  }

  history(key: string): readonly Write<Op>[] {
    return this.#storage.history(key);
  }

  insert(write: Write<Op>, position: number): void {
    this.#beforeChange(write.key);
    this.#storage.insert(write, position);
  }

  remove(key: string, position: number): void {
    this.#beforeChange(key);
    this.#storage.remove(key, position);
  }

  base(key: string): Write<Op> | null {
    return this.#storage.base(key);
  }

  settle(key: string, present: boolean): void {
    this.#beforeChange(key);
    this.#storage.settle(key, present);
  }

  setBase(key: string, base: Write<Op> | null): void {
    this.#beforeChange(key);
    this.#storage.setBase(key, base);
  }

  expiring(upTo: number): Iterator<Write<Op>> {
    return this.#storage.expiring(upTo);
  }

  origins(): Iterable<Origin> {
    return this.#storage.origins();
  }

  run(origin: Origin, after: number, upTo: number): Iterator<Write<Op>> {
    return this.#storage.run(origin, after, upTo);
  }

  count(origin: Origin, after: number, upTo: number): number {
    return this.#storage.count(origin, after, upTo);
  }

  keys(after?: string): Iterator<string> {
    return this.#storage.keys(after);
  }

  walk(after: string | null, reverse: boolean, visit: Visit<Op>): void {
    this.#storage.walk(after, reverse, visit);
  }

  loadSeen(): VersionVector {
    return this.#storage.loadSeen();
  }

  saveSeen(origin: Origin, acceptTime: number): void {
    this.#storage.saveSeen(origin, acceptTime);
  }

  lowerSeen(origin: Origin, acceptTime: number): void {
    this.#storage.lowerSeen(origin, acceptTime);
  }

  loadState(): ReplicaState | null {
    return this.#storage.loadState();
  }

  saveState(state: ReplicaState): void {
    this.#storage.saveState(state);
  }

  flush(done: Done<void>): void {
    this.#storage.flush(done);
  }

  recover(done: Done<void>): void {
    this.#storage.recover(done);
  }
}
