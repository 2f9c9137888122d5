import type { ErrorCode } from '../base/errors.js';
import type { Action, Plan } from './plan.js';

/** What replicas may meet whatever was done to them: a process that is not there, or takes too long. */
const ALWAYS: readonly ErrorCode[] = [
  'ERR_CONN',
  'ERR_TIMEOUT',
  'ERR_CLOSED',
  'ERR_NOT_LINKED',
  'ERR_BEHIND',
  // Who wrote before it met the others may have to rejoin, and leaves its first incarnation.
  'ERR_RETIRED',
  'ERR_IDENTITY',
  'ERR_OVERLOADED',
  // A pull was under way when the replica took another incarnation.
  'ERR_STORAGE',
];

/** What they may meet once a thing was done to somebody. */
const AFTER: Readonly<Partial<Record<Action['kind'], readonly ErrorCode[]>>> = {
  restore: ['ERR_COPIED', 'ERR_FORGED_STAMPS'],
  clone: ['ERR_COPIED', 'ERR_FORGED_STAMPS'],
  clock: ['ERR_CLOCK_DRIFT'],
  version: ['ERR_VERSION_MISMATCH'],
  lie: [
    'ERR_PROTOCOL',
    'ERR_FORGED_STAMPS',
    'ERR_COPIED',
    'ERR_CLUSTER_MISMATCH',
    'ERR_TIE_BREAK_MISMATCH',
    'ERR_RETRY_WINDOW_MISMATCH',
  ],
};

/** The codes that a run of the plan may show in the logs of replicas; any other is a failure. */
export function expectedCodes({ actions }: Plan): ReadonlySet<string> {
  const expected = new Set<string>(ALWAYS);
  for (const { action } of actions) {
    for (const code of AFTER[action.kind] ?? []) expected.add(code);
    if (action.kind === 'disk' && action.fault.kind === 'flip') expected.add('ERR_CORRUPT');
  }
  return expected;
}
