import type { BaristaError } from '../base/errors.js';
import type { ReplicaId } from '../base/ids.js';
import { type Random, seededRandom } from '../base/random.js';
import { type ClusterTerms, PROTOCOL_VERSION } from '../bayou/messages.js';
import type { HistoryEvent, LifeEvent } from '../check/history.js';
import { DEFAULT_SETTINGS, type DriverSettings } from '../driver/settings.js';
import { kvMachineWith } from '../machine/kv.js';
import type { Procedures } from '../machine/procedures.js';
import { expectedCodes } from './expected-codes.js';
import { FaultyNetwork } from './faulty-network.js';
import { Machine, type MachineParts } from './machine.js';
import { stateOf } from './observe.js';
import type { Action, Plan } from './plan.js';
import { Recorder } from './recorder.js';
import { Scheduler } from './scheduler.js';
import { SimClient } from './sim-client.js';

/** How long an operator takes to see to what went wrong, at most. */
const OPERATOR_MS_MAX = 20_000;

export interface WorldPorts {
  /** The merge procedures that every replica has. */
  readonly procedures: Procedures;
  /** Such as CRC-32. */
  readonly checksum: (bytes: Uint8Array) => number;
  /** Given what happens, as it happens. */
  readonly sink: (event: HistoryEvent) => void;
}

/** The machines, clients and network of a plan, and the operator who sees to them. */
export class World {
  readonly scheduler = new Scheduler();
  readonly recorder: Recorder;
  readonly network: FaultyNetwork;
  readonly machines = new Map<string, Machine>();
  readonly clients = new Map<string, SimClient>();
  /** The ids of replicas that lost what they may have held alone. */
  readonly losers = new Set<string>();
  /** When the operator last did something by himself. */
  operatorActedAt = 0;
  readonly #plan: Plan;
  readonly #ports: WorldPorts;
  readonly #random: Random;
  readonly #terms: ClusterTerms;
  readonly #settings: DriverSettings;
  readonly #expected: ReadonlySet<string>;
  readonly #lies = new WeakMap<object, string>();
  /** Machines whose replica gives no more stamps, and that the operator is about to see to. */
  readonly #condemned = new Set<Machine>();
  readonly #clones = new Set<Machine>();

  constructor(plan: Plan, ports: WorldPorts) {
    this.#plan = plan;
    this.#ports = ports;
    this.#random = seededRandom(plan.seed);
    this.recorder = new Recorder(this.scheduler, ports.sink);
    this.network = new FaultyNetwork(this.scheduler, seededRandom(plan.seed + 1), this.recorder);
    this.#expected = expectedCodes(plan);
    const { tieBreak, clock, retryWindowMs, antiEntropyMs, compactMs } = plan;
    this.#terms = { protocol: PROTOCOL_VERSION, cluster: 'simulated', tieBreak, clock, retryWindowMs };
    const batchWritesMax = this.#pick([2, 7, 50, 4_096]);
    const batchBytesMax = this.#pick([200, 5_000, 1024 * 1024]);
    this.#settings = { ...DEFAULT_SETTINGS, antiEntropyMs, compactMs, batchWritesMax, batchBytesMax };
    for (const id of plan.replicas) this.#join(id);
    const machines = (): readonly Machine[] => [...this.machines.values()];
    const { scheduler, recorder, network } = this;
    for (const planned of plan.clients) {
      const parts = { planned, scheduler, network, recorder, machines };
      this.clients.set(planned.id, new SimClient(parts));
    }
    for (const client of this.clients.values()) client.relink();
  }

  /** Does what the plan says. What cannot be done as things are is left out. */
  do(action: Action): void {
    switch (action.kind) {
      case 'put':
      case 'delete':
      case 'increment':
      case 'append':
      case 'setAdd':
      case 'setRemove':
      case 'putIfAbsent':
      case 'merge':
      case 'batch':
      case 'get':
      case 'getMany':
      case 'roam':
        this.clients.get(action.client)?.do(action);
        break;
      case 'cut':
      case 'mend':
      case 'clog':
      case 'mute':
      case 'weather':
        this.#disturb(action);
        break;
      case 'join':
        if (this.machines.has(action.replica)) return;
        this.recorder.fault('join');
        this.#join(action.replica);
        for (const client of this.clients.values()) client.relink();
        break;
      case 'retire':
        this.#retire(action.replica, action.at);
        break;
      default: {
        const machine = this.machines.get(action.replica);
        if (machine !== undefined) this.#meddle(machine, action);
      }
    }
  }

