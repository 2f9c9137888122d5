import type { BaristaError } from './errors.js';

/**
 * How a fallible step ended, as a value. Ports and the driver answer with outcomes through callbacks, not promises, so
 * that a simulated cluster runs to completion inside one event and one seed replays it.
 */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: BaristaError };

/** Called exactly once. */
export type Done<T> = (outcome: Outcome<T>) => void;

export function succeed<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

export function fail<T>(error: BaristaError): Outcome<T> {
  return { ok: false, error };
}

/** The promise face of a callback: rejects with the outcome's error. */
export function promised<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((outcome) => (outcome.ok ? resolve(outcome.value) : reject(outcome.error)));
  });
}
