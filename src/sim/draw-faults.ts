import type { Random } from '../base/random.js';
import { PROTOCOL_VERSION } from '../bayou/messages.js';
import { FAULTS, type FaultName } from './faults.js';
import type { Action, DiskFault, NetworkWeather, Plan, PlannedAction } from './plan.js';

export interface FaultParts extends Pick<Plan, 'clock' | 'retryWindowMs' | 'maxDriftMs' | 'durationMs'> {
  readonly random: Random;
  readonly ids: readonly string[];
  readonly clients: readonly string[];
  /** With the vigour of each. */
  readonly kinds: ReadonlyMap<FaultName, number>;
}

/** Faults come at least as often as in so much of an hour: else short runs would see none. */
const HOURS_MIN = 0.25;
const HOUR_MS = 3_600_000;

/** All that goes wrong in a run, in no order. */
export function drawFaults(parts: FaultParts): PlannedAction[] {
  const draw = new FaultDraw(parts);
  for (const [name, vigour] of parts.kinds) {
    const expected = FAULTS[name].perHour * vigour * Math.max(HOURS_MIN, parts.durationMs / HOUR_MS);
    const count = Math.floor(expected) + (parts.random.below(1_000) < (expected % 1) * 1_000 ? 1 : 0);
    for (let i = 0; i < count; i++) draw.draw(name);
  }
  return draw.actions;
}

class FaultDraw {
  readonly actions: PlannedAction[] = [];
  readonly #parts: FaultParts;
  readonly #random: Random;
  readonly #joined = new Set<string>();
  #upgrades = 0;

  constructor(parts: FaultParts) {
    this.#parts = parts;
    this.#random = parts.random;
  }

