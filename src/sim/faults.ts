/*
 * What can go wrong in a run that is drawn from a seed: each kind by its name, with its odds. A run has some of them and
 * not others, each with a vigour of its own (Groce et al., Swarm Testing, ISSTA 2012): what always goes wrong together
 * hides what goes wrong alone.
 */

export interface Odds {
  /** The chance that a run has this kind at all. */
  readonly inRun: number;
  /** How often it comes in an hour then, at middling vigour. */
  readonly perHour: number;
}

export const FAULTS = {
  /** A spell in which messages are lost, up to one in five. */
  loss: { inRun: 0.4, perHour: 10 },
  /** A spell in which requests arrive twice. */
  duplication: { inRun: 0.4, perHour: 10 },
  /** A spell in which messages overtake each other. */
  reordering: { inRun: 0.4, perHour: 10 },
  /** A spell in which messages take up to a second and more. */
  delay: { inRun: 0.4, perHour: 10 },
  /** What one sends to another waits, and comes all at once. */
  clog: { inRun: 0.3, perHour: 20 },
  /** The replicas fall into two groups that do not reach each other, nor the clients of the other. */
  'partition-symmetric': { inRun: 0.4, perHour: 6 },
  /** One group does not reach the other; the other does reach it. */
  'partition-asymmetric': { inRun: 0.3, perHour: 5 },
  /** Two groups that only one replica reaches both of. */
  'partition-bridge': { inRun: 0.3, perHour: 4 },
  /** One side of a connection takes it for open, and never hears from the other. */
  'half-open': { inRun: 0.4, perHour: 15 },
  /** Both ways between two are cut for a moment: what is under way breaks off. */
  'connection-break': { inRun: 0.5, perHour: 40 },
  /** A replica takes requests, and what it answers goes nowhere. */
  mute: { inRun: 0.3, perHour: 6 },
  /** A process does nothing for a moment; what comes waits. */
  hang: { inRun: 0.3, perHour: 20 },
  /** A process does nothing for long. */
  pause: { inRun: 0.3, perHour: 4 },
  /** A process is killed, and started again. */
  crash: { inRun: 0.5, perHour: 12 },
  /** A machine loses power: what was not synced is lost, torn or out of order. */
  power: { inRun: 0.4, perHour: 8 },
  /** The same, in the middle of some call of the storage. */
  'power-in-call': { inRun: 0.4, perHour: 10 },
  /** A write to the log fails. */
  'fail-append': { inRun: 0.3, perHour: 5 },
  /** A sync of the log fails; what it was to store may be gone for good. */
  'fail-sync': { inRun: 0.3, perHour: 5 },
  /** A checkpoint fails. */
  'fail-commit': { inRun: 0.3, perHour: 6 },
  /** A disk is full for a while. */
  'disk-full': { inRun: 0.25, perHour: 4 },
  /** A disk takes long to answer. */
  'disk-slow': { inRun: 0.3, perHour: 5 },
  /** A bit of a file changes while the replica is down. */
  'bit-flip': { inRun: 0.15, perHour: 3 },
  /** A replica loses all its data. */
  wipe: { inRun: 0.15, perHour: 2 },
  /** A data directory is put back to what it was earlier. */
  restore: { inRun: 0.15, perHour: 2 },
  /** A second process runs on a copy of a data directory. */
  clone: { inRun: 0.1, perHour: 1.5 },
  /** The replicas are upgraded to a newer protocol, one after the other. */
  upgrade: { inRun: 0.15, perHour: 1 },
  /** A wall clock is somewhat wrong. */
  'clock-skew': { inRun: 0.4, perHour: 6 },
  /** A wall clock goes back to where it was before. */
  'clock-back': { inRun: 0.3, perHour: 4 },
  /** A wall clock is further ahead than others take from it. */
  'clock-future': { inRun: 0.12, perHour: 1.5 },
  /** A replica joins late. */
  join: { inRun: 0.3, perHour: 1 },
  /** A replica is retired, and may return. */
  retire: { inRun: 0.2, perHour: 2 },
  /** What a replica says to its peers is not so. */
  lie: { inRun: 0.15, perHour: 4 },
} as const satisfies Readonly<Record<string, Odds>>;

export type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];
