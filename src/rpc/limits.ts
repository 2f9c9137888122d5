/** Every bound of the wire. What exceeds one is refused with its coded error; nothing is sized by what a peer claims. */

/** A frame without its length prefix, in both directions; and what is deflated in a frame, once it is inflated. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Elements of a list. */
export const LIST_SIZE_MAX = 65_536;

/** What is shorter is not worth deflating. */
export const DEFLATED_BYTES_MIN = 1024;

/** How deep the fields may nest that this version does not know and skips. */
export const SKIP_DEPTH_MAX = 32;

/** Calls of one connection that the server works on at a time; it reads no further until one is answered. */
export const SERVED_CALLS_MAX = 1024;

/** Connections a server holds. The one that has been idle longest makes room for what comes beyond, or that is closed. */
export const CONNECTIONS_MAX = 1024;

/** How long a connection must have been idle before it makes room for another. */
export const IDLE_MS_MIN = 10_000;

/** Parts of frames and unsent replies of all connections of a server; beyond, the one that holds most is ended. */
export const HELD_BYTES_MAX = 256 * 1024 * 1024;

/** Frames gathered beyond this are sent before more are written. */
export const BATCH_BYTES_MAX = 64 * 1024;

/** Unsent replies of one connection beyond which the server stops reading from it. */
export const UNSENT_REPLIES_BYTES_MAX = 1024 * 1024;

/** How long a frame may take to arrive whole, and replies may wait for a client that does not read them. */
export const STALL_MS_MAX = 30_000;

/** How long a connection that is closed after a last word stays open for the other side to read it. */
export const LINGER_MS_MAX = 1_000;

/** Calls a client has in flight on one connection. */
export const CALLS_IN_FLIGHT_MAX = 4096;

/** Unsent requests beyond which a client takes no more calls. */
export const UNSENT_REQUESTS_BYTES_MAX = 64 * 1024 * 1024;

/**
 * After so many timeouts with no byte received since, a connection that carries no call is given up. TCP may go on
 * retrying for minutes after a network heals; a fresh connection gets through at once.
 */
export const SILENT_TIMEOUTS_MAX = 3;
