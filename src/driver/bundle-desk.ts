import { BaristaError } from '../base/errors.js';
import type { ReplicaId } from '../base/ids.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import type { Clock, Timers } from '../base/time.js';
import {
  type BundleOffer,
  type ExportReply,
  type ExportRequest,
  type ImportBatch,
  type ImportReply,
  NOBODY,
} from '../bayou/bundle-messages.js';
import type { PullBatch, PullRequest } from '../bayou/messages.js';
import type { BundleService, PeerConnection } from '../bayou/ports.js';
import type { Replica } from '../bayou/replica.js';
import { Detours } from './detours.js';
import { ImportDesk } from './import-desk.js';
import { Link, type LinkSteps, NO_CONNECTION } from './link.js';
import type { DriverSettings } from './settings.js';

export interface BundleDeskParts<Op> {
  readonly settings: DriverSettings;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly steps: LinkSteps<Op>;
  /** As it is now: it may be opened anew. */
  readonly replica: () => Replica<Op, unknown>;
  readonly link: (peer: ReplicaId) => Link<Op> | undefined;
  readonly serve: (request: PullRequest, done: Done<PullBatch<Op>>) => void;
  /** Answers when what was done before is durable. */
  readonly settle: (done: Done<void>) => void;
  /** Nothing is under way any more with a peer that there is no link to. */
  readonly onIdle: (peer: ReplicaId) => void;
}

/** Where bundles are made and taken. A bundle is a pull in a file: made by asking as nobody, taken by a pull on a detour. */
export class BundleDesk<Op> implements BundleService<Op> {
  readonly #parts: BundleDeskParts<Op>;
  readonly #detours: Detours<Op>;
  readonly #imports: ImportDesk<Op>;

  constructor(parts: BundleDeskParts<Op>) {
    const { settings, timers, clock, steps, replica, link, settle, onIdle } = parts;
    const own = { ...settings, antiEntropyMs: null };
    const nowhere = { host: '', port: 0 };
    this.#parts = parts;
    this.#detours = new Detours<Op>({
      max: settings.importsMax,
      link,
      makeLink: (peer) => new Link<Op>(peer, nowhere, NO_CONNECTION, steps, own, timers, clock),
      origin: () => (replica().hasLeft ? null : replica().origin),
      holds: ({ seen }) => replica().seen().dominates(seen),
      settle,
      onIdle,
    });
    this.#imports = new ImportDesk(
      (offer, way, done) => this.pullThrough(offer, way, done),
      timers,
      settings.importPartTimeoutMs,
    );
  }

  exportBatch({ since: seen, ...progress }: ExportRequest, done: Done<ExportReply<Op>>): void {
    const { id: to, terms } = this.#parts.replica();
    const asker = { terms, from: NOBODY, to, report: true, clock: 0, life: 0, outside: false };
    const request: PullRequest = { ...asker, seen, ...progress };
    this.#parts.serve(request, (outcome) => done(outcome.ok ? succeed({ terms, batch: outcome.value }) : outcome));
  }

  beginImport(offer: BundleOffer, done: Done<ImportReply>): void {
    this.#imports.begin(offer, done);
  }

  importBatch(batch: ImportBatch<Op>, done: Done<ImportReply>): void {
    this.#imports.goOn(batch, done);
  }

  pullThrough(offer: BundleOffer, way: PeerConnection<Op>, done: Done<void>): void {
    const wrong = checkOffer(offer, this.#parts.replica());
    if (wrong === 'nothing') return done(succeed(undefined));
    if (wrong !== null) return done(fail(wrong));
    this.#detours.pull(offer, way, done);
  }

  /** A link to the peer is made: what goes on without one ends, and can be begun again. */
  cut(peer: ReplicaId): void {
    this.#detours.cut(peer);
  }

  close(): void {
    this.#imports.close();
    this.#detours.close();
  }
}

/** Whether a bundle is for this replica: of its cluster, made by none that has ended, and true as far as it can tell. */
function checkOffer<Op>(
  { terms, from, since, seen }: BundleOffer,
  replica: Replica<Op, unknown>,
): BaristaError | 'nothing' | null {
  const isOwn = from === replica.origin;
  const refusal = replica.refusalOf({ terms, from: isOwn ? NOBODY : from, to: replica.id, fresh: seen });
  if (refusal !== null) return new BaristaError(refusal.code, `the bundle of ${from} is refused: ${refusal.message}`);
  const lacking = replica.seen().missing(since);
  if (lacking !== null) {
    return new BaristaError('ERR_BUNDLE_GAP', `the bundle of ${from} goes on from what this replica lacks: ${lacking}`);
  }
  if (!isOwn) return null;
  if (replica.seen().dominates(seen)) return 'nothing';
  return new BaristaError('ERR_IDENTITY', `the bundle is this replica's own, ${from}, and holds what it has no more`);
}
