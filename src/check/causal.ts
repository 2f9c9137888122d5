import { countBefore } from '../base/search.js';
import { type Client, describeOperation, describeRead, type Operation, type ReadStep, type Step } from './operation.js';
import type { Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';

/** By the index of each session, up to which of its client times its writes are in somebody's past; -1 for none. */
type Past = readonly number[];

/**
 * Causal consistency for the sessions that ask for all four guarantees, which come to just that (Brzeziński, Sobaniec and
 * Wawrzyniak, PDP 2004; Viotti and Vukolić 2016, "Causal Models"): a write is in a read's past if the same session wrote it
 * before, or wrote or read before what is in its past; across sessions, by what they read of each other, and across keys. A
 * read returns nothing that stands before a write of the key that is in its past.
 */
export function checkCausal({ clients }: Recording, standing: Standing, findings: Findings): void {
  const sessions = [...clients.values()].filter(({ guarantees }) => guarantees.size === 4);
  if (sessions.length > 0) new CausalCheck(sessions, standing, findings).run();
}

/** What one session wrote of one key, by client time. */
interface Writes {
  readonly writer: number;
  readonly operations: Operation[];
}

class CausalCheck {
  readonly #sessions: readonly Client[];
  readonly #indexes: ReadonlyMap<Client, number>;
  readonly #standing: Standing;
  readonly #findings: Findings;
  readonly #pasts: number[][];
  /** What was in the past of each write when it was sent. */
  readonly #pastOf = new Map<Operation, Past>();
  /** Of each key, the acknowledged writes of each session that wrote it. */
  readonly #acknowledged = new Map<string, Writes[]>();

  constructor(sessions: readonly Client[], standing: Standing, findings: Findings) {
    this.#sessions = sessions;
    this.#indexes = new Map(sessions.map((client, index) => [client, index]));
    this.#standing = standing;
    this.#findings = findings;
    this.#pasts = sessions.map(() => sessions.map(() => -1));
    for (const client of sessions) this.#collect(client);
  }

  /** By time, and of each session in its own order: so what is read was sent before. */
  run(): void {
    const steps = this.#sessions.flatMap((client, index) =>
      client.steps.flatMap((step) => {
        if (step.kind === 'read') return { at: step.end ?? step.begin, index, step };
        return step.isFirst ? { at: step.begin, index, step } : [];
      }),
    );
    steps.sort((a, b) => a.at - b.at);
    for (let at = 0; at < steps.length; ) {
      const { index, step } = steps[at] as (typeof steps)[number];
      at += 1;
      if (step.kind === 'write') {
        this.#wrote(index, step.operation);
        continue;
      }
      const reads = [step];
      for (let next = steps[at]; next?.index === index && isTogether(step, next.step); next = steps[++at]) {
        reads.push(next.step);
      }
      this.#read(index, reads);
    }
  }

  #collect(client: Client): void {
    const index = this.#indexes.get(client) as number;
    for (const step of client.steps) {
      if (step.kind === 'read' || !step.isFirst || step.operation.accepted === null) continue;
      const { operation } = step;
      const ofKey = this.#acknowledged.get(operation.key) ?? [];
      this.#acknowledged.set(operation.key, ofKey);
      const last = ofKey.at(-1);
      if (last?.writer === index) last.operations.push(operation);
      else ofKey.push({ writer: index, operations: [operation] });
    }
  }

  #wrote(index: number, operation: Operation): void {
    const past = this.#pasts[index] as number[];
    this.#pastOf.set(operation, [...past]);
    past[index] = operation.clientTime;
  }

  /** Several of one state are asked for at once, so that what one of them shows the others need not have. */
  #read(index: number, reads: readonly ReadStep[]): void {
    const past = this.#pasts[index] as number[];
    for (const read of reads) this.#check(past, read);
    for (const { found } of reads) if (found !== null) this.#follow(past, found);
  }

  #check(past: Past, read: ReadStep): void {
    for (const { writer, operations } of this.#acknowledged.get(read.key) ?? []) {
      const last = lastUpTo(operations, past[writer] as number);
      // What one that reads the key came to is in the value, which tells no more of it.
      if (last === undefined || last.change !== null) continue;
      this.#findings.looked('causal');
      if (!this.#isOlder(read, last)) continue;
      this.#findings.violated('causal', () => `${describeRead(read)}: in its past is ${describeOperation(last)}`);
    }
  }

  #isOlder(read: ReadStep, write: Operation): boolean {
    if (read.found !== null) return this.#standing.isBefore(read.found, write);
    return write.value !== null && !this.#standing.mayBeDeleted(write, read.end ?? read.begin);
  }

  /** Takes what was read, and what was in its past, into the reader's past. */
  #follow(past: number[], { operation }: Place): void {
    if (operation === null) return;
    const writer = this.#indexes.get(operation.client);
    const behind = this.#pastOf.get(operation);
    if (writer === undefined || behind === undefined) return;
    for (let at = 0; at < behind.length; at++) past[at] = Math.max(past[at] as number, behind[at] as number);
    if (operation.clientTime > (past[writer] as number)) past[writer] = operation.clientTime;
  }
}

function isTogether(first: ReadStep, step: Step): step is ReadStep {
  return step.kind === 'read' && step.together !== null && step.together === first.together;
}

function lastUpTo(operations: readonly Operation[], clientTime: number): Operation | undefined {
  const last = operations.at(-1);
  if (last !== undefined && last.clientTime <= clientTime) return last;
  return operations[countBefore(operations.length, (at) => (operations[at] as Operation).clientTime <= clientTime) - 1];
}
