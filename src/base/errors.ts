/**
 * Every failure a caller or the world can cause, each with what to do about it. Outcomes the protocol expects (a key
 * that is absent, a replica that lacks what a session needs) are values, not errors; our own mistakes are assertions.
 */
const CATALOGUE = {
  ERR_DEP: 'The replica lacks what the session needs. Reach one that has it, or wait for anti-entropy.',
  ERR_CONN: 'Check that a replica is running at that address, and the link to it; a retry is safe.',
  ERR_TIMEOUT:
    'The replica hangs or is overloaded. The operation may have taken effect; a retry with the same client time is safe.',
  ERR_INVALID_ID: 'Ids are 1 to 256 bytes of UTF-8 without control characters.',
  ERR_INVALID_KEY: 'Keys are 1 to 4,096 bytes of UTF-8.',
  ERR_INVALID_VALUE:
    'Values are at most 1,048,576 bytes, and what the codec of the session takes; members of a set 4,096 bytes of UTF-8; increments whole numbers within 2^53 - 1; merge procedures are named as keep-both@1.',
  ERR_INVALID_TIME: 'Times are whole numbers from 0 to 9,007,199,254,740,991; incarnations start at 1.',
  ERR_BATCH:
    'A batch writes 1 to 128 keys, each once; keys and operations take at most 1,048,576 bytes. Divide it, or write key by key.',
  ERR_CLIENT_TIME: 'A client time names one operation once and for all. A client that lost its counter needs a new id.',
  ERR_CLOCK_EXHAUSTED:
    'An accept time reached the largest exact integer, so no later stamp exists. Find who stamped so far ahead.',
  ERR_CLOCK_DRIFT:
    'Set the wall clocks right; what waits goes on by itself once time has caught up. To take it at once, start the replica with --max-drift off.',
  ERR_PROTOCOL:
    'The bytes are not what barista.thrift describes: framed, binary, multiplexed. Compare the versions on both sides.',
  ERR_FRAME_TOO_LARGE: 'Send less at a time, or raise the frame limit on both sides.',
  ERR_UNKNOWN_METHOD: 'Names are Service:method, as in barista.thrift. Compare the versions on both sides.',
  ERR_OVERLOADED: 'Too much is waiting on this replica. Wait and retry.',
  ERR_CLUSTER_MISMATCH: 'Replicas replicate only within one cluster. Check --cluster on both sides.',
  ERR_VERSION_MISMATCH: 'Upgrade the replica with the older protocol version.',
  ERR_TIE_BREAK_MISMATCH: 'The tie-break is a property of the cluster. Start every replica with the same --tie-break.',
  ERR_CLOCK_MISMATCH: 'The clock is a property of the cluster. Start every replica with the same --clock.',
  ERR_RETRY_WINDOW_MISMATCH:
    'The retry window is a property of the cluster. Start every replica with the same --retry-window.',
  ERR_IDENTITY: 'Another replica answers at that address. Link the id to its real address.',
  ERR_FORGED_STAMPS:
    'A peer holds stamps this replica never gave: its storage was copied or restored, or the peer lies. Give one of them a new incarnation.',
  ERR_RETIRED:
    'It rejoins by itself under a new incarnation, and submits again what nobody had received. If it does not, start it again.',
  ERR_BEHIND:
    'Nothing to do: it pulls that by itself. Check that the link exists on both sides. To read several keys meanwhile, ask another replica, or one key at a time.',
  ERR_NOT_LINKED: 'Link the two replicas first, on both sides.',
  ERR_PORT_IN_USE:
    'Choose another port, or 0 for one that is free; cleanup-ports.sh ends replicas that an earlier run left behind.',
  ERR_START: 'The replica did not start; its own message says why.',
  ERR_DIED: 'The replica process ended by itself; its last words are on standard error.',
  ERR_CLOSED: 'It was closed; open it again.',
  ERR_ABORTED: 'The AbortSignal of the call fired. A write may have taken effect all the same.',
  ERR_SNAPSHOT:
    'It is held for a minute after a page, unless too much changes meanwhile or the replica restarts. Go on from the cursor of the scan, or scan without a snapshot.',
  ERR_FOLDED:
    "Begin again: a watch from 'start', which tells all that is there and then what changes, or from now; conflicts since 'start'.",
  ERR_PROCEDURE:
    'Register the merge procedure there (barista server --procedures, or replica.procedures.register), or reach a replica that has it. What waits for it goes on by itself then.',
  ERR_GONE:
    'Write what it was anew, if that is known. What its own client overwrote goes at once, the rest when every member has held it for two retry windows.',
  ERR_TOKEN: 'Begin a new session, or take the token from where it was made anew, whole and in the same cluster.',
  ERR_UNKNOWN_COMMAND: 'See `barista master --help` for the commands.',
  ERR_SYNTAX: 'See `barista master --help` for what each command takes.',
  ERR_UNKNOWN_ID: 'Join it first.',
  ERR_DUPLICATE_ID: 'Servers and clients share one space of ids; choose another.',
  ERR_INVALID_LINK: 'A link joins two different replicas, or a client and a replica.',
  ERR_PAUSED: 'Resume it first.',
  ERR_OPTION: 'See --help for the options, and docs/guide for those of the library.',
  ERR_HISTORY: 'Record it again, or mend the line; docs/HISTORY.md says what each holds.',
  ERR_OUTPUT: 'Make room where the results go, or send them elsewhere.',
  ERR_STORAGE:
    'The disk refused the write, and it was not acknowledged; it may be found stored all the same, and a retry with the same client time is safe. Make room or mend the disk; the replica tries again by itself.',
  ERR_CORRUPT:
    'The data directory is damaged. `barista repair DIR` says where, and with --apply keeps what is before the damage; the replica then fetches from its peers what they hold.',
  ERR_COPIED:
    'Stamps that were given would be given again. Start it with --new-incarnation, which keeps its data; if the original is still in use, under another --id too.',
  ERR_LOCKED: 'One process at a time may use a data directory. End the other one, or choose another directory.',
  ERR_BUNDLE: 'Copy the file again, or have another bundle made. Nothing was taken from it.',
  ERR_BUNDLE_GAP:
    'Import the bundles before it first, or have one made with --since what this replica holds. Nothing was taken from it.',
  ERR_INTERNAL: 'This is a bug in Barista; please report it with this message.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof CATALOGUE;

export const ERROR_CODES = Object.keys(CATALOGUE) as readonly ErrorCode[];

export class BaristaError extends Error {
  override readonly name = 'BaristaError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** What the caller can do about it. */
  get advice(): string {
    return CATALOGUE[this.code];
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CATALOGUE, text);
}

/** Turns whatever was thrown into a coded error, keeping it as the cause. */
export function toBaristaError(thrown: unknown, code: ErrorCode = 'ERR_INTERNAL'): BaristaError {
  if (thrown instanceof BaristaError) return thrown;
  return new BaristaError(code, messageOf(thrown), { cause: thrown });
}

/** What whatever was thrown says. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
