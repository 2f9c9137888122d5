import type { Clock, Timers } from '../base/time.js';

export const systemClock: Clock = { now: () => Date.now() };

export const systemTimers: Timers = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  // After the frames of this read and the continuations of whoever was just answered.
  soon: (run) => process.nextTick(run),
};
