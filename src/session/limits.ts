/** Calls of one client, or of one replica's own sessions, that are under way at a time; beyond: ERR_OVERLOADED. */
export const CALLS_MAX = 1_024;

/** How long a call may take, unless it is said. */
export const TIMEOUT_MS = 10_000;

/** How long a call may wait for what a replica lacks, unless it is said; never beyond its time limit. */
export const WAIT_MS = 5_000;

/** Watches of one client; beyond: ERR_OVERLOADED. A replica serves so many calls of a connection at a time, and twice as many. */
export const WATCHES_MAX = 512;

/** For how long no replica may serve a watch before it fails, unless it is said. */
export const WATCH_TIMEOUT_MS = 60_000;

/** How long one request of a watch waits at a replica for a change. */
export const WATCH_SLICE_MS = 10_000;

/** Changes that a watch asks for at once. */
export const WATCH_CHANGES = 1_024;

/** How long to wait for a write to be replicated, or stable, unless it is said. */
export const STATE_TIMEOUT_MS = 60_000;

/** What a call may be given at most: an hour. */
export const TIMEOUT_MS_MAX = 3_600_000;

/** One request that waits at a replica does so no longer than this: who gives up leaves nothing behind for long. */
export const SLICE_MS = 5_000;

/** How much longer than it waits, at a replica, a request may take to be answered. */
export const GRACE_MS = 2_000;

/** Writes of one page of a key's history, unless it is said. */
export const HISTORY_WRITES = 1_024;

/** Conflicts that are asked for at once. */
export const CONFLICTS_PAGE = 1_024;
