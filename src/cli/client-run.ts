import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { formatEntry, formatWrite, quoted } from '../../master/format.js';
import { partFrom } from '../../master/operation-words.js';
import { logPages, storePages } from '../../master/pages.js';
import type { Address } from '../base/address.js';
import { assert } from '../base/assert.js';
import { BaristaError, messageOf, toBaristaError } from '../base/errors.js';
import type { ClientId, ReplicaId } from '../base/ids.js';
import { BATCH_BYTES_MAX, DEFAULT_LIMITS } from '../base/limits.js';
import { promised } from '../base/outcome.js';
import type { LogReply, StabilizeReply, Status, StoreReply } from '../bayou/admin-messages.js';
import type { BatchPart, WriteReply } from '../bayou/messages.js';
import { Session } from '../bayou/session.js';
import type { VersionVector } from '../bayou/version-vector.js';
import { Client } from '../client/client.js';
import { waitForWrite } from '../client/wait-for-write.js';
import type { KvOperation } from '../machine/kv.js';
import { ReplicaConnection } from '../rpc/client.js';
import { makeBundle, takeBundle } from './bundle-run.js';
import { formatForTerminal, formatStatus, formatStatusJson } from './client-format.js';
import type { ClientRequest, ClientTask, ValueOrigin } from './client-request.js';
import { conflictLines, historyLines, restore } from './conflict-run.js';
import { describeFailure, PIPE_CLOSED_STATUS } from './failure.js';
import { watchLines } from './watch-run.js';

/** What is read of operations: quoted, they may be longer than what a batch holds. */
const BATCH_INPUT_BYTES_MAX = 8 * BATCH_BYTES_MAX;

/** Does what a command asks of replicas, and closes its connections. The exit status; rejects with a coded error. */
export async function runClient(request: ClientRequest): Promise<number> {
  // `show` hears of what happens to standard output; nobody reads the diagnostics, the status says it too.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  try {
    return await runTask(request);
  } catch (thrown) {
    if (thrown instanceof PipeClosed) return PIPE_CLOSED_STATUS;
    throw thrown;
  }
}

async function runTask(request: ClientRequest): Promise<number> {
  const { task, timeoutMs } = request;
  switch (task.kind) {
    case 'put':
    case 'increment':
    case 'append':
    case 'set-add':
    case 'set-remove':
    case 'merge':
    case 'delete': {
      const operation = await operationOf(task);
      return withClient(request, async (client) => {
        return accepted(request, await promised<WriteReply>((done) => client.write(task.key, operation, done)));
      });
    }
    case 'batch': {
      const parts = await partsFrom(task.operations);
      return withClient(request, async (client) => {
        return accepted(request, await promised<WriteReply>((done) => client.batch(parts, done)));
      });
    }
    case 'get':
      return withClient(request, (client) => get(client, task.key, task.raw));
    case 'watch':
      for await (const line of watchLines(request, task)) await showLines([line]);
      return 0;
    case 'history':
      for await (const lines of historyLines(request, task)) await showLines(lines);
      return 0;
    case 'restore':
      return accepted(request, await restore(request, task));
    case 'conflicts':
      for await (const line of conflictLines(request, task)) await showLines([line]);
      return 0;
    case 'status':
      return showEachStatus(request, task.json);
    case 'link':
      return withReplica(request, async (replica) => {
        const { id, host, port } = task.peer;
        const link = { peer: id as ReplicaId, address: { host, port }, incarnation: null };
        await promised<void>((done) => replica.link(link, timeoutMs, done));
      });
    case 'unlink':
      return withReplica(request, async (replica) => {
        await promised<void>((done) => replica.unlink({ peer: task.peer as ReplicaId }, timeoutMs, done));
      });
    case 'retire':
      return withReplica(request, async (replica) => {
        await promised<void>((done) => replica.retire({ id: task.id as ReplicaId }, timeoutMs, done));
      });
    case 'compact':
      return compact(request);
    case 'store':
      return withReplica(request, async (replica) => {
        const pages = storePages((page) =>
          promised<StoreReply<Uint8Array>>((done) => replica.store(page, timeoutMs, done)),
        );
        for await (const page of pages) await showLines(page.map(({ key, value }) => formatEntry(key, value)));
      });
    case 'export':
      return withReplica(request, async (replica) => {
        await showLines(await makeBundle(replica, timeoutMs, task.path, task.since));
      });
    case 'import':
      return withReplica(request, async (replica) => {
        await showLines(await takeBundle(replica, timeoutMs, task.path));
      });
    case 'log':
      return withReplica(request, async (replica) => {
        const pages = logPages((page) => promised<LogReply<KvOperation>>((done) => replica.log(page, timeoutMs, done)));
        for await (const page of pages) await showLines(page.map(formatWrite));
      });
  }
}