  draw(name: FaultName): void {
    const at = this.#random.below(this.#parts.durationMs);
    const replica = this.#pick(this.#parts.ids);
    switch (name) {
      case 'loss':
        return this.#weather(at, { loss: this.#pick([0.002, 0.02, 0.2]) });
      case 'duplication':
        return this.#weather(at, { duplication: this.#pick([0.01, 0.1, 0.5]) });
      case 'reordering':
        return this.#weather(at, { reordering: this.#pick([0.01, 0.1, 0.5]) });
      case 'delay':
        return this.#weather(at, {
          delayMs: this.#pick([
            [10, 100],
            [1, 500],
            [200, 1_500],
          ] as const),
        });
      case 'clog':
        return this.#add(at, { kind: 'clog', from: replica, to: this.#other(replica), forMs: this.#stall() });
      case 'partition-symmetric':
      case 'partition-asymmetric':
      case 'partition-bridge':
        return this.#partition(at, name);
      case 'half-open':
        return this.#cut(at, this.#spell(60_000), [[replica, this.#other(replica)]]);
      case 'connection-break':
        return this.#cut(at, 1 + this.#random.below(50), both(replica, this.#other(replica)));
      case 'mute':
        return this.#add(at, { kind: 'mute', replica, forMs: this.#spell(30_000) });
      case 'hang':
      case 'pause': {
        const forMs = name === 'hang' ? 1 + this.#random.below(3_000) : this.#stall();
        this.#add(at, { kind: 'pause', replica });
        return this.#add(at + forMs, { kind: 'resume', replica });
      }
      case 'crash':
      case 'power':
        return this.#down(at, replica, name === 'crash' ? 'kill' : 'power');
      case 'bit-flip':
        return this.#down(at, replica, this.#pick(['kill', 'power']), {
          kind: 'disk',
          replica,
          fault: { kind: 'flip', nth: this.#random.below(1_000_000_000) },
        });
      case 'wipe':
        return this.#down(at, replica, 'kill', { kind: 'wipe', replica });
      case 'restore':
        this.#add(this.#random.below(at + 1), { kind: 'backup', replica });
        return this.#down(at, replica, 'kill', { kind: 'restore', replica });
      case 'clone':
        return this.#add(at, { kind: 'clone', replica, forMs: this.#spell(60_000) });
      case 'upgrade':
        return this.#upgrade(at);
      case 'join':
        return this.#join(at, replica);
      case 'retire':
        return this.#retire(at, replica);
      case 'lie':
        return this.#add(at, { kind: 'lie', replica, forMs: this.#spell(60_000) });
      default:
        return name.startsWith('clock') ? this.#clock(at, replica, name) : this.#disk(at, replica, name);
    }
  }

  #add(at: number, action: Action): void {
    this.actions.push({ at, action });
  }

  #weather(at: number, change: Partial<NetworkWeather>): void {
    const calm: NetworkWeather = { loss: 0, duplication: 0, reordering: 0, delayMs: [1, 5] };
    this.#add(at, { kind: 'weather', weather: { ...calm, ...change } });
    this.#add(at + this.#spell(300_000), { kind: 'weather', weather: calm });
  }

  #partition(at: number, name: FaultName): void {
    const { ids, clients } = this.#parts;
    const bridge = name === 'partition-bridge' ? this.#pick(ids) : null;
    const side = new Map([...ids, ...clients].map((id) => [id, this.#random.below(2)]));
    // Some partitions leave the clients alone.
    const apart = this.#random.below(2) === 0 ? [...ids, ...clients] : ids;
    const ways: [string, string][] = [];
    for (const a of ids) {
      for (const b of apart) {
        if (a === bridge || b === bridge || side.get(a) === side.get(b)) continue;
        if (name !== 'partition-asymmetric' || side.get(a) === 0) ways.push([a, b]);
        if (!ids.includes(b) && (name !== 'partition-asymmetric' || side.get(a) === 1)) ways.push([b, a]);
      }
    }
    this.#cut(at, this.#spell(300_000), ways);
  }

  #cut(at: number, forMs: number, ways: readonly (readonly [string, string])[]): void {
    for (const [from, to] of ways) {
      this.#add(at, { kind: 'cut', from, to });
      this.#add(at + forMs, { kind: 'mend', from, to });
    }
  }

  /** The replica ends, something is done to it meanwhile, and it starts again. */
  #down(at: number, replica: string, how: 'kill' | 'power', meanwhile?: Action): void {
    this.#add(at, { kind: 'crash', replica, how });
    if (meanwhile !== undefined) this.#add(at, meanwhile);
    this.#add(at + 1 + this.#spell(this.#pick([100, 5_000, 120_000])), { kind: 'start', replica });
  }

  #disk(at: number, replica: string, name: FaultName): void {
    const nth = 1 + this.#random.below(20);
    const lasting = this.#random.below(3) === 0;
    const faults: Partial<Record<FaultName, DiskFault>> = {
      'power-in-call': { kind: 'power', nth },
      'fail-append': { kind: 'fail', call: 'append', nth, lasting },
      'fail-sync': { kind: 'fail', call: 'sync', nth, lasting },
      'fail-commit': { kind: 'fail', call: 'commit', nth, lasting },
      'disk-full': { kind: 'full' },
      'disk-slow': { kind: 'slow', delayMs: this.#pick([20, 200, 1_500]) },
    };
    const fault = faults[name];
    if (fault === undefined) return;
    this.#add(at, { kind: 'disk', replica, fault });
    if (fault.kind !== 'power') this.#add(at + this.#spell(60_000), { kind: 'disk', replica, fault: { kind: 'mend' } });
  }

  #clock(at: number, replica: string, name: FaultName): void {
    const { clock, retryWindowMs, maxDriftMs } = this.#parts;
    if (clock === 'logical') return;
    // Within what a repeat may be late: else an operation that was sent twice may take effect twice, as documented.
    const most = Math.floor(retryWindowMs / 8);
    if (name === 'clock-future') {
      const skewMs = (maxDriftMs ?? 60_000) + 1_000 + this.#random.below(180_000);
      this.#add(at, { kind: 'clock', replica, skewMs });
      return this.#add(at + this.#spell(30_000), { kind: 'clock', replica, skewMs: 0 });
    }
    const skewMs = name === 'clock-back' ? -this.#random.below(most) : this.#random.below(most);
    this.#add(at, { kind: 'clock', replica, skewMs });
  }

  #upgrade(from: number): void {
    this.#upgrades += 1;
    let at = from;
    for (const replica of this.#parts.ids) {
      this.#add(at, { kind: 'version', replica, protocol: PROTOCOL_VERSION + this.#upgrades });
      this.#add(at, { kind: 'crash', replica, how: 'kill' });
      this.#add(at + 500, { kind: 'start', replica });
      at += 1_000 + this.#spell(60_000);
    }
  }

  /** At least two are there from the beginning. */
  #join(at: number, replica: string): void {
    if (this.#joined.has(replica) || this.#joined.size + 2 >= this.#parts.ids.length) return;
    this.#joined.add(replica);
    this.#add(Math.floor(at / 2), { kind: 'join', replica });
  }

  #retire(at: number, replica: string): void {
    const other = this.#other(replica);
    if (this.#random.below(2) === 0) this.#add(at, { kind: 'crash', replica, how: 'kill' });
    this.#add(at + this.#spell(10_000), { kind: 'retire', replica, at: other });
    this.#add(at + 10_000 + this.#spell(300_000), { kind: 'start', replica });
  }

  /** For how long something lasts. */
  #spell(mostMs: number): number {
    return 1 + this.#random.below(Math.max(1, Math.min(mostMs, Math.floor(this.#parts.durationMs / 4))));
  }

  /** For how long a request may wait where it is: a repeat of it must not be too late. */
  #stall(): number {
    const { clock, retryWindowMs } = this.#parts;
    return this.#spell(clock === 'logical' ? 5_000 : Math.min(60_000, Math.floor(retryWindowMs / 4)));
  }

  #other(replica: string): string {
    const others = this.#parts.ids.filter((id) => id !== replica);
    return others.length === 0 ? replica : this.#pick(others);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }
}

function both(a: string, b: string): [string, string][] {
  return [
    [a, b],
    [b, a],
  ];
}
