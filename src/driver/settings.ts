/** How a driver behaves; every wait, queue and size has its limit here. */
export interface DriverSettings {
  /** The period of anti-entropy with each neighbour; null: only when asked, and no news is told or heeded either. */
  readonly antiEntropyMs: number | null;
  /** How often to ask neighbours what the members attest, and to fold what is stable; null: only when asked. */
  readonly compactMs: number | null;
  /** How long a neighbour may take for one batch, or to take note of news. */
  readonly pullTimeoutMs: number;
  /** A batch ends at whichever of the two comes first. */
  readonly batchWritesMax: number;
  readonly batchBytesMax: number;
  /** How long writes are refused after a flush failed, before the storage is tried again. */
  readonly storageRetryMs: number;
  readonly linksMax: number;
  /** Calls that wait for pulls; none names more neighbours than there may be links. */
  readonly stabilizeCallsMax: number;
  /** Bundles that are being taken. */
  readonly importsMax: number;
  /** How long who holds a bundle may take to give its next part. */
  readonly importPartTimeoutMs: number;
  /** Calls that wait for writes to come, or to be known to have come to others. */
  readonly waitsMax: number;
  /** Watches that wait for changes. */
  readonly watchesMax: number;
  /** How long a call waits at most for what is to come, whatever it asks for. */
  readonly waitMsMax: number;
  /** How many neighbours are asked at a time what they hold, while such calls wait. */
  readonly askedMax: number;
  /** Answers that wait for a flush; beyond it clients get ERR_OVERLOADED. */
  readonly heldAnswersMax: number;
  /** What those answers hold together; beyond it what would hold more gets ERR_OVERLOADED. */
  readonly heldBytesMax: number;
}

export const DEFAULT_SETTINGS: DriverSettings = {
  antiEntropyMs: null,
  compactMs: null,
  pullTimeoutMs: 2_000,
  batchWritesMax: 4_096,
  batchBytesMax: 1024 * 1024,
  storageRetryMs: 1_000,
  linksMax: 4_096,
  stabilizeCallsMax: 64,
  importsMax: 16,
  importPartTimeoutMs: 30_000,
  waitsMax: 1_024,
  watchesMax: 4_096,
  waitMsMax: 30_000,
  askedMax: 16,
  heldAnswersMax: 65_536,
  heldBytesMax: 64 * 1024 * 1024,
};
