import { BaristaError } from '../base/errors.js';
import { type Origin, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type { BundleOffer } from '../bayou/bundle-messages.js';
import type { PeerConnection } from '../bayou/ports.js';
import type { Link } from './link.js';

/** A replica that must take a new incarnation begins again with the bundle; more often than this it does not help. */
const ATTEMPTS_MAX = 4;

interface DetourParts<Op> {
  readonly max: number;
  readonly link: (peer: ReplicaId) => Link<Op> | undefined;
  /** A link to a replica that none was made to: it asks nothing by itself. */
  readonly makeLink: (peer: ReplicaId) => Link<Op>;
  /** The replica's origin; null while the one it had has ended and the next has not begun. */
  readonly origin: () => Origin | null;
  /** Whether the replica claims all that was offered. */
  readonly holds: (offer: BundleOffer) => boolean;
  /** Answers when what was done before is durable. */
  readonly settle: (done: Done<void>) => void;
  /** Nothing of the peer is under way any more. */
  readonly onIdle: (peer: ReplicaId) => void;
}

/**
 * Pulls that are answered from bundles. One from a peer takes its turn with those over the link to that peer, since the core
 * knows a transfer by its peer; if there is no link it has one of its own for as long.
 */
export class Detours<Op> {
  readonly #parts: DetourParts<Op>;
  readonly #ownLinks = new Map<ReplicaId, Link<Op>>();
  #underWay = 0;

  constructor(parts: DetourParts<Op>) {
    this.#parts = parts;
  }

  /** Takes over all that `way` has; answers when that is durable. */
  pull(offer: BundleOffer, way: PeerConnection<Op>, done: Done<void>): void {
    if (this.#underWay >= this.#parts.max) {
      return done(fail(new BaristaError('ERR_OVERLOADED', `${this.#parts.max} bundles are being taken already`)));
    }
    this.#underWay += 1;
    this.#attempt(offer, way, 1, (outcome) => {
      this.#underWay -= 1;
      done(outcome);
    });
  }

  /** A link to the peer is made, or cut: what goes through one of its own ends here, and can be begun again. */
  cut(peer: ReplicaId): void {
    const link = this.#ownLinks.get(peer);
    this.#ownLinks.delete(peer);
    link?.close();
  }

  close(): void {
    for (const peer of [...this.#ownLinks.keys()]) this.cut(peer);
  }

  #attempt(offer: BundleOffer, way: PeerConnection<Op>, attempt: number, done: Done<void>): void {
    const { link, origin, settle, holds, onIdle } = this.#parts;
    const peer = replicaIdOf(offer.from);
    const before = origin();
    (link(peer) ?? this.#ownLink(peer)).pullThrough(way, (outcome) => {
      // What comes after it, and rests on its end, waits for the next turn.
      settle((settled) => {
        if (link(peer) === undefined && this.#ownLinks.get(peer)?.pulling !== true) {
          this.cut(peer);
          onIdle(peer);
        }
        const hasBegunAgain = !outcome.ok && settled.ok && origin() !== before && origin() !== null;
        if (hasBegunAgain && attempt < ATTEMPTS_MAX) return this.#attempt(offer, way, attempt + 1, done);
        const ended: Outcome<void> = outcome.ok ? settled : outcome;
        if (!ended.ok || holds(offer)) return done(ended);
        done(fail(new BaristaError('ERR_BEHIND', `the replica takes over something else first: import it once more`)));
      });
    });
  }

  #ownLink(peer: ReplicaId): Link<Op> {
    const there = this.#ownLinks.get(peer);
    if (there !== undefined) return there;
    const made = this.#parts.makeLink(peer);
    this.#ownLinks.set(peer, made);
    return made;
  }
}
