import { type Random, seededRandom } from '../../src/base/random.js';
import type { Direction } from './proxy.js';

/** Something that goes wrong with one process and its disk for `ms`. */
type ReplicaFault =
  /** `kill -9`; it is started again over the same directory after `ms`. */
  | { readonly kind: 'kill' }
  /** SIGSTOP, and SIGCONT after `ms`. */
  | { readonly kind: 'pause' }
  /** The wall clock steps by so much, and back. */
  | { readonly kind: 'clock'; readonly stepMs: number }
  /** Nothing more fits on the disk; killed, it is started on it too. */
  | { readonly kind: 'full-disk'; readonly killed: boolean }
  /** No file can be written beyond so many bytes (RLIMIT_FSIZE). */
  | { readonly kind: 'file-limit'; readonly bytes: number }
  /** The folders of its data take no new files; likewise. */
  | { readonly kind: 'read-only'; readonly killed: boolean }
  /** Cut off from all others, or killed, it is retired; then it returns. */
  | { readonly kind: 'retire'; readonly killed: boolean };

/** Something that a link does for `ms`. */
type LinkFault =
  | { readonly kind: 'cut' }
  | { readonly kind: 'cut-in-frame'; readonly direction: Direction }
  | { readonly kind: 'half-open'; readonly direction: Direction }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number }
  | { readonly kind: 'split' }
  | { readonly kind: 'coalesce' };

interface When {
  /** Milliseconds since the beginning of the load. */
  readonly at: number;
  readonly ms: number;
}

export type Fault = When &
  (
    | (ReplicaFault & { readonly replica: string })
    | (LinkFault & { readonly link: string })
    /** The links between the two sides are down. */
    | { readonly kind: 'partition'; readonly side: readonly string[] }
    /** A replica that was not there before. */
    | { readonly kind: 'join'; readonly replica: string }
  );

export type FaultKind = Fault['kind'];

export interface World {
  readonly replicas: readonly string[];
  /** One of them, which is yet to join. */
  readonly latecomer: string;
  /** The one whose disk can be filled; null if the system does not offer that. */
  readonly smallDisk: string | null;
  readonly fileLimit: boolean;
  readonly readOnly: boolean;
  /** Between replicas, and from clients; each named by who makes the connection and to whom. */
  readonly links: readonly string[];
  readonly clientLinks: readonly string[];
}

/** How often each kind is drawn, against the others. */
const WEIGHTS: Readonly<Record<Exclude<FaultKind, 'join'>, number>> = {
  kill: 10,
  pause: 8,
  clock: 4,
  'full-disk': 4,
  'file-limit': 4,
  'read-only': 4,
  retire: 5,
  partition: 6,
  cut: 10,
  'cut-in-frame': 14,
  'half-open': 8,
  delay: 8,
  throttle: 8,
  split: 6,
  coalesce: 4,
};

/** Half the mean time between two faults. */
const GAP_MS = 300;
/** Time a replica is given between two faults of its own. */
const REST_MS = 1_500;
/**
 * Pauses, the steps of clocks and the absence of who is retired, together with how long a byte may be under way, stay
 * well below the retry window: what is accepted twice further apart than that may take effect twice.
 */
const PAUSE_MS_MAX = 1_500;
const CLOCK_STEP_MS_MAX = 700;
const RETIRED_MS_MAX = 1_500;

/** All that is to go wrong, drawn from the seed alone. */
export function drawSchedule(seed: number, durationMs: number, world: World): Fault[] {
  return new Drawing(seededRandom(seed), durationMs, world).draw();
}

class Drawing {
  readonly #random: Random;
  readonly #durationMs: number;
  readonly #world: World;
  readonly #faults: Fault[] = [];
  /** Until when a replica or link has its hands full. */
  readonly #busy = new Map<string, number>();
  readonly #kinds: readonly FaultKind[];

