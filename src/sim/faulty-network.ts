import type { Address } from '../base/address.js';
import { BaristaError, ERROR_CODES } from '../base/errors.js';
import { type Done, fail, type Outcome } from '../base/outcome.js';
import type { Random } from '../base/random.js';
import type { Channel, Method, Service } from './network.js';
import type { NetworkWeather } from './plan.js';
import type { SimProcess } from './process.js';
import type { Recorder } from './recorder.js';
import type { Scheduler } from './scheduler.js';

/*
 * A network that fails as networks do. What is promised of the real one, which is TCP: within a connection frames are
 * neither lost, doubled nor overtaken; but connections break, at any moment and for each side at another one, and what
 * was sent by one may arrive after what was sent later by the next. So here
 *
 * - a message that is lost takes the call with it: the caller hears ERR_TIMEOUT when its time is over, or the whole
 *   connection breaks (ERR_CONN for all that is under way on it);
 * - a request may arrive twice: the copy is served too, and its reply is heeded by nobody, as that of a caller who tried
 *   again over another connection;
 * - a message that is overtaken comes by as much as `LATE_MS_MAX` later than what was sent after it;
 * - a reply is matched to its call, and one that comes after the call was given up is dropped.
 *
 * That is harsher than TCP only in that it also doubles and delays pulls and news, which nobody sends twice by himself.
 */

/** By how much a message that is overtaken, or the copy of one, is late. */
export const LATE_MS_MAX = 3_000;

const CALM: NetworkWeather = { loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] };

const HOST_NAME = 'simulated';

const METHODS: readonly Method[] = [
  'write',
  'read',
  'pull',
  'news',
  'status',
  'link',
  'unlink',
  'stabilize',
  'store',
  'log',
  'retire',
  'shutdown',
];
const METHOD_NUMBERS = new Map(METHODS.map((method, i) => [method, 2 * i]));
const CODE_NUMBERS = new Map(ERROR_CODES.map((code, i) => [code, i]));

/** A process that listens, and the calls it has not answered. */
export class Endpoint {
  readonly process: SimProcess;
  readonly service: Service;
  readonly calls = new Set<Served>();

  constructor(process: SimProcess, service: Service) {
    this.process = process;
    this.service = service;
  }
}

/** A call that reached a process. */
interface Served {
  readonly method: Method;
  readonly since: number;
  /** The process has ended. */
  lost(): void;
}

/** Where a machine, or a client, is reached: whoever listens there at the moment. */
export interface Host {
  readonly name: string;
  readonly number: number;
  readonly address: Address;
  /** Null: nobody listens. */
  endpoint: Endpoint | null;
  /** False: the machine has no power, so that nobody even says that nobody listens. */
  isOn: boolean;
  /** Until when what it says to others does not leave it. */
  mutedUntil: number;
  /** How many of its requests arrived, or will arrive, a second time. */
  copies: number;
}

/** One way from one host to another. */
interface Wire {
  isCut: boolean;
  cloggedUntil: number;
  /** Nothing that keeps the order arrives before. */
  lastArrival: number;
}

export class FaultyNetwork {
  weather: NetworkWeather = CALM;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #recorder: Recorder;
  readonly #hosts: Host[] = [];
  readonly #byName = new Map<string, Host>();
  readonly #wires = new Map<number, Wire>();
  readonly #channels = new Set<FaultyChannel>();

