import type { Cluster, GetResult } from '../../master/cluster.js';
import { Simulation } from '../../master/simulation.js';
import type { BaristaError } from '../../src/base/errors.js';
import { originOf, type ReplicaId } from '../../src/base/ids.js';
import type { BatchPart } from '../../src/bayou/messages.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import type { KvOperation } from '../../src/machine/kv.js';
import type { Plan } from '../../src/sim/plan.js';

/** A cluster that does nothing but note what it is asked, and answers as a test tells it. */
export class RecordingCluster implements Cluster {
  /** Calls and their ends, in order: `joinServer s1`, `joined s1`, `put c k=v`, ... */
  readonly events: string[] = [];
  readonly values = new Map<string, GetResult>();
  /** Words of calls that fail, with the error. */
  readonly failures = new Map<string, BaristaError>();
  /** Set: joins wait until the test lets them go on. */
  readonly heldJoins = new Map<string, () => void>();
  holdJoins = false;
  closed = false;
  /** The plans that were to be checked; all of them are ok. */
  readonly plans: Plan[] = [];
  readonly #simulation = new Simulation((plan) => {
    this.plans.push(plan);
    return { hash: 'h', virtualMs: 1, rounds: 1, operations: {}, faults: {}, checked: {}, violations: [] };
  });

  async joinServer(id: string): Promise<void> {
    this.#note(`joinServer ${id}`);
    await this.#joining(id);
  }
  async restartServer(id: string): Promise<void> {
    this.#note(`restartServer ${id}`);
    await this.#joining(id);
  }
  async killServer(id: string): Promise<void> {
    this.#note(`killServer ${id}`);
  }
  async joinClient(id: string, server: string): Promise<void> {
    this.#note(`joinClient ${id} ${server}`);
    await this.#joining(id);
  }
  async breakConnection(a: string, b: string): Promise<void> {
    this.#note(`breakConnection ${a} ${b}`);
  }
  async createConnection(a: string, b: string): Promise<void> {
    this.#note(`createConnection ${a} ${b}`);
  }
  async stabilize(): Promise<void> {
    this.#note('stabilize');
  }
  async compact(): Promise<void> {
    this.#note('compact');
  }
  async retireServer(id: string): Promise<void> {
    this.#note(`retireServer ${id}`);
  }
  async batch(client: string, parts: readonly BatchPart<KvOperation>[]): Promise<void> {
    for (const { key, operation } of parts) await this.write(client, key, operation);
  }
  async write(client: string, key: string, operation: KvOperation): Promise<void> {
    const { kind } = operation;
    if (kind === 'delete') return this.#note(`delete ${client} ${key}`);
    this.#note(`${kind} ${client} ${key}=${carriedBy(operation)}`);
    if (kind === 'put') this.values.set(key, { kind: 'found', value: operation.value });
  }
  async get(client: string, key: string): Promise<GetResult> {
    this.#note(`get ${client} ${key}`);
    return this.values.get(key) ?? { kind: 'ERR_KEY' };
  }
  async *store(server: string): ReturnType<Cluster['store']> {
    this.#note(`store ${server}`);
    for (const [key, result] of this.values) if (result.kind === 'found') yield { key, value: result.value };
  }
  async *log(server: string): ReturnType<Cluster['log']> {
    this.#note(`log ${server}`);
    yield* [];
  }
  async clock(server: string): Promise<VersionVector> {
    this.#note(`clock ${server}`);
    return new VersionVector([
      [originOf('10' as ReplicaId, 1), 3],
      [originOf('9' as ReplicaId, 2), 0],
    ]);
  }
  async members(server: string): ReturnType<Cluster['members']> {
    this.#note(`members ${server}`);
    return [originOf('10' as ReplicaId, 1), originOf('9' as ReplicaId, 2)];
  }
  async pause(server: string): Promise<void> {
    this.#note(`pause ${server}`);
  }
  async resume(server: string): Promise<void> {
    this.#note(`resume ${server}`);
  }
  async sleep(ms: number): Promise<void> {
    this.#note(`sleep ${ms}`);
  }
  simulation(): Simulation {
    return this.#simulation;
  }
  ids(): ReturnType<Cluster['ids']> {
    return { servers: ['s1', 's2', 'till one'], clients: ['ana', 'ben'] };
  }
  async close(): Promise<void> {
    this.closed = true;
  }

  #note(event: string): void {
    this.events.push(event);
    const failure = this.failures.get(event);
    if (failure !== undefined) throw failure;
  }

  async #joining(id: string): Promise<void> {
    if (!this.holdJoins) return;
    await new Promise<void>((resolve) => this.heldJoins.set(id, resolve));
    this.events.push(`joined ${id}`);
  }
}

function carriedBy(operation: Exclude<KvOperation, { kind: 'delete' }>): string {
  if ('by' in operation) return `${operation.by}`;
  if ('member' in operation) return operation.member;
  return new TextDecoder().decode('bytes' in operation ? operation.bytes : operation.value);
}
