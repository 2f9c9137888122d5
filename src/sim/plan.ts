import type { Guarantee } from '../bayou/session.js';
import type { TieBreak } from '../bayou/write.js';

/*
 * A run of the simulator, written down: what the world is like, and what is done to it from outside, and when. A plan and its
 * seed say all that happens; so a failing run is shrunk by leaving actions out, and is kept as a script.
 */

/** How the network treats each message while it lasts; chances are from 0 to 1. */
export interface NetworkWeather {
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
  /** One way, drawn anew for each message. */
  readonly delayMs: readonly [min: number, max: number];
}

export type DiskFault =
  /** The `nth` call of the storage from now on fails, once or from then on. */
  | {
      readonly kind: 'fail';
      readonly call: 'append' | 'sync' | 'commit';
      readonly nth: number;
      readonly lasting: boolean;
    }
  /** The machine loses power in the `nth` call from now on: what was not synced is lost, torn or reordered. */
  | { readonly kind: 'power'; readonly nth: number }
  | { readonly kind: 'full' }
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** A bit of a file changes while the replica is down. */
  | { readonly kind: 'flip'; readonly nth: number }
  | { readonly kind: 'mend' };

/** What a merge expects: nothing in particular, that the key is absent, or the value behind the sign. */
export type Expectation = 'anything' | 'absent' | `=${string}`;

/** One thing that is done to the world. Replicas and clients are named by their ids. */
export type Action =
  | { readonly kind: 'put'; readonly client: string; readonly key: string; readonly value: string }
  | { readonly kind: 'delete'; readonly client: string; readonly key: string }
  | { readonly kind: 'increment'; readonly client: string; readonly key: string; readonly by: number }
  | { readonly kind: 'append'; readonly client: string; readonly key: string; readonly value: string }
  | { readonly kind: 'setAdd'; readonly client: string; readonly key: string; readonly member: string }
  | { readonly kind: 'setRemove'; readonly client: string; readonly key: string; readonly member: string }
  | { readonly kind: 'putIfAbsent'; readonly client: string; readonly key: string; readonly value: string }
  | {
      readonly kind: 'merge';
      readonly client: string;
      readonly key: string;
      /** `name@version`. */
      readonly procedure: string;
      readonly expects: Expectation;
      readonly value: string;
    }
  /** Puts the value under all of the keys at once. */
  | { readonly kind: 'batch'; readonly client: string; readonly keys: readonly string[]; readonly value: string }
  | { readonly kind: 'get'; readonly client: string; readonly key: string }
  /** Reads them in one state. */
  | { readonly kind: 'getMany'; readonly client: string; readonly keys: readonly string[] }
  /** The client talks to this replica from now on, before others. */
  | { readonly kind: 'roam'; readonly client: string; readonly replica: string }
  /** Messages from `from` do not reach `to` any more; the other way is another action. */
  | { readonly kind: 'cut'; readonly from: string; readonly to: string }
  | { readonly kind: 'mend'; readonly from: string; readonly to: string }
  /** Messages wait, and come all at once when it is over. */
  | { readonly kind: 'clog'; readonly from: string; readonly to: string; readonly forMs: number }
  /** The peer takes requests and answers none. */
  | { readonly kind: 'mute'; readonly replica: string; readonly forMs: number }
  | { readonly kind: 'weather'; readonly weather: NetworkWeather }
  /** The process ends at once; the machine, and what it had not synced, may stay (`kill`) or not (`power`). */
  | { readonly kind: 'crash'; readonly replica: string; readonly how: 'kill' | 'power' }
  | { readonly kind: 'start'; readonly replica: string }
  | { readonly kind: 'pause'; readonly replica: string }
  | { readonly kind: 'resume'; readonly replica: string }
  | { readonly kind: 'disk'; readonly replica: string; readonly fault: DiskFault }
  /** While it is down: its data directory is emptied. It comes back as a new incarnation. */
  | { readonly kind: 'wipe'; readonly replica: string }
  /** Keeps a copy of the data directory. */
  | { readonly kind: 'backup'; readonly replica: string }
  /** While it is down: the copy takes the place of the data directory. */
  | { readonly kind: 'restore'; readonly replica: string }
  /** A second process runs on a copy of the data directory, under the same id. */
  | { readonly kind: 'clone'; readonly replica: string; readonly forMs: number }
  | { readonly kind: 'clock'; readonly replica: string; readonly skewMs: number }
  | { readonly kind: 'join'; readonly replica: string }
  /** The operator asks `at` to retire `replica`. */
  | { readonly kind: 'retire'; readonly replica: string; readonly at: string }
  /** Runs an older, or newer, protocol version from its next start on. */
  | { readonly kind: 'version'; readonly replica: string; readonly protocol: number }
  /** Its answers to peers are lies for so long. */
  | { readonly kind: 'lie'; readonly replica: string; readonly forMs: number };

export interface PlannedAction {
  /** Virtual milliseconds since the world began. */
  readonly at: number;
  readonly action: Action;
}

export interface PlannedClient {
  readonly id: string;
  readonly guarantees: readonly Guarantee[];
  /** How many replicas it asks at most, one after the other, its own first; absent: all. */
  readonly tries?: number;
}

export interface Plan {
  /** What the network, the disks and the timers draw from. */
  readonly seed: number;
  /** The replicas that are there from the beginning; others join. */
  readonly replicas: readonly string[];
  readonly clients: readonly PlannedClient[];
  /** Which replicas are linked, those that join too; absent: each with each. */
  readonly links?: readonly (readonly [string, string])[];
  readonly tieBreak: TieBreak;
  readonly clock: 'logical' | 'hybrid';
  readonly retryWindowMs: number;
  readonly antiEntropyMs: number;
  readonly compactMs: number;
  readonly maxDriftMs: number | null;
  /** How long clients act and faults come; then all faults end and the replicas must agree. */
  readonly durationMs: number;
  /** By time. */
  readonly actions: readonly PlannedAction[];
}