type WriteTask = Extract<
  ClientTask,
  { readonly kind: 'put' | 'delete' | 'increment' | 'append' | 'set-add' | 'set-remove' | 'merge' }
>;

async function operationOf(task: WriteTask): Promise<KvOperation> {
  switch (task.kind) {
    case 'put':
      return {
        kind: task.ifAbsent ? 'putIfAbsent' : 'put',
        value: await valueFrom(task.value),
        ...(task.ttlMs === null ? {} : { ttlMs: task.ttlMs }),
      };
    case 'delete':
      return { kind: 'delete' };
    case 'increment':
      return { kind: 'increment', by: task.by };
    case 'append':
      return { kind: 'append', bytes: await valueFrom(task.value) };
    case 'set-add':
      return { kind: 'setAdd', member: task.member };
    case 'set-remove':
      return { kind: 'setRemove', member: task.member };
    case 'merge': {
      const { procedure, expects } = task;
      const expected = expects?.kind === 'value' ? Buffer.from(expects.text) : (expects?.kind ?? null);
      return { kind: 'merge', procedure, expects: expected, value: await valueFrom(task.value) };
    }
  }
}

/** The operations of a batch, each on a line; ERR_SYNTAX says which is none. */
async function partsFrom(operations: readonly string[]): Promise<BatchPart<KvOperation>[]> {
  const lines = operations.length > 0 ? operations : (await readLines()).split('\n');
  return lines.flatMap((line, i) => {
    try {
      return partFrom(line) ?? [];
    } catch (thrown) {
      const { code, message } = toBaristaError(thrown);
      throw new BaristaError(code, `operation ${i + 1}: ${message}`, { cause: thrown });
    }
  });
}

async function readLines(): Promise<string> {
  const bytes = await readStandardInput(BATCH_INPUT_BYTES_MAX);
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  throw new BaristaError('ERR_SYNTAX', 'standard input is not UTF-8');
}