  constructor(scheduler: Scheduler, random: Random, recorder: Recorder) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.#recorder = recorder;
  }

  host(name: string): Host {
    let host = this.#byName.get(name);
    if (host === undefined) {
      const number = this.#hosts.length + 1;
      const address = { host: HOST_NAME, port: number };
      host = { name, number, address, endpoint: null, isOn: true, mutedUntil: 0, copies: 0 };
      this.#hosts.push(host);
      this.#byName.set(name, host);
    }
    return host;
  }

  hostAt(address: Address): Host {
    return this.#hosts[address.port - 1] as Host;
  }

  connect(caller: SimProcess, from: Host, to: Host): FaultyChannel {
    const [there, back] = [this.#wire(from, to), this.#wire(to, from)];
    const channel = new FaultyChannel(this, this.#scheduler, this.#recorder, { caller, from, to, there, back });
    this.#channels.add(channel);
    return channel;
  }

  forget(channel: FaultyChannel): void {
    this.#channels.delete(channel);
  }

  /** Nothing of `from` reaches `to` any more. What is under way between them breaks off, or hangs until its time is over. */
  cut(from: Host, to: Host): void {
    const wire = this.#wire(from, to);
    if (wire.isCut) return;
    wire.isCut = true;
    if (this.#random.below(2) === 0) return;
    for (const channel of this.#channels) {
      if (channel.uses(wire) && channel.break()) this.#recorder.fault('connection-break');
    }
  }

  mend(from: Host, to: Host): void {
    this.#wire(from, to).isCut = false;
  }

  clog(from: Host, to: Host, forMs: number): void {
    const wire = this.#wire(from, to);
    wire.cloggedUntil = Math.max(wire.cloggedUntil, this.#scheduler.now + forMs);
  }

  /** No fault of the network lasts beyond this. */
  calm(): void {
    this.weather = CALM;
    for (const wire of this.#wires.values()) {
      wire.isCut = false;
      wire.cloggedUntil = 0;
    }
    for (const host of this.#hosts) host.mutedUntil = 0;
  }

  /** The process that listened there has ended. Whoever waits for it hears so at once, if the machine is still there. */
  ended(host: Host, endpoint: Endpoint): void {
    if (host.endpoint === endpoint) host.endpoint = null;
    const calls = [...endpoint.calls];
    endpoint.calls.clear();
    if (host.isOn) for (const call of calls) call.lost();
  }

  /** Lets a message go over a wire, unless it is lost: false then. */
  send(wire: Wire, arrive: () => void): boolean {
    this.#recorder.messages += 1;
    if (wire.isCut) return this.#lose('cut');
    const { loss, reordering, delayMs } = this.weather;
    if (this.#falls(loss)) return this.#lose('loss');
    const { now } = this.#scheduler;
    let at = now + delayMs[0] + this.#random.below(delayMs[1] - delayMs[0] + 1);
    if (this.#falls(reordering)) {
      this.#recorder.fault('reordering');
      at += 1 + this.#random.below(LATE_MS_MAX);
    } else {
      at = Math.max(at, wire.lastArrival);
      wire.lastArrival = at;
    }
    if (at < wire.cloggedUntil) {
      this.#recorder.fault('clog');
      at = wire.cloggedUntil;
    }
    this.#scheduler.after(at - now, arrive);
    return true;
  }

  /** By how much a copy of the message is late; null if there is none. */
  copyAfter(): number | null {
    if (!this.#falls(this.weather.duplication)) return null;
    this.#recorder.fault('duplication');
    return this.#random.below(LATE_MS_MAX);
  }

  /** After how many milliseconds the loss of a message breaks the connection; null: it does not. */
  breakAfter(): number | null {
    return this.#random.below(2) === 0 ? null : this.#random.below(1_000);
  }

  #lose(kind: string): false {
    this.#recorder.fault(kind);
    return false;
  }

  #falls(chance: number): boolean {
    return chance > 0 && this.#random.below(1_000_000) < chance * 1_000_000;
  }

  #wire(from: Host, to: Host): Wire {
    const name = from.number * 65_536 + to.number;
    let wire = this.#wires.get(name);
    if (wire === undefined) {
      wire = { isCut: false, cloggedUntil: 0, lastArrival: 0 };
      this.#wires.set(name, wire);
    }
    return wire;
  }
}

interface Ends {
  readonly caller: SimProcess;
  readonly from: Host;
  readonly to: Host;
  readonly there: Wire;
  readonly back: Wire;
}

export class FaultyChannel implements Channel {
  readonly #network: FaultyNetwork;
  readonly #scheduler: Scheduler;
  readonly #recorder: Recorder;
  readonly #ends: Ends;
  readonly #open = new Set<(error: BaristaError) => void>();
  #closed = false;

  constructor(network: FaultyNetwork, scheduler: Scheduler, recorder: Recorder, ends: Ends) {
    this.#network = network;
    this.#scheduler = scheduler;
    this.#recorder = recorder;
    this.#ends = ends;
  }

  uses(wire: Wire): boolean {
    return wire === this.#ends.there || wire === this.#ends.back;
  }

  call<T>(method: Method, timeoutMs: number, invoke: (service: Service, done: Done<T>) => void, done: Done<T>): void {
    const { caller, from, to, there } = this.#ends;
    let answered = false;
    const settle = (outcome: Outcome<T>): void => {
      if (answered) return;
      answered = true;
      cancelTimer();
      this.#open.delete(abort);
      done(outcome);
    };
    const abort = (error: BaristaError): void => settle(fail(error));
    const cancelTimer = this.#scheduler.after(timeoutMs, () => caller.run(() => abort(TIMEOUT)));
    this.#open.add(abort);
    // Never before this method returns.
    if (this.#closed) return caller.soon(() => abort(CLOSED));
    if (caller.isDead) return;
    if (from.mutedUntil > this.#scheduler.now) return this.#recorder.fault('mute');
    const arrive = (): void => this.#arrive(method, invoke, settle);
    if (!this.#network.send(there, arrive)) return this.#breakLater();
    const copyAfter = this.#network.copyAfter();
    if (copyAfter === null) return;
    from.copies += 1;
    this.#scheduler.after(copyAfter, () => this.#arrive(method, invoke, IGNORE));
    this.#recorder.event(99, to.number, copyAfter);
  }

  /** The connection breaks; the next call makes it anew. True if something was under way. */
  break(): boolean {
    const open = [...this.#open];
    this.#ends.caller.run(() => {
      for (const abort of open) abort(BROKEN);
    });
    return open.length > 0;
  }

  close(): void {
    this.#closed = true;
    this.#network.forget(this);
    for (const abort of [...this.#open]) abort(CLOSED);
  }

  #arrive<T>(method: Method, invoke: (service: Service, done: Done<T>) => void, settle: Done<T>): void {
    const { from, to } = this.#ends;
    const number = METHOD_NUMBERS.get(method) ?? 0;
    this.#recorder.event(number, to.number, from.number);
    const { endpoint } = to;
    if (endpoint === null || endpoint.process.isDead) {
      if (to.isOn) this.#answer<T>(number, fail(REFUSED), settle, null);
      return;
    }
    const { process, service, calls } = endpoint;
    const lost = (): void => this.#answer<T>(number, fail(BROKEN), settle, null);
    const served: Served = { method, since: this.#scheduler.now, lost };
    calls.add(served);
    process.run(() =>
      invoke(service, (outcome) => {
        if (!calls.delete(served) && !process.isDead) this.#recorder.failed(`${to.name} answered a ${method} twice`);
        this.#answer(number, outcome, settle, process);
      }),
    );
  }

  /** `sender`: the process that answers; null: its machine does. */
  #answer<T>(number: number, outcome: Outcome<T>, settle: Done<T>, sender: SimProcess | null): void {
    if (sender?.isDead === true || settle === IGNORE) return;
    const { caller, from, to, back } = this.#ends;
    if (to.mutedUntil > this.#scheduler.now) return this.#recorder.fault('mute');
    const sent = this.#network.send(back, () => {
      this.#recorder.event(number + 1, from.number, detailOf(outcome));
      caller.run(() => settle(outcome));
    });
    if (!sent) this.#breakLater();
  }

  #breakLater(): void {
    const after = this.#network.breakAfter();
    if (after !== null) this.#scheduler.after(after, () => this.break());
  }
}

const TIMEOUT = new BaristaError('ERR_TIMEOUT', 'no answer in time');
const CLOSED = new BaristaError('ERR_CLOSED', 'the connection was closed');
const BROKEN = new BaristaError('ERR_CONN', 'the connection broke');
const REFUSED = new BaristaError('ERR_CONN', 'nobody listens there');

/** True if no process can have heard of the call. */
export function isNeverSent(error: BaristaError): boolean {
  return error === REFUSED;
}

const IGNORE = (): void => undefined;

/** A number that tells an answer from others. */
function detailOf(outcome: Outcome<unknown>): number {
  if (!outcome.ok) return 100 + (CODE_NUMBERS.get(outcome.error.code) ?? 0);
  const { value } = outcome;
  if (typeof value !== 'object' || value === null) return 1;
  if ('writes' in value && Array.isArray(value.writes)) return 1_000 + value.writes.length;
  if ('stamp' in value) return (value.stamp as { readonly acceptTime: number }).acceptTime;
  return 2;
}
