import { BaristaError, toBaristaError } from '../base/errors.js';
import type { Origin } from '../base/ids.js';
import { type Done, fail, promised, succeed } from '../base/outcome.js';
import type { BundleOffer, ExportReply, ExportRequest, ImportBatch, ImportReply } from '../bayou/bundle-messages.js';
import type { BundleConnection } from '../bayou/ports.js';
import { readVector } from '../bayou/vector-text.js';
import type { KvOperation } from '../machine/kv.js';
import { Deadline } from '../session/deadline.js';
import type { Ask, Pin, Route } from '../session/route.js';
import type { Bundle } from './bundle.js';
import type { Made } from './export.js';
import { exportBundleTo, importBundleFrom, inspectBundleIn } from './file.js';
import { ReachedReplica } from './reached-replica.js';

/** How long one part may take, unless it is said: it may be a mebibyte, and wait for a disk. */
const PART_TIMEOUT_MS = 30_000;

/** Limits of making or taking a bundle, however large that is. */
export interface BundleOptions {
  /** How long each part of it may take, of about a mebibyte, in milliseconds. Default: 30 seconds. */
  readonly timeoutMs?: number;
  /** Fails with ERR_ABORTED when it fires. What was taken of a bundle stays, and is not taken again. */
  readonly signal?: AbortSignal;
}

export interface ExportOptions extends BundleOptions {
  /**
   * Leaves out what who imports the bundle holds: a vector as text, such as `seen` of an earlier bundle, or of the status of the
   * replica it is for. Absent: any replica of the cluster can import it, also one that is new.
   */
  readonly since?: string;
}

/** What a bundle holds. */
export interface BundleSummary {
  /** The replica that made it, as `id#incarnation`. */
  readonly from: Origin;
  /** What who imports it holds then, as text: a version vector, `id#incarnation:time` with spaces between. */
  readonly seen: string;
  /** Writes, and keys whose history was folded. */
  readonly entries: number;
}

/** Anti-entropy by file, for replicas that have no network between them: the same in the process of a replica and over the wire. */
export interface Bundles {
  /**
   * Writes what the replica holds to a file, a bundle. It stands under that name when it is whole; a file of that name is replaced.
   * Rejects with ERR_OUTPUT if it cannot be written.
   */
  exportBundle(path: string, options?: ExportOptions): Promise<BundleSummary>;
  /**
   * Has the replica take what a bundle holds, as from the replica that made it; done when that is on disk. To import one again
   * changes nothing, and goes on with one that was cut. Rejects with ERR_BUNDLE if it is damaged, ERR_BUNDLE_GAP if it goes on from
   * what the replica lacks, ERR_CLUSTER_MISMATCH if it is another cluster's: then nothing was taken.
   */
  importBundle(path: string, options?: BundleOptions): Promise<BundleSummary>;
}

/** What the bundle in a file holds: it is read from end to end. Rejects with ERR_BUNDLE if it is damaged. */
export async function inspectBundle(path: string): Promise<BundleSummary> {
  return summaryOf(await promised<Bundle>((done) => inspectBundleIn(checkedPath(path), done)));
}

/** Throws ERR_OPTION for an option that cannot be. */
export async function exportThrough(route: Route, path: string, options: ExportOptions = {}): Promise<BundleSummary> {
  const replica = new RoutedReplica(route, options);
  const since = readVector(checkedText('since', options.since ?? ''));
  const made = await promised<Made>((done) => exportBundleTo(checkedPath(path), replica.reached, since, done));
  return { from: made.from, seen: `${made.seen}`, entries: made.entries };
}

/** Throws ERR_OPTION for an option that cannot be. */
export async function importThrough(route: Route, path: string, options: BundleOptions = {}): Promise<BundleSummary> {
  const replica = new RoutedReplica(route, options);
  return summaryOf(await promised<Bundle>((done) => importBundleFrom(checkedPath(path), replica.reached, done)));
}

/** All requests for one bundle go to the replica that answers the first of them. */
class RoutedReplica implements BundleConnection<KvOperation> {
  readonly reached: ReachedReplica;
  readonly #route: Route;
  readonly #signal: AbortSignal | undefined;
  readonly #pin: Pin = { to: null };

  constructor(route: Route, { timeoutMs = PART_TIMEOUT_MS, signal }: BundleOptions) {
    this.#route = route;
    this.#signal = signal;
    this.reached = new ReachedReplica(this, new Deadline(timeoutMs, signal).timeoutMs);
  }

  exportBatch(request: ExportRequest, timeoutMs: number, done: Done<ExportReply<KvOperation>>): void {
    this.#ask('exportBundle', timeoutMs, (connection, ms, answer) => connection.exportBatch(request, ms, answer), done);
  }

  beginImport(offer: BundleOffer, timeoutMs: number, done: Done<ImportReply>): void {
    this.#ask('importBundle', timeoutMs, (connection, ms, answer) => connection.beginImport(offer, ms, answer), done);
  }

  importBatch(batch: ImportBatch<KvOperation>, timeoutMs: number, done: Done<ImportReply>): void {
    this.#ask('importBundle', timeoutMs, (connection, ms, answer) => connection.importBatch(batch, ms, answer), done);
  }

  #ask<T>(what: string, timeoutMs: number, ask: Ask<T>, done: Done<T>): void {
    const answered = async (): Promise<T> => {
      const deadline = new Deadline(timeoutMs, this.#signal);
      return this.#route.ask(ask, { what, deadline, waitsMs: timeoutMs, pin: this.#pin });
    };
    answered().then(
      (value) => done(succeed(value)),
      (thrown: unknown) => done(fail(toBaristaError(thrown))),
    );
  }
}

function summaryOf({ head, end }: Bundle): BundleSummary {
  return { from: head.from, seen: `${end.seen}`, entries: end.entries };
}

function checkedPath(path: string): string {
  if (checkedText('the path', path) !== '' && !path.includes('\0')) return path;
  throw new BaristaError('ERR_OPTION', `the path is ${JSON.stringify(path)}, which names no file`);
}

function checkedText(name: string, text: string): string {
  if (typeof text === 'string') return text;
  throw new BaristaError('ERR_OPTION', `${name} is ${typeof text}, not a text`);
}