async function withClient(request: ClientRequest, work: (client: Client) => Promise<number>): Promise<number> {
  const client = new Client(new Session<KvOperation>(randomUUID() as ClientId), request.timeoutMs);
  // A client tries replicas in the order of their ids: these are named by their places.
  for (const [place, address] of request.at.entries()) {
    client.attach(`${place}` as ReplicaId, new ReplicaConnection({ address }));
  }
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** A neighbour that nothing could be pulled from is told of: what it holds, and others know of only through it, counts. */
async function compact(request: ClientRequest): Promise<number> {
  const { timeoutMs } = request;
  let status = 0;
  await withReplica(request, async (replica) => {
    const ask = (): Promise<Status> => promised((done) => replica.status(timeoutMs, done));
    const before = await ask();
    const order = { peers: null, budgetMs: timeoutMs, compact: true };
    const reply = await promised<StabilizeReply>((done) => replica.stabilize(order, 2 * timeoutMs, done));
    const after = await ask();
    await showLines([`base ${before.base} ${after.base}`, `writes ${before.writes} ${after.writes}`]);
    for (const { peer, done, error } of reply.outcomes) {
      if (done) continue;
      status = 1;
      const code = error?.code ?? 'ERR_TIMEOUT';
      tell(new BaristaError(code, `the pull from replica ${peer}: ${error?.message ?? 'it is still under way'}`));
    }
  });
  return status;
}

async function withReplica(
  { at }: ClientRequest,
  work: (replica: ReplicaConnection) => Promise<void>,
): Promise<number> {
  const [address] = at;
  assert(address !== undefined && at.length === 1, 'the command speaks to one replica');
  await withConnection(address, work);
  return 0;
}

async function withConnection<T>(address: Address, work: (replica: ReplicaConnection) => Promise<T>): Promise<T> {
  const replica = new ReplicaConnection({ address });
  try {
    return await work(replica);
  } finally {
    replica.close();
  }
}

async function accepted({ at, timeoutMs, goal }: ClientRequest, reply: WriteReply): Promise<number> {
  if (reply.kind === 'missing') throw lacking(reply.missing);
  if (goal !== null) await waitForWrite(at, timeoutMs, reply.stamp, goal);
  return 0;
}

async function get(client: Client, key: string, raw: boolean): Promise<number> {
  const reply = await client.get(key);
  if (reply.kind === 'missing') throw lacking(reply.missing);
  if (reply.kind === 'absent') {
    const message = `the replica has no ${quoted(key)}`;
    tell({ code: 'ERR_KEY', message, advice: 'Put it first, or ask a replica that has it already.' });
    return 1;
  }
  const { value } = reply;
  if (raw) await show(value);
  else if (process.stdout.isTTY) await show(`${formatForTerminal(value)}\n`);
  else await show(Buffer.concat([value, Buffer.from('\n')]));
  return 0;
}

/** One that cannot be reached is told of, and the others shown all the same. */
async function showEachStatus({ at, timeoutMs }: ClientRequest, json: boolean): Promise<number> {
  const statuses = await Promise.allSettled(
    at.map((address) =>
      withConnection(address, (replica) => promised<Status>((done) => replica.status(timeoutMs, done))),
    ),
  );
  let shown = 0;
  for (const status of statuses) {
    if (status.status === 'rejected') {
      tell(toBaristaError(status.reason));
    } else if (json) {
      await showLines([formatStatusJson(status.value)]);
    } else {
      await showLines([...(shown > 0 ? [''] : []), ...formatStatus(status.value)]);
      shown++;
    }
  }
  return statuses.every(({ status }) => status === 'fulfilled') ? 0 : 1;
}

async function valueFrom(origin: ValueOrigin): Promise<Uint8Array> {
  return origin.kind === 'word'
    ? new TextEncoder().encode(origin.text)
    : readStandardInput(DEFAULT_LIMITS.valueBytesMax);
}

async function readStandardInput(bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    // Node takes a directory for an empty stream.
    if (fstatSync(process.stdin.fd).isDirectory()) throw new Error('it is a directory');
    for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      bytes += chunk.length;
      // The rest is not read: it may have no end.
      if (bytes > bytesMax) break;
    }
  } catch (thrown) {
    const reason = messageOf(thrown);
    throw new BaristaError('ERR_OPTION', `the value cannot be read from standard input: ${reason}`, { cause: thrown });
  }
  if (bytes <= bytesMax) return Buffer.concat(chunks);
  throw new BaristaError('ERR_INVALID_VALUE', `standard input has more than ${bytesMax} bytes`);
}

function lacking(missing: VersionVector): BaristaError {
  return new BaristaError('ERR_DEP', `no replica that answered holds what the session needs: ${missing}`);
}

function tell(failure: Parameters<typeof describeFailure>[1]): void {
  process.stderr.write(describeFailure('barista: ', failure));
}

/** Nobody reads standard output any more: no failure to tell of. */
class PipeClosed extends Error {}

async function showLines(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await show(`${lines.join('\n')}\n`);
}

/** Done when it has left the process, so that nothing is gathered for a slow reader. */
function show(text: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error === null || error === undefined) return resolve();
      if ('code' in error && error.code === 'EPIPE') return reject(new PipeClosed());
      reject(new BaristaError('ERR_OUTPUT', `standard output: ${error.message}`, { cause: error }));
    });
  });
}