  constructor(random: Random, durationMs: number, world: World) {
    this.#random = random;
    this.#durationMs = durationMs;
    this.#world = world;
    const { smallDisk, fileLimit, readOnly } = world;
    const absent = new Set<FaultKind>();
    if (smallDisk === null) absent.add('full-disk');
    if (!fileLimit) absent.add('file-limit');
    if (!readOnly) absent.add('read-only');
    this.#kinds = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
      absent.has(kind as FaultKind) ? [] : Array.from({ length: weight }, () => kind as FaultKind),
    );
  }

  draw(): Fault[] {
    this.#join(this.#world.latecomer);
    for (let at = 1_000; at < this.#durationMs; at += this.#random.below(2 * GAP_MS)) {
      const fault = this.#fault(this.#pick(this.#kinds), at);
      if (fault !== null) this.#faults.push(fault);
    }
    return this.#faults.sort((a, b) => a.at - b.at);
  }

  /** Late enough for the others to have folded something. */
  #join(replica: string): void {
    const at = Math.floor(this.#durationMs * 0.6) + this.#random.below(Math.ceil(this.#durationMs * 0.1));
    this.#faults.push({ kind: 'join', replica, at, ms: 0 });
    this.#busy.set(replica, at + REST_MS);
  }

  #fault(kind: FaultKind, at: number): Fault | null {
    const { smallDisk, replicas } = this.#world;
    switch (kind) {
      case 'kill':
        return this.#ofReplica(at, this.#ms(50, 3_000), (replica, when) => ({ kind, replica, ...when }));
      case 'pause':
        return this.#ofReplica(at, this.#ms(50, PAUSE_MS_MAX), (replica, when) => ({ kind, replica, ...when }));
      case 'clock': {
        const stepMs = this.#random.below(2 * CLOCK_STEP_MS_MAX) - CLOCK_STEP_MS_MAX;
        return this.#ofReplica(at, this.#ms(200, 4_000), (replica, when) => ({ kind, replica, stepMs, ...when }));
      }
      case 'file-limit': {
        const bytes = 1 + this.#random.below(64 * 1024);
        return this.#ofReplica(at, this.#ms(500, 4_000), (replica, when) => ({ kind, replica, bytes, ...when }));
      }
      case 'full-disk':
      case 'read-only': {
        const killed = this.#random.below(2) === 0;
        const only = kind === 'full-disk' ? smallDisk : null;
        return this.#ofReplica(at, this.#ms(500, 4_000), (replica, when) => ({ kind, replica, killed, ...when }), only);
      }
      case 'retire': {
        const killed = this.#random.below(2) === 0;
        if ((this.#busy.get('retire') ?? 0) > at) return null;
        const ms = this.#ms(300, RETIRED_MS_MAX);
        // The next one waits until this one is back.
        this.#busy.set('retire', at + ms + 6_000);
        return this.#ofReplica(at, ms, (replica, when) => ({ kind, replica, killed, ...when }));
      }
      case 'partition': {
        const side = replicas.filter(() => this.#random.below(2) === 0);
        if (side.length === 0 || side.length === replicas.length) return null;
        return { kind, side, at, ms: this.#ms(200, 5_000) };
      }
      case 'cut':
        return this.#ofLink(at, this.#random.below(2) * this.#ms(0, 3_000), (link, when) => ({ kind, link, ...when }));
      case 'cut-in-frame':
      case 'half-open': {
        const direction: Direction = this.#random.below(2) === 0 ? 'to' : 'from';
        return this.#ofLink(at, this.#ms(200, 4_000), (link, when) => ({ kind, link, direction, ...when }));
      }
      case 'delay': {
        const delayMs = this.#ms(1, 600);
        return this.#ofLink(at, this.#ms(500, 6_000), (link, when) => ({ kind, link, delayMs, ...when }));
      }
      case 'throttle': {
        const bytesPerSecond = 2 ** (9 + this.#random.below(10));
        return this.#ofLink(at, this.#ms(500, 6_000), (link, when) => ({ kind, link, bytesPerSecond, ...when }));
      }
      case 'split':
      case 'coalesce':
        return this.#ofLink(at, this.#ms(500, 6_000), (link, when) => ({ kind, link, ...when }));
      case 'join':
        return null;
    }
  }

  #ofReplica(
    at: number,
    ms: number,
    make: (replica: string, when: When) => Fault,
    only: string | null = null,
  ): Fault | null {
    const replica = only ?? this.#pick(this.#world.replicas);
    if (!this.#take(replica, at, ms + REST_MS)) return null;
    return make(replica, { at, ms });
  }

  #ofLink(at: number, ms: number, make: (link: string, when: When) => Fault): Fault | null {
    const { links, clientLinks } = this.#world;
    const link = this.#pick(this.#random.below(2) === 0 ? links : clientLinks);
    return this.#take(link, at, ms) ? make(link, { at, ms }) : null;
  }

  #take(what: string, at: number, ms: number): boolean {
    if ((this.#busy.get(what) ?? 0) > at) return false;
    this.#busy.set(what, at + ms);
    return true;
  }

  #ms(least: number, most: number): number {
    return least + this.#random.below(most - least + 1);
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#random.below(items.length)] as T;
  }
}

/** `kill b for 1,203 ms`. */
export function describeFault(fault: Fault): string {
  const { kind, at, ms, ...rest } = fault;
  const what = Object.values(rest).map((value) => (Array.isArray(value) ? value.join('+') : String(value)));
  const details = Object.entries(rest)
    .filter(([name]) => name !== 'replica' && name !== 'link' && name !== 'side')
    .map(([name, value]) => `${name} ${value}`);
  const target = 'replica' in fault ? fault.replica : 'link' in fault ? fault.link : what[0];
  return [`${kind} ${target}`, ...details, ...(ms > 0 ? [`for ${ms} ms`] : [])].join(', ');
}
