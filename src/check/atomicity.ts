import {
  areOneBatch,
  type Client,
  describeOperation,
  describeRead,
  nameOperation,
  type Operation,
  type ReadStep,
} from './operation.js';
import type { Place } from './place.js';
import type { Recording } from './recording.js';
import type { Findings } from './report.js';
import type { Standing } from './standing.js';

/**
 * A batch is seen whole: a read of several keys that shows a part of it under one key shows, under each other key of it that it
 * read, nothing that stands before the batch. Before it is what stands before each stamp that any of its parts may have, since a
 * replica that rejoined may have accepted a part of it anew, and something may stand between. What is said of parts that read
 * their key is nothing: where they take no effect nothing shows of them.
 */
export function checkAtomicity({ clients, operations }: Recording, standing: Standing, findings: Findings): void {
  const batches = batchesOf(operations);
  if (batches.size === 0) return;
  for (const client of clients.values()) {
    for (const reads of readsTogether(client)) {
      for (const read of reads) {
        const shown = read.found?.operation ?? null;
        if (shown?.isPart !== true) continue;
        const batch = batches.get(nameOperation(shown)) ?? [];
        for (const other of reads) {
          const part = batch.find(({ key }) => key === other.key);
          if (other === read || part === undefined || part.change !== null) continue;
          findings.looked('atomicity');
          if (!isBefore(other, part, batch, standing)) continue;
          findings.violated('atomicity', () => {
            return `${describeRead(read)}, and beside it ${describeRead(other)}, without the ${describeOperation(part)}`;
          });
        }
      }
    }
  }
}

/** True if the read shows what stands before the batch, whichever stamps that has. */
function isBefore(read: ReadStep, part: Operation, batch: readonly Operation[], standing: Standing): boolean {
  const { found } = read;
  if (found !== null) return !isOvertaking(found, part) && standing.isBeforeAll(found, batch);
  return part.value !== null && part.accepted !== null && !standing.mayBeDeleted(part, read.end ?? read.begin);
}

/** True if it is a later write of the client on the key: a repeat of the part yields to it, wherever it stands. */
function isOvertaking({ operation, mayBe }: Place, part: Operation): boolean {
  const isLater = (other: Operation): boolean => other.client === part.client && other.clientTime > part.clientTime;
  return operation === null ? mayBe.some(isLater) : isLater(operation);
}

function batchesOf(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]> {
  const batches = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (!operation.isPart) continue;
    const parts = batches.get(nameOperation(operation));
    if (parts === undefined) batches.set(nameOperation(operation), [operation]);
    else if (areOneBatch(parts[0] as Operation, operation)) parts.push(operation);
  }
  return batches;
}

/** The client's reads of several keys. */
function readsTogether({ steps }: Client): readonly (readonly ReadStep[])[] {
  const all: ReadStep[][] = [];
  let last: number | null = null;
  for (const step of steps) {
    const together = step.kind === 'read' ? step.together : null;
    if (step.kind === 'read' && together !== null) {
      if (together === last) all.at(-1)?.push(step);
      else all.push([step]);
    }
    last = together;
  }
  return all;
}
