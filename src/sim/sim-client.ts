import type { ClientId, ReplicaId } from '../base/ids.js';
import type { Done, Outcome } from '../base/outcome.js';
import { bytesOf } from '../base/text.js';
import type { ReadReply, ReadRequest, WriteReply } from '../bayou/messages.js';
import type { ClientConnection } from '../bayou/ports.js';
import type { ReadManyReply, ReadManyRequest } from '../bayou/read-messages.js';
import { Session } from '../bayou/session.js';
import type { Submission } from '../bayou/submission.js';
import type { ReadEvent, Vector, WriteEvent } from '../check/history.js';
import { Client } from '../client/client.js';
import type { KvOperation } from '../machine/kv.js';
import { SimConnection } from './connection.js';
import { type FaultyNetwork, type Host, isNeverSent } from './faulty-network.js';
import type { Machine } from './machine.js';
import { carriedBy, shownOf, stampOf } from './observe.js';
import type { Action, PlannedClient } from './plan.js';
import { SimProcess } from './process.js';
import type { Recorder } from './recorder.js';
import type { Scheduler } from './scheduler.js';

/** How long it waits for one replica. */
const TIMEOUT_MS = 1_000;
/** A person who waits does not go on asking: operations beyond so many that wait are left out. */
const WAITING_MAX = 8;

/** After these a write may have been accepted all the same. */
const UNCERTAIN: ReadonlySet<string> = new Set(['ERR_CONN', 'ERR_TIMEOUT', 'ERR_CLOSED', 'ERR_STORAGE']);

/** What a client may be told, whatever the faults. */
const EXPECTED: ReadonlySet<string> = new Set([
  ...UNCERTAIN,
  'ERR_OVERLOADED',
  'ERR_CLOCK_DRIFT',
  'ERR_BEHIND',
  'ERR_COPIED',
]);

type ClientAction = Extract<Action, { readonly client: string }>;
type WriteAction = Exclude<ClientAction, { readonly kind: 'get' | 'getMany' | 'batch' | 'roam' }>;

export interface SimClientParts {
  readonly planned: PlannedClient;
  readonly scheduler: Scheduler;
  readonly network: FaultyNetwork;
  readonly recorder: Recorder;
  readonly machines: () => readonly Machine[];
}

/** A client of the simulated world: the real one, that does one thing after the other. What it is answered is written down. */
export class SimClient {
  readonly host: Host;
  readonly session: Session<KvOperation>;
  /** The keys it wrote or read. */
  readonly keys = new Set<string>();
  readonly #parts: SimClientParts;
  readonly #process: SimProcess;
  readonly #client: Client;
  readonly #waiting: ClientAction[] = [];
  #isBusy = false;
  #preferred: string | null = null;
  /** Of the operation under way: who answered last, its client time, and whether some replica may have accepted it unheard. */
  #answeredBy: string | null = null;
  #clientTime = 0;
  #isUncertain = false;
  /** It was sent again after such a try. */
  #isRepeated = false;
  #copiesBefore = 0;
  /** Reads of several keys so far. */
  #together = 0;

  constructor(parts: SimClientParts) {
    this.#parts = parts;
    const { planned, scheduler, network, recorder } = parts;
    this.host = network.host(planned.id);
    this.#process = new SimProcess(scheduler);
    this.session = new Session(planned.id as ClientId, planned.guarantees);
    this.#client = new Client(this.session, TIMEOUT_MS);
    recorder.history({ type: 'session', client: planned.id, guarantees: planned.guarantees });
  }

  get isIdle(): boolean {
    return !this.#isBusy && this.#waiting.length === 0;
  }

