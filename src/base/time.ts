/** Wall-clock milliseconds since 1970. May jump or go backwards. */
export interface Clock {
  now(): number;
}

export interface Timers {
  /** Calls `run` once, after at least `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): Cancel;
  /** Calls `run` once, when the inputs that are at hand have been taken. */
  soon(run: () => void): void;
}

export type Cancel = () => void;
