import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { incarnationOf, originOf, replicaIdOf } from '../base/ids.js';
import { TIME_MAX } from '../base/limits.js';
import { HYBRID_TICKS_PER_MS } from '../bayou/clock.js';
import type { Stamp } from './session.js';

/** The stamp, without what else the object has. Throws ERR_OPTION, which says `what` is wanted, for what is none. */
export function checkedStamp(stamp: Stamp, what: string): Stamp {
  const { origin, acceptTime } = stamp ?? {};
  const isTime = Number.isSafeInteger(acceptTime) && acceptTime >= 0 && acceptTime <= TIME_MAX;
  const isOrigin =
    typeof origin === 'string' &&
    checkId(replicaIdOf(origin)) === null &&
    incarnationOf(origin) >= 1 &&
    originOf(replicaIdOf(origin), incarnationOf(origin)) === origin;
  if (isTime && isOrigin) return { origin, acceptTime };
  throw new BaristaError('ERR_OPTION', `${what}, not ${JSON.stringify(stamp)}`);
}

/** Which milliseconds since 1970 the wall clock showed, or is to show, at an accept time. Of hybrid clocks: a logical one knows no time. */
export function millisecondsOf(acceptTime: number): number {
  return Math.floor(acceptTime / HYBRID_TICKS_PER_MS);
}