  do(action: ClientAction): void {
    if (this.#waiting.length >= WAITING_MAX) return this.#parts.recorder.fault('operation-left-out');
    this.#waiting.push(action);
    this.#next();
  }

  /** Links it to the machines there are: its own first, then the others in their order. */
  relink(): void {
    const { planned, machines } = this.#parts;
    const all = machines();
    const own = all.filter(({ id }) => id === this.#preferred);
    const others = all.filter(({ id }) => id !== this.#preferred);
    this.#client.close();
    for (const [rank, machine] of [...own, ...others].slice(0, planned.tries ?? all.length).entries()) {
      // The client tries replicas in the order of the ids it knows them by.
      this.#client.attach(`${rank}` as ReplicaId, this.#listening(machine));
    }
  }

  #next(): void {
    if (this.#isBusy) return;
    const action = this.#waiting.shift();
    if (action === undefined) return;
    if (action.kind === 'roam') {
      this.#preferred = action.replica;
      this.relink();
      return this.#next();
    }
    this.#isBusy = true;
    this.#answeredBy = null;
    this.#isUncertain = false;
    this.#isRepeated = false;
    this.#copiesBefore = this.host.copies;
    for (const key of 'keys' in action ? action.keys : [action.key]) this.keys.add(key);
    if (action.kind === 'get') this.#read(action.key);
    else if (action.kind === 'getMany') this.#readMany(action.keys);
    else if (action.kind === 'batch') this.#batch(action.keys, { kind: 'put', value: bytesOf(action.value) });
    else this.#write(action.key, operationOf(action));
  }

  #end(): void {
    // Not in the same step: a client that is refused at once would go on for ever.
    this.#process.soon(() => {
      this.#isBusy = false;
      this.#next();
    });
  }

