import { BaristaError } from '../base/errors.js';
import { compareKeys, compareOrigins, type Origin, replicaIdOf } from '../base/ids.js';
import { type Done, fail, succeed } from '../base/outcome.js';
import { firstWhole } from '../bayou/batch.js';
import type { News, PullBatch, PullRequest, StorePage } from '../bayou/messages.js';
import type { PeerConnection } from '../bayou/ports.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { Write } from '../bayou/write.js';
import type { KvOperation } from '../machine/kv.js';
import { type Bundle, type Part, readPart } from './bundle.js';
import type { Place } from './format.js';

type Batch = PullBatch<KvOperation>;

/** How far the bundle was gone through: all that stands before `place`. */
interface Progress {
  readonly place: Place;
  /** The origins' last writes among it. */
  readonly passed: VersionVector;
  /** The last key of the base store among it; null if there was none. */
  readonly passedKey: string | null;
}

/** A question, and what who asks has taken. */
interface Question {
  readonly request: PullRequest;
  readonly resumed: boolean;
  readonly base: VersionVector;
  /** True if the base store of the bundle is to be taken, and after which key. */
  readonly wantsStore: boolean;
  readonly after: string | null;
}

/**
 * Answers pulls from a bundle as the replica that made it would have: who asks says where it stands, and gets what comes next.
 * So a bundle is taken by the same rules as any pull, may be cut and gone on with, by another way too, and taken again.
 *
 * All answers carry the vector, the standing and the report with which the last part was cut. That is sound: what a part
 * lacks since it was pruned meanwhile was replaced by what stands in a part after it, or in `since`.
 */
export class BundlePeer implements PeerConnection<KvOperation> {
  readonly #bundle: Bundle;
  #progress: Progress;
  /** The part at `#progress`, read already. */
  #read: { readonly at: number; readonly part: Part | null; readonly next: Place } | null = null;

  constructor(bundle: Bundle) {
    this.#bundle = bundle;
    this.#progress = this.#beginning;
  }

  /** One at a time. */
  pull(request: PullRequest, _timeoutMs: number, done: Done<Batch>): void {
    const { head, end, store } = this.#bundle;
    const refusal = this.#refusalOf(request.from);
    if (refusal !== null) return done(fail(refusal));
    const { resume } = request;
    const resumed = resume !== null && end.seen.dominates(resume.target);
    const base = resume !== null && resumed ? resume.received : request.seen;
    if (!base.dominates(head.since)) {
      const why = request.outside
        ? 'rejoins, and hears all anew from a bundle without --since'
        : 'lacks what it goes on from';
      return done(fail(new BaristaError('ERR_BUNDLE_GAP', `${request.from} ${why}`)));
    }
    const wantsStore = store !== null && !base.dominates(store.vector);
    const after = wantsStore && request.store?.time === store.time ? request.store.after : null;
    const question = { request, resumed, base, wantsStore, after };
    if (base.dominates(end.seen)) return done(succeed(this.#batch(question, [], null, false)));
    if (!this.#isPast(question)) this.#progress = this.#beginning;
    this.#answer(question, done);
  }

  news(_news: News, _timeoutMs: number, done: Done<void>): void {
    done(succeed(undefined));
  }

  close(): void {}

  /** As who made the bundle would have refused it: so a replica that is met by bundles alone comes to know that it must rejoin. */
  #refusalOf(requester: Origin): BaristaError | null {
    const { head, end } = this.#bundle;
    if (end.report.retired.includes(requester)) {
      return new BaristaError('ERR_RETIRED', `to ${head.from}, which made the bundle, ${requester} was retired`);
    }
    for (const [origin] of end.seen.entries()) {
      if (replicaIdOf(origin) !== replicaIdOf(requester) || compareOrigins(origin, requester) <= 0) continue;
      return new BaristaError('ERR_IDENTITY', `${requester} takes a bundle whose maker knows a newer one, ${origin}`);
    }
    return null;
  }

  get #beginning(): Progress {
    return { place: this.#bundle.firstPart, passed: new VersionVector(), passedKey: null };
  }

  /** True if who asks has taken all that was gone through. */
  #isPast({ base, wantsStore, after }: Question): boolean {
    const { passed, passedKey } = this.#progress;
    if (!base.dominates(passed)) return false;
    if (!wantsStore || passedKey === null) return true;
    return after !== null && compareKeys(passedKey, after) <= 0;
  }

  #answer(question: Question, done: Done<Batch>): void {
    this.#readPart((outcome) => {
      if (!outcome.ok) return done(outcome);
      const { part, next } = outcome.value;
      if (part === null) return done(succeed(this.#batch(question, [], null, false)));
      const batch = part.store === null ? this.#writesOf(question, part) : this.#pageOf(question, part.store);
      if (batch !== null) return done(succeed(batch));
      this.#pass(part, next);
      this.#answer(question, done);
    });
  }

  /** What of the part is asked for; null if nothing. */
  #writesOf(question: Question, { writes }: Part): Batch | null {
    const { base, request } = question;
    const asked = writes.filter(({ origin, acceptTime }) => !base.covers(origin, acceptTime));
    return asked.length === 0 ? null : this.#batch(question, firstWhole(asked, request.writesMax), null, true);
  }

  #pageOf(question: Question, page: StorePage<KvOperation>): Batch | null {
    const { wantsStore, after } = question;
    if (!wantsStore || (after !== null && page.upTo !== null && compareKeys(page.upTo, after) <= 0)) return null;
    if (after === null || page.after === after) return this.#batch(question, [], page, true);
    const entries = page.entries.filter(({ key }) => compareKeys(key, after) > 0);
    return this.#batch(question, [], { ...page, after, entries }, true);
  }

  #batch(
    { request, resumed }: Question,
    writes: readonly Write<KvOperation>[],
    store: StorePage<KvOperation> | null,
    more: boolean,
  ): Batch {
    const { head, end } = this.#bundle;
    const { standing } = end;
    const given = store?.entries.length ?? writes.length;
    const left = more && request.resume === null ? Math.max(end.entries - given, 0) : null;
    const report = request.report ? end.report : null;
    const seen = end.seen.clone();
    const batch = { from: head.from, resumed, writes, seen, more, standing, store, left, report };
    return end.replaced === undefined ? batch : { ...batch, replaced: end.replaced.clone() };
  }

  #pass({ writes, store }: Part, place: Place): void {
    const { passed, passedKey } = this.#progress;
    for (const { origin, acceptTime } of writes) passed.raise(origin, acceptTime);
    if (store !== null && store.upTo === null) passed.merge(store.vector);
    this.#progress = { place, passed, passedKey: store?.upTo ?? passedKey };
  }

  /** The part at `#progress`. A part that is given in pieces, or asked for again, is read once. */
  #readPart(done: Done<{ readonly part: Part | null; readonly next: Place }>): void {
    const { place } = this.#progress;
    if (this.#read?.at === place.at) return done(succeed(this.#read));
    readPart(this.#bundle.bytes, place, this.#bundle.head.terms.protocol, (outcome) => {
      if (outcome.ok) this.#read = { at: place.at, ...outcome.value };
      done(outcome);
    });
  }
}
