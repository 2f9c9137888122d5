import { BaristaError, toBaristaError } from '../base/errors.js';
import { type Done, fail } from '../base/outcome.js';
import { TIMEOUT_MS_MAX } from './limits.js';

/** Until when a call may take, and what may end it before. */
export class Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly #at: number;

  /** Throws ERR_OPTION for a limit that cannot be, ERR_ABORTED if the signal has fired. */
  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.timeoutMs = checkedMs('timeoutMs', timeoutMs);
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new BaristaError('ERR_OPTION', 'signal is not an AbortSignal');
    }
    this.signal = signal;
    this.#at = performance.now() + timeoutMs;
    if (signal?.aborted === true) throw aborted(signal);
  }

  /** How much is left, in milliseconds; 0 if nothing. */
  get leftMs(): number {
    return Math.max(0, this.#at - performance.now());
  }

  /** Throws ERR_TIMEOUT if nothing is left. */
  check(what: string): void {
    if (this.leftMs === 0) throw timeout(what, this.timeoutMs);
  }

  /** Answers with what `start` does, ERR_TIMEOUT after `timeoutMs` or at the deadline, ERR_ABORTED when the signal fires. */
  run<T>(what: string, start: (done: Done<T>) => void, timeoutMs = this.leftMs): Promise<T> {
    const { signal } = this;
    const limitMs = Math.min(timeoutMs, this.leftMs);
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted === true) return reject(aborted(signal));
      let isOver = false;
      const end = (): boolean => {
        if (isOver) return false;
        isOver = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        return true;
      };
      const onAbort = (): void => {
        if (end()) reject(aborted(signal as AbortSignal));
      };
      const timer = setTimeout(() => {
        if (end()) reject(timeout(what, limitMs));
      }, limitMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      const done: Done<T> = (outcome) => {
        if (!end()) return;
        if (outcome.ok) resolve(outcome.value);
        else reject(outcome.error);
      };
      try {
        start(done);
      } catch (thrown) {
        done(fail(toBaristaError(thrown)));
      }
    });
  }
}

function timeout(what: string, limitMs: number): BaristaError {
  return new BaristaError('ERR_TIMEOUT', `${what} took more than ${Math.round(limitMs)} ms`);
}

function aborted(signal: AbortSignal): BaristaError {
  return new BaristaError('ERR_ABORTED', 'the caller aborted', { cause: signal.reason });
}

/** Throws ERR_OPTION for what is not a number of milliseconds up to an hour. */
export function checkedMs(name: string, ms: number): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= TIMEOUT_MS_MAX) return ms;
  throw new BaristaError('ERR_OPTION', `${name} is ${ms}, where 0 to ${TIMEOUT_MS_MAX} milliseconds are allowed`);
}