  /** Starts the machine's process, or sees to it that it can be started a while later. */
  start(machine: Machine): void {
    if (machine.isRunning) return;
    const failure = machine.start();
    if (failure !== null) this.#seeTo(machine, failure);
    else if (machine.isRunning) this.#life(machine, 'start');
  }

  end(machine: Machine, how: 'kill' | 'power'): void {
    if (machine.isRunning) this.#life(machine, 'end');
    machine.end(how);
  }

  /** Its data is, or is about to be, not what it was. */
  lose(machine: Machine): void {
    this.losers.add(machine.id);
    this.#life(machine, 'lost');
  }

  /** Ends what is there only for the sake of faults. */
  endClones(): void {
    for (const clone of this.#clones) clone.end('kill');
    this.#clones.clear();
  }

  /** Writes down what replicas show whose logs are no longer than this. */
  observe(logSizeMax: number): void {
    for (const machine of this.machines.values()) {
      if (machine.replica === null || machine.replica.logSize > logSizeMax) continue;
      const state = stateOf(machine, this.scheduler.now, false);
      if (state !== null) this.recorder.history(state);
    }
  }

  /** Writes down what all replicas show in the end. */
  observeEnd(): void {
    for (const machine of this.machines.values()) {
      for (let left = 1_000; left > 0 && !machine.isSettled; left--) this.scheduler.runUntil(this.scheduler.now + 1);
      const state = stateOf(machine, this.scheduler.now, true);
      if (state !== null) this.recorder.history(state);
    }
  }

  #join(id: string): void {
    const machine = new Machine(this.#partsOf(id), this.network.host(id));
    this.machines.set(id, machine);
    this.start(machine);
    for (const peer of this.peersOf(id)) peer.linkTo(machine);
  }

  #partsOf(id: string): MachineParts {
    const { scheduler, network, recorder } = this;
    return {
      id: id as ReplicaId,
      seed: this.#random.below(1_000_000_000),
      scheduler,
      network,
      recorder,
      random: seededRandom(this.#random.below(1_000_000_000)),
      terms: this.#terms,
      settings: this.#settings,
      maxDriftMs: this.#plan.maxDriftMs,
      checksum: this.#ports.checksum,
      machine: kvMachineWith(this.#ports.procedures),
      lies: this.#lies,
      peers: () => this.peersOf(id),
      onDeath: (machine) => {
        this.#life(machine, 'end');
        this.#later(() => this.start(machine));
      },
      onNoticed: (machine, code, message) => this.#noticed(machine, code, message),
      onIncarnation: (machine) => this.#life(machine, 'start'),
    };
  }

  /** The machines that one is linked to. */
  peersOf(id: string): readonly Machine[] {
    const { links } = this.#plan;
    const isLinked = (other: string): boolean =>
      links === undefined || links.some(([a, b]) => (a === id && b === other) || (a === other && b === id));
    return [...this.machines.values()].filter((machine) => machine.id !== id && isLinked(machine.id));
  }

  #disturb(action: Extract<Action, { kind: 'cut' | 'mend' | 'clog' | 'mute' | 'weather' }>): void {
    const { network } = this;
    if (action.kind === 'weather') {
      network.weather = action.weather;
    } else if (action.kind === 'mute') {
      network.host(action.replica).mutedUntil = this.scheduler.now + action.forMs;
    } else {
      const from = network.host(action.from);
      const to = network.host(action.to);
      if (action.kind === 'cut') network.cut(from, to);
      else if (action.kind === 'mend') network.mend(from, to);
      else network.clog(from, to, action.forMs);
    }
  }

  #meddle(machine: Machine, action: Extract<Action, { readonly replica: string }>): void {
    const { recorder } = this;
    switch (action.kind) {
      case 'crash':
        if (!machine.isRunning) return;
        recorder.fault(action.how === 'kill' ? 'crash' : 'power');
        return this.end(machine, action.how);
      case 'start':
        return this.start(machine);
      case 'pause':
        if (machine.isRunning) recorder.fault('pause');
        return machine.pause();
      case 'resume':
        return machine.resume();
      case 'disk':
        return this.#disk(machine, action);
      case 'wipe':
        if (machine.isRunning) return;
        recorder.fault('wipe');
        this.lose(machine);
        return machine.wipe();
      case 'backup':
        return machine.keepBackup();
      case 'restore':
        if (machine.isRunning || machine.backup === null) return;
        recorder.fault('restore');
        this.lose(machine);
        machine.restore();
        return;
      case 'clone':
        return this.#clone(machine, action.forMs);
      case 'clock':
        recorder.fault('clock');
        machine.skewMs = action.skewMs;
        return;
      case 'version':
        machine.protocol = action.protocol;
        return;
      case 'lie':
        machine.liesUntil = this.scheduler.now + action.forMs;
        return;
    }
  }

