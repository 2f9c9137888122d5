import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { PullBatch, PullRequest } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import { Session } from '../../src/bayou/session.js';
import { type AcceptStamp, stampOrder, type Write } from '../../src/bayou/write.js';
import { type KvOperation, kvMachine } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';

const TERMS = { protocol: 1, cluster: 'test', tieBreak: 'higher', clock: 'logical' } as const;
const order = stampOrder(TERMS.tieBreak);

interface Node {
  readonly replica: Replica<KvOperation, Uint8Array>;
  readonly storage: MemoryStorage<KvOperation>;
  /** Pulls under way, by peer; a request that was answered waits for its batch to arrive. */
  readonly pulls: Map<Node, { readonly request: PullRequest; readonly batch: PullBatch<KvOperation> } | null>;
}

interface Reader {
  readonly session: Session<KvOperation>;
  /** The last value of each key the client wrote or read. */
  readonly last: Map<string, AcceptStamp>;
}

/**
 * One random schedule over bare cores: accepts, reads, and the steps of pulls (several at a time, cut and resumed with
 * any peer, replies in flight while both sides go on) in any order. Returns what went wrong, or null.
 */
export function runSchedule(seed: number): string | null {
  const random = seededRandom(seed);
  const nodes = range(3 + random.below(2)).map((i) => makeNode(`${i}`));
  const readers: Reader[] = range(2 + random.below(2)).map((i) => ({
    session: new Session<KvOperation>(`c${i}` as ClientId),
    last: new Map(),
  }));
  const keys = range(1 + random.below(2)).map((i) => `k${i}`);
  const accepted: Write<KvOperation>[] = [];
  for (let left = 20 + random.below(60); left > 0; left--) {
    const node = pick(random, nodes);
    const reader = pick(random, readers);
    const key = pick(random, keys);
    const dice = random.below(10);
    let wrong: string | null = null;
    if (dice < 3) accept(node, reader, key, accepted);
    else if (dice < 5) wrong = read(node, reader, key);
    else if (dice < 9)
      wrong = pullStep(node, pick(random, nodes), 1 + random.below(2)) ? checkClaims(node, accepted) : null;
    else cut(node, random);
    if (wrong !== null) return wrong;
  }
  return checkHealed(nodes, accepted, keys);
}

function makeNode(id: string): Node {
  const storage = new MemoryStorage<KvOperation>();
  const replica = new Replica({ origin: originOf(id as ReplicaId, 1), terms: TERMS, machine: kvMachine, storage });
  return { replica, storage, pulls: new Map() };
}

function accept(node: Node, reader: Reader, key: string, accepted: Write<KvOperation>[]): void {
  const request = reader.session.write(key, { kind: 'put', value: new Uint8Array() });
  const reply = node.replica.accept(request, 0);
  if (reply.kind !== 'accepted') throw new Error(`a put was refused: ${reply.kind}`);
  accepted.push({ ...reply.stamp, ...request });
  reader.session.wrote(key, reply.stamp, true);
  reader.last.set(key, reply.stamp);
}

function read(node: Node, reader: Reader, key: string): string | null {
  const reply = node.replica.read(reader.session.read(key));
  if (reply.kind === 'missing') return null;
  const last = reader.last.get(key);
  if (reply.kind === 'absent') return last === undefined ? null : `${name(last)} of ${key} was lost from sight`;
  if (last !== undefined && order(reply.stamp, last) < 0)
    return `read ${name(reply.stamp)} of ${key} after ${name(last)}`;
  reader.session.found(key, reply.stamp);
  reader.last.set(key, reply.stamp);
  return null;
}

/** Sends the next request, or takes in the batch that answered the last one. True if the node's vector may have moved. */
function pullStep(node: Node, peer: Node, writesMax: number): boolean {
  if (node === peer) return false;
  const arrived = node.pulls.get(peer) ?? null;
  if (arrived === null) {
    const request = node.replica.nextPull(peer.replica.id, { writesMax, bytesMax: 1_000_000 });
    const batch = peer.replica.serve(request);
    if ('kind' in batch) throw new Error(`a pull was refused: ${batch.message}`);
    node.pulls.set(peer, { request, batch });
    return false;
  }
  const outcome = node.replica.integrate(peer.replica.id, arrived.request, arrived.batch);
  if (outcome.kind === 'refused') throw new Error(`a batch was refused: ${outcome.message}`);
  if (outcome.more) node.pulls.set(peer, null);
  else node.pulls.delete(peer);
  return true;
}

function cut(node: Node, random: Random): void {
  const peers = [...node.pulls.keys()];
  if (peers.length === 0) return;
  const peer = pick(random, peers);
  node.pulls.delete(peer);
  node.replica.interrupted(peer.replica.id);
}

/** Whatever the vector covers is here, or what replaced it is: a later write of its client on its key, also covered. */
function checkClaims(node: Node, accepted: readonly Write<KvOperation>[]): string | null {
  const seen = node.replica.seen();
  for (const write of accepted) {
    if (!seen.covers(write.origin, write.acceptTime)) continue;
    const stands = node.storage
      .history(write.key)
      .some(
        (held) =>
          order(held, write) === 0 ||
          (held.client === write.client &&
            held.clientTime > write.clientTime &&
            order(held, write) > 0 &&
            seen.covers(held.origin, held.acceptTime)),
      );
    if (!stands) return `replica ${node.replica.id} claims ${name(write)} and holds neither it nor what replaced it`;
  }
  return null;
}

function checkHealed(
  nodes: readonly Node[],
  accepted: readonly Write<KvOperation>[],
  keys: readonly string[],
): string | null {
  for (let round = 0; round < nodes.length; round++) {
    for (const node of nodes) {
      for (const peer of nodes) {
        if (node === peer) continue;
        do pullStep(node, peer, 3);
        while (node.pulls.has(peer));
      }
    }
  }
  for (const node of nodes) {
    const wrong = checkClaims(node, accepted);
    if (wrong !== null) return wrong;
    for (const key of keys) {
      const expected = accepted
        .filter((write) => write.key === key)
        .sort(order)
        .at(-1);
      const reply = node.replica.read({ key, needs: null });
      const found = reply.kind === 'found' ? name(reply.stamp) : 'nothing';
      const wanted = expected === undefined ? 'nothing' : name(expected);
      if (found !== wanted) return `replica ${node.replica.id} holds ${found} of ${key}, not ${wanted}`;
    }
    if (!node.replica.seen().equals(nodes[0]?.replica.seen() ?? node.replica.seen()))
      return 'vectors differ after healing';
    if (logOf(node) !== logOf(nodes[0] as Node)) return 'logs differ after healing';
  }
  return null;
}

function logOf(node: Node): string {
  return [...node.replica.log(null)].map(name).join(' ');
}

function name({ origin, acceptTime }: AcceptStamp): string {
  return `${acceptTime}@${origin}`;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
