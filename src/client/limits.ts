/** How long one replica may take for one request, before the next is asked. */
export const ATTEMPT_MS = 2_000;

/** How long `connect` looks for a replica that answers. */
export const CONNECT_MS = 10_000;

/** A replica that failed is left alone for so long; each time in a row twice as long, */
export const BACKOFF_MS = 50;
/** up to this. */
export const BACKOFF_MS_MAX = 5_000;

/** How often the way to each replica is measured. */
export const MEASURE_MS = 10_000;

/** Replicas that one client may be given. */
export const ENDPOINTS_MAX = 256;