  #disk(machine: Machine, { fault }: Extract<Action, { kind: 'disk' }>): void {
    if (fault.kind === 'flip' && machine.isRunning) return;
    if (fault.kind !== 'mend' && fault.kind !== 'power' && fault.kind !== 'slow')
      this.recorder.fault(`disk-${fault.kind}`);
    machine.disk.do(fault);
  }

  #retire(id: string, at: string): void {
    const retired = this.machines.get(id);
    const asked = this.machines.get(at);
    if (retired === undefined || asked === undefined) return;
    const { incarnation } = retired;
    asked.ask((driver) =>
      driver.retire({ id: id as ReplicaId }, (outcome) => {
        if (!outcome.ok) return;
        this.recorder.fault('retire');
        const { now } = this.scheduler;
        this.recorder.history({ type: 'life', at: now, replica: id, incarnation, event: 'retired' });
      }),
    );
  }

  #clone(original: Machine, forMs: number): void {
    const parts = { ...this.#partsOf(original.id), onDeath: () => undefined, onNoticed: () => undefined };
    const clone = new Machine(parts, this.network.host(`${original.id}~`), original);
    if (clone.start() !== null) return;
    this.recorder.fault('clone');
    this.#clones.add(clone);
    this.scheduler.after(forMs, () => {
      if (this.#clones.delete(clone)) clone.end('kill');
    });
  }

  /** Something that an operator would read in the log. */
  #noticed(machine: Machine, code: string, message: string): void {
    if (!this.#expected.has(code)) this.recorder.failed(`${machine.id} met ${code}: ${message}`);
    // The log speaks before the replica is condemned, in the same step.
    this.scheduler.after(0, () => this.#seeToCondemned(machine));
  }

  #seeToCondemned(machine: Machine): void {
    if (machine.replica?.copied == null || this.#condemned.has(machine)) return;
    this.recorder.fault('condemned');
    this.#condemned.add(machine);
    this.#later(() => {
      this.#condemned.delete(machine);
      if (machine.isRunning && machine.replica?.copied == null) return;
      this.end(machine, 'kill');
      this.#startAnew(machine);
    });
  }

  /** The process could not be started. */
  #seeTo(machine: Machine, failure: BaristaError): void {
    this.recorder.code(failure.code);
    if (failure.code === 'ERR_COPIED') {
      this.recorder.fault('copy-noticed');
      this.#later(() => this.#startAnew(machine));
    } else if (failure.code === 'ERR_CORRUPT') {
      if (!this.#expected.has('ERR_CORRUPT'))
        this.recorder.failed(`${machine.id} cannot be opened: ${failure.message}`);
      this.recorder.fault('damage-noticed');
      this.#later(() => this.#repair(machine));
    } else {
      this.#later(() => this.start(machine));
    }
  }

  #repair(machine: Machine): void {
    if (machine.isRunning) return;
    this.lose(machine);
    const isRepaired = this.#random.below(2) === 0 && machine.disk.repair();
    this.recorder.fault(isRepaired ? 'repair' : 'wiped-for-damage');
    if (isRepaired) this.#startAnew(machine);
    else {
      machine.wipe();
      this.start(machine);
    }
  }

  #startAnew(machine: Machine): void {
    if (machine.isRunning) return;
    const failure = machine.start(true);
    if (failure !== null) this.#seeTo(machine, failure);
    else if (machine.isRunning) this.#life(machine, 'start');
  }

  #later(act: () => void): void {
    this.scheduler.after(1_000 + this.#random.below(OPERATOR_MS_MAX - 1_000), () => {
      this.operatorActedAt = this.scheduler.now;
      act();
    });
  }

  #life({ id, incarnation }: Machine, event: LifeEvent['event']): void {
    const { now } = this.scheduler;
    this.recorder.event(200, 0, now);
    this.recorder.history({ type: 'life', at: now, replica: id, incarnation, event });
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}