  #write(key: string, operation: KvOperation): void {
    const { recorder } = this.#parts;
    const begin = recorder.now;
    this.#client.write(key, operation, (outcome) => {
      const event = this.#writeEvent(key, operation, begin, outcome);
      recorder.operations[event.outcome] += 1;
      recorder.history(event);
      this.#end();
    });
  }

  #writeEvent(key: string, operation: KvOperation, begin: number, outcome: Outcome<WriteReply>): WriteEvent {
    const { recorder } = this.#parts;
    const what = carriedBy(operation);
    const head = { type: 'write', client: this.host.name, key, clientTime: this.#clientTime, ...what, begin } as const;
    if (outcome.ok && outcome.value.kind === 'accepted') {
      // Most writes end so: a field at a time, since to spread an object and add to it takes microseconds.
      const { type, client, clientTime, value } = head;
      const [end, replica, stamp] = [recorder.now, this.#answeredBy, stampOf(outcome.value.stamp)];
      return this.#isRepeated || this.#isDoubled || what.change !== undefined
        ? { ...head, end, replica, ...this.#repeated(), outcome: 'accepted', stamp }
        : { type, client, key, clientTime, value, begin, end, replica, outcome: 'accepted', stamp };
    }
    const answered = { ...this.#answered(outcome), ...this.#repeated() };
    return this.#isUncertain || this.#isDoubled
      ? { ...head, code: 'ERR_DEP', ...answered, outcome: 'unknown' }
      : { ...head, ...answered, outcome: outcome.ok ? 'missing' : 'failed' };
  }

  #batch(keys: readonly string[], operation: KvOperation): void {
    const { recorder } = this.#parts;
    const begin = recorder.now;
    const parts = keys.map((key) => ({ key, operation }));
    this.#client.batch(parts, (outcome) => {
      const events = keys.map(
        (key): WriteEvent => ({ ...this.#writeEvent(key, operation, begin, outcome), part: true }),
      );
      recorder.operations[(events[0] as WriteEvent).outcome] += 1;
      for (const event of events) recorder.history(event);
      this.#end();
    });
  }

  #readMany(keys: readonly string[]): void {
    const { recorder } = this.#parts;
    const begin = recorder.now;
    this.#client.readMany(keys, (outcome) => {
      const answered = this.#answered(outcome);
      const reply = outcome.ok ? outcome.value : null;
      const seen = reply !== null && 'seen' in reply && reply.seen !== null ? { seen: reply.seen as Vector } : {};
      this.#together += 1;
      const events = keys.map((key, i): ReadEvent => {
        const when = { begin, ...answered, ...seen, together: this.#together };
        const head = { type: 'read', client: this.host.name, key, ...when } as const;
        if (reply?.kind !== 'values') return { ...head, outcome: reply === null ? 'failed' : reply.kind };
        const found = reply.values[i] ?? null;
        if (found === null) return { ...head, outcome: 'absent' };
        return { ...head, outcome: 'found', value: shownOf(found.value), stamp: stampOf(found.stamp) };
      });
      recorder.operations[(events[0] as ReadEvent).outcome] += 1;
      for (const event of events) recorder.history(event);
      this.#end();
    });
  }

  #read(key: string): void {
    const { recorder } = this.#parts;
    const begin = recorder.now;
    this.#client.read(key, (outcome) => {
      const { host } = this;
      let event: ReadEvent;
      if (outcome.ok) {
        const { value: reply } = outcome;
        const [end, replica] = [recorder.now, this.#answeredBy];
        const seen = 'seen' in reply && reply.seen !== null ? (reply.seen as Vector) : null;
        const head = { type: 'read', client: host.name, key, begin, end, replica } as const;
        if (reply.kind === 'found' && seen !== null) {
          const [value, stamp] = [shownOf(reply.value), stampOf(reply.stamp)];
          event = { type: 'read', client: host.name, key, begin, end, replica, seen, outcome: 'found', value, stamp };
        } else {
          const shown = seen === null ? head : { ...head, seen };
          event =
            reply.kind === 'found'
              ? { ...shown, outcome: 'found', value: shownOf(reply.value), stamp: stampOf(reply.stamp) }
              : { ...shown, outcome: reply.kind };
        }
      } else {
        event = { type: 'read', client: host.name, key, begin, ...this.#answered(outcome), outcome: 'failed' };
      }
      recorder.operations[event.outcome] += 1;
      recorder.history(event);
      this.#end();
    });
  }

  #repeated(): { readonly repeated?: true } {
    return this.#isRepeated || this.#isDoubled ? { repeated: true } : {};
  }

  /** The network doubled what it asked: the copy may be taken after the other was refused. */
  get #isDoubled(): boolean {
    return this.host.copies > this.#copiesBefore;
  }

  #answered(outcome: Outcome<unknown>): { end: number; replica: string | null; code?: string } {
    const { recorder } = this.#parts;
    const answered = { end: recorder.now, replica: this.#answeredBy };
    if (outcome.ok) return answered;
    const { code, message } = outcome.error;
    recorder.code(code);
    if (!EXPECTED.has(code)) recorder.failed(`client ${this.host.name} was told ${code}: ${message}`);
    return { ...answered, code };
  }

  /** A connection to the machine that notes what is answered. */
  #listening(machine: Machine): ClientConnection<KvOperation, Uint8Array> {
    const connection = new SimConnection(this.#parts.network.connect(this.#process, this.host, machine.host));
    const note = <T>(done: Done<T>): Done<T> => {
      return (outcome) => {
        if (outcome.ok) this.#answeredBy = machine.id;
        else if (UNCERTAIN.has(outcome.error.code) && !isNeverSent(outcome.error)) this.#isUncertain = true;
        done(outcome);
      };
    };
    return {
      write: (request: Submission<KvOperation>, timeoutMs, done: Done<WriteReply>) => {
        this.#clientTime = request.clientTime;
        this.#isRepeated ||= this.#isUncertain;
        connection.write(request, timeoutMs, note(done));
      },
      read: (request: ReadRequest, timeoutMs, done: Done<ReadReply<Uint8Array>>) => {
        connection.read(request, timeoutMs, note(done));
      },
      readMany: (request: ReadManyRequest, timeoutMs, done: Done<ReadManyReply<Uint8Array>>) => {
        connection.readMany(request, timeoutMs, note(done));
      },
      close: () => connection.close(),
    };
  }
}

function operationOf(action: WriteAction): KvOperation {
  switch (action.kind) {
    case 'put':
    case 'putIfAbsent':
      return { kind: action.kind, value: bytesOf(action.value) };
    case 'delete':
      return { kind: 'delete' };
    case 'increment':
      return { kind: 'increment', by: action.by };
    case 'append':
      return { kind: 'append', bytes: bytesOf(action.value) };
    case 'setAdd':
    case 'setRemove':
      return { kind: action.kind, member: action.member };
    case 'merge': {
      const { procedure, expects, value } = action;
      const expected = expects === 'anything' ? null : expects === 'absent' ? expects : bytesOf(expects.slice(1));
      return { kind: 'merge', procedure, expects: expected, value: bytesOf(value) };
    }
  }
}
