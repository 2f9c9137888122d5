import type { Origin } from '../base/ids.js';
import { type Done, succeed } from '../base/outcome.js';
import type { ReplicaState, ReplicaStorage, Visit } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Write } from '../bayou/write.js';
import { type Entry, isEmpty } from './entry.js';
import type { OperationCodec } from './operation-codec.js';
import { behindTime, compareRunPlaces, type RunPlace } from './run-place.js';
import { SortedKeys } from './sorted-keys.js';
import { SortedMap } from './sorted-map.js';

/** Keeps everything in this process's memory: nothing survives its end, so every change is at once as durable as it gets. */
export class MemoryStorage<Op> implements ReplicaStorage<Op> {
  readonly #entries = new Map<string, Entry<Op>>();
  readonly #sortedKeys = new SortedKeys(this.#entries);
  /** By accept time and key: each write is its own place. */
  readonly #runs = new Map<Origin, SortedMap<RunPlace, Write<Op>>>();
  /** By when they expire, and key. */
  readonly #expiring = new SortedMap<RunPlace, Write<Op>>(compareRunPlaces);
  readonly #expiresOf: (operation: Op) => number | null;
  readonly #seen = new VersionVector();
  #state: ReplicaState | null = null;
  #size = 0;
  #highestTime = 0;

  constructor({ expiresOf }: Pick<OperationCodec<Op>, 'expiresOf'>) {
    this.#expiresOf = expiresOf;
  }

  get highestTime(): number {
    return this.#highestTime;
  }

  get size(): number {
    return this.#size;
  }

  get keyCount(): number {
    return this.#entries.size;
  }

  get dirty(): boolean {
    return false;
  }

  history(key: string): readonly Write<Op>[] {
    return this.#entries.get(key)?.history ?? [];
  }

  base(key: string): Write<Op> | null {
    return this.#entries.get(key)?.base ?? null;
  }

  insert(write: Write<Op>, position: number): void {
    this.#entry(write.key).history.splice(position, 0, write);
    let run = this.#runs.get(write.origin);
    if (run === undefined) {
      run = new SortedMap(compareRunPlaces);
      this.#runs.set(write.origin, run);
    }
    if (run.get(write) !== undefined) {
      throw new RangeError(`two writes of ${write.origin} at ${write.acceptTime} on ${JSON.stringify(write.key)}`);
    }
    run.set(write, write);
    this.#size += 1;
    this.#highestTime = Math.max(this.#highestTime, write.acceptTime);
  }

  remove(key: string, position: number): void {
    this.#take(key, position);
    this.#forgetIfEmpty(key);
  }

  settle(key: string, present: boolean): void {
    const write = this.#take(key, 0);
    this.#replaceBase(key, present ? write : null);
  }

  setBase(key: string, base: Write<Op> | null): void {
    this.#replaceBase(key, base);
  }

  expiring(upTo: number): Iterator<Write<Op>> {
    return writesOf(this.#expiring, 0, upTo);
  }

  origins(): Iterable<Origin> {
    return this.#runs.keys();
  }

  run(origin: Origin, after: number, upTo: number): Iterator<Write<Op>> {
    return writesOf(this.#runs.get(origin), after, upTo);
  }

  count(origin: Origin, after: number, upTo: number): number {
    return this.#runs.get(origin)?.count(behindTime(after), behindTime(upTo)) ?? 0;
  }

  keys(after?: string): Generator<string> {
    return this.#sortedKeys.after(after);
  }

  walk(after: string | null, reverse: boolean, visit: Visit<Op>): void {
    for (const key of this.#sortedKeys.beyond(after, reverse)) {
      const entry = this.#entries.get(key);
      if (entry !== undefined && !visit(key, entry)) return;
    }
  }

  loadSeen(): VersionVector {
    return this.#seen.clone();
  }

  saveSeen(origin: Origin, acceptTime: number): void {
    this.#seen.raise(origin, acceptTime);
  }

  lowerSeen(origin: Origin, acceptTime: number): void {
    this.#seen.lower(origin, acceptTime);
  }

  loadState(): ReplicaState | null {
    return this.#state === null ? null : copyOf(this.#state);
  }

  saveState(state: ReplicaState): void {
    this.#state = copyOf(state);
  }

  flush(done: Done<void>): void {
    done(succeed(undefined));
  }

  recover(done: Done<void>): void {
    done(succeed(undefined));
  }

  #entry(key: string): Entry<Op> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { base: null, history: [] };
      this.#entries.set(key, entry);
      this.#sortedKeys.add(key);
    }
    return entry;
  }

  #replaceBase(key: string, base: Write<Op> | null): void {
    const entry = this.#entry(key);
    const had = entry.base === null ? null : this.#expiresOf(entry.base.operation);
    if (had !== null) this.#expiring.delete({ acceptTime: had, key });
    const has = base === null ? null : this.#expiresOf(base.operation);
    if (base !== null && has !== null) this.#expiring.set({ acceptTime: has, key }, base);
    entry.base = base;
    this.#forgetIfEmpty(key);
  }

  #forgetIfEmpty(key: string): void {
    if (isEmpty(this.#entry(key))) this.#entries.delete(key);
  }

  /** Takes a write out of its history and its run. */
  #take(key: string, position: number): Write<Op> {
    const [write] = this.#entries.get(key)?.history.splice(position, 1) ?? [];
    if (write === undefined) throw new RangeError(`no write at position ${position} of key ${JSON.stringify(key)}`);
    this.#runs.get(write.origin)?.delete(write);
    this.#size -= 1;
    return write;
  }
}

/** Those of the places behind `after`, up to `upTo`. */
function* writesOf<Op>(
  places: SortedMap<RunPlace, Write<Op>> | undefined,
  after: number,
  upTo: number,
): Generator<Write<Op>, undefined> {
  const cursor = places?.cursor(behindTime(after));
  for (let place = cursor?.key(); place !== undefined && place.acceptTime <= upTo; place = cursor?.key()) {
    yield cursor?.take() as Write<Op>;
  }
  return undefined;
}

/** The caller goes on to change its vectors. */
function copyOf(state: ReplicaState): ReplicaState {
  const { baseVector, replaced, retired, resume, store } = state;
  return {
    ...state,
    baseVector: baseVector.clone(),
    replaced: replaced.clone(),
    retired: [...retired],
    resume: resume === null ? null : { received: resume.received.clone(), target: resume.target.clone() },
    store: store === null ? null : { ...store },
  };
}
