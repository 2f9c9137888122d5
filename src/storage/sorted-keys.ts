import { compareKeys } from '../base/ids.js';
import { countBefore } from '../base/search.js';

/** Of keys in order, those after `after`, found by search; all if it is not given. */
export function* keysAfter(keys: readonly string[], after: string | undefined): Generator<string> {
  const first = after === undefined ? 0 : countBefore(keys.length, (at) => compareKeys(keys[at] as string, after) <= 0);
  for (let at = first; at < keys.length; at++) yield keys[at] as string;
}
