import type { Address } from '../base/address.js';
import { BaristaError, type ErrorCode } from '../base/errors.js';
import type { ReplicaId } from '../base/ids.js';
import { type Done, fail, type Outcome, succeed } from '../base/outcome.js';
import type { Cancel, Timers } from '../base/time.js';
import type { PullBatch, PullRequest, Refused } from '../bayou/messages.js';
import type { PeerConnection } from '../bayou/ports.js';
import type { Integrated } from '../bayou/replica.js';
import type { DriverSettings } from './settings.js';

/** What a link asks of the replica it belongs to. */
export interface PullSteps<Op> {
  nextPull(peer: ReplicaId): PullRequest;
  /** Answers when the batch is durable. */
  integrate(peer: ReplicaId, request: PullRequest, batch: PullBatch<Op>, done: Done<Integrated | Refused>): void;
  interrupted(peer: ReplicaId): void;
  pullFailed(peer: ReplicaId, error: BaristaError): void;
}

/** A neighbour, and the pull from it: at most one at a time, batch after batch until nothing is left. */
export class Link<Op> {
  readonly peer: ReplicaId;
  readonly address: Address;
  readonly #connection: PeerConnection<Op>;
  readonly #steps: PullSteps<Op>;
  readonly #settings: DriverSettings;
  readonly #timers: Timers;
  #lastError: ErrorCode | null = null;
  #pulling = false;
  /** Callers whose pull is under way. */
  #served: Done<void>[] = [];
  /** Callers who came later: the pull under way may be past what they want, so they get the next one. */
  #waiting: Done<void>[] = [];
  #cancelTimer: Cancel | null = null;
  #closed = false;

  constructor(
    peer: ReplicaId,
    address: Address,
    connection: PeerConnection<Op>,
    steps: PullSteps<Op>,
    settings: DriverSettings,
    timers: Timers,
  ) {
    this.peer = peer;
    this.address = address;
    this.#connection = connection;
    this.#steps = steps;
    this.#settings = settings;
    this.#timers = timers;
    if (settings.antiEntropyMs !== null) this.#pullPeriodically(settings.antiEntropyMs);
  }

  get lastError(): ErrorCode | null {
    return this.#lastError;
  }

  /** Takes over everything the peer may claim at some moment after this call. */
  pull(done: Done<void>): void {
    this.#waiting.push(done);
    if (!this.#pulling) this.#begin();
  }

  /** Nothing is asked of the peer, and no answer of it heeded, from here on. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#connection.close();
    this.#end(fail(new BaristaError('ERR_NOT_LINKED', `the link to replica ${this.peer} was cut`)));
  }

  #pullPeriodically(periodMs: number): void {
    this.pull(() => {
      if (!this.#closed) this.#cancelTimer = this.#timers.after(periodMs, () => this.#pullPeriodically(periodMs));
    });
  }

  #begin(): void {
    this.#pulling = true;
    this.#served = this.#waiting;
    this.#waiting = [];
    this.#step();
  }

  #step(): void {
    const request = this.#steps.nextPull(this.peer);
    this.#connection.pull(request, this.#settings.pullTimeoutMs, (answer) => {
      if (this.#closed) return;
      if (!answer.ok) return this.#fail(answer.error);
      this.#steps.integrate(this.peer, request, answer.value, (outcome) => {
        if (this.#closed) return;
        if (!outcome.ok) return this.#fail(outcome.error);
        if (outcome.value.kind === 'refused')
          return this.#fail(new BaristaError(outcome.value.code, outcome.value.message));
        if (outcome.value.more) return this.#step();
        this.#lastError = null;
        this.#end(succeed(undefined));
      });
    });
  }

  #fail(error: BaristaError): void {
    this.#lastError = error.code;
    this.#steps.pullFailed(this.peer, error);
    this.#end(fail(error));
  }

  #end(outcome: Outcome<void>): void {
    if (!outcome.ok) this.#steps.interrupted(this.peer);
    const ended = this.#closed ? [...this.#served, ...this.#waiting] : this.#served;
    this.#served = [];
    if (this.#closed) this.#waiting = [];
    this.#pulling = false;
    for (const done of ended) done(outcome);
    if (!this.#closed && !this.#pulling && this.#waiting.length > 0) this.#begin();
  }
}
