import { type ClientId, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Random, seededRandom } from '../../src/base/random.js';
import type { PullBatch, PullRequest } from '../../src/bayou/messages.js';
import { Replica } from '../../src/bayou/replica.js';
import { Session } from '../../src/bayou/session.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { type AcceptStamp, stampOrder, type Write } from '../../src/bayou/write.js';
import type { Bundle } from '../../src/bundle/bundle.js';
import { BundlePeer } from '../../src/bundle/bundle-peer.js';
import { type KvOperation, kvMachine, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import { sourceOf } from '../bundle/bare-replica.js';
import { good, made, now, opened } from '../bundle/memory.js';

const TERMS = {
  protocol: 1,
  cluster: 'test',
  tieBreak: 'higher',
  clock: 'logical',
  retryWindowMs: 600_000,
} as const;
const order = stampOrder(TERMS.tieBreak);
const MAX_DRIFT_MS = 1_000;
/** Further than any clock is wrong. */
const LONG_MS = 1_000_000;
/** Stamps a clock may give beyond what the time allows: one for each write. */
const COUNTED_MAX = 100;
/** Of one pull, at the end. */
const STEPS_MAX = 3_000;

/** Time as a schedule has it: it stands still for logical clocks. */
interface Time {
  now: number;
}

interface Node {
  readonly time: Time;
  /** By how much its wall clock is wrong. */
  skewMs: number;
  /** No stamp it may give is beyond this. */
  highestLimit: number;
  readonly replica: Replica<KvOperation, Uint8Array>;
  readonly storage: MemoryStorage<KvOperation>;
  /** The bundles that were made of it, each with one who answers from it to all. */
  readonly bundles: { readonly bundle: Bundle; readonly peer: BundlePeer }[];
  /** Pulls under way, by peer: a request on its way, or the batch that answers it; null before the next request. */
  readonly pulls: Map<Node, { readonly request: PullRequest; readonly batch: PullBatch<KvOperation> | null } | null>;
}

interface Reader {
  readonly session: Session<KvOperation>;
  /** The last value of each key the client wrote or read. */
  readonly last: Map<string, AcceptStamp>;
}

/**
 * One random schedule over bare cores: accepts, reads, and the steps of pulls (several at a time, cut and resumed with
 * any peer, replies in flight while both sides go on) in any order. With hybrid clocks, wall clocks also are wrong, by less
 * than the bound or by much more, and are set. With bundles, what one asks of another is often answered by a bundle of that one,
 * which is made while writes are accepted and may be old. Returns what went wrong, or null.
 */
export function runSchedule(seed: number, clock: 'logical' | 'hybrid' = 'logical', withBundles = false): string | null {
  const random = seededRandom(seed);
  const time: Time = { now: clock === 'hybrid' ? LONG_MS : 0 };
  const nodes = range(3 + random.below(2)).map((i) => makeNode(`${i}`, clock, time));
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
    if (clock === 'hybrid') {
      time.now += random.below(100);
      if (random.below(8) === 0) pick(random, nodes).skewMs = pick(random, [-5_000, -300, 0, 0, 300, 5_000]);
    }
    let wrong: string | null = null;
    if (withBundles && random.below(6) === 0) {
      const meanwhile = (): void => {
        wrong ??= random.below(2) === 0 ? accept(node, reader, key, accepted) : null;
      };
      makeBundle(node, pick(random, [new VersionVector(), ...nodes.map(({ replica }) => replica.seen())]), meanwhile);
      if (wrong !== null) return wrong;
    }
    const dice = random.below(10);
    if (dice < 3) wrong = accept(node, reader, key, accepted);
    else if (dice < 5) wrong = read(node, reader, key);
    else if (dice < 9) {
      const peer = pick(random, nodes);
      const writesMax = 1 + random.below(2);
      const way = withBundles && random.below(3) > 0 ? bundleOf(peer, node, random) : null;
      wrong = pullStep(node, peer, writesMax, way) ? (checkTimes(node) ?? checkClaims(node, accepted)) : null;
    } else cut(node, random);
    if (wrong !== null) return wrong;
  }
  if (clock === 'hybrid') time.now += LONG_MS;
  return checkHealed(nodes, accepted, keys);
}

function makeNode(id: string, clock: 'logical' | 'hybrid', time: Time): Node {
  const storage = new MemoryStorage<KvOperation>(kvOperationCodec);
  const replica = new Replica({
    origin: originOf(id as ReplicaId, 1),
    terms: { ...TERMS, clock },
    machine: kvMachine,
    storage,
    maxDriftMs: MAX_DRIFT_MS,
  });
  return { time, skewMs: 0, highestLimit: 0, replica, storage, bundles: [], pulls: new Map() };
}

/** What the node's wall clock shows. */
function nowAt(node: Node): number {
  const now = node.time.now + node.skewMs;
  node.highestLimit = Math.max(node.highestLimit, (now + MAX_DRIFT_MS + 1) * 2048);
  return now;
}

/** Whoever else's clock is wrong, a node stamps and holds nothing that its own wall clock never allowed. */
function checkTimes(node: Node): string | null {
  if (node.replica.terms.clock === 'logical') return null;
  const highest = node.replica.seen().highestTime();
  if (highest <= node.highestLimit + COUNTED_MAX) return null;
  return `replica ${node.replica.id} was dragged to ${highest}, beyond ${node.highestLimit}`;
}

function accept(node: Node, reader: Reader, key: string, accepted: Write<KvOperation>[]): string | null {
  const request = reader.session.write(key, { kind: 'put', value: new Uint8Array() });
  const reply = node.replica.accept(request, nowAt(node));
  if (reply.kind === 'refused' && reply.code === 'ERR_CLOCK_DRIFT') return null;
  if (reply.kind !== 'accepted') throw new Error(`a put was refused: ${reply.kind}`);
  accepted.push({ ...reply.stamp, ...request });
  reader.session.wrote(key, reply.stamp, true);
  reader.last.set(key, reply.stamp);
  return checkTimes(node);
}

function read(node: Node, reader: Reader, key: string): string | null {
  const reply = node.replica.read(reader.session.read(key), 0);
  if (reply.kind === 'missing') return null;
  if (reply.kind === 'refused') return reply.message;
  const last = reader.last.get(key);
  if (reply.kind === 'absent') return last === undefined ? null : `${name(last)} of ${key} was lost from sight`;
  if (last !== undefined && order(reply.stamp, last) < 0)
    return `read ${name(reply.stamp)} of ${key} after ${name(last)}`;
  reader.session.found(key, reply.stamp);
  reader.last.set(key, reply.stamp);
  return null;
}

/** Sends the next request, has it answered, or takes in the batch that came. True if the node's vector may have moved. */
function pullStep(node: Node, peer: Node, writesMax: number, way: BundlePeer | null = null): boolean {
  if (node === peer) return false;
  const sent = node.pulls.get(peer) ?? null;
  if (sent === null) {
    const request = node.replica.nextPull(peer.replica.id, { writesMax, bytesMax: 1_000_000 });
    node.pulls.set(peer, { request, batch: null });
    return false;
  }
  const { request } = sent;
  if (sent.batch === null) {
    const batch = way === null ? peer.replica.serve(request, nowAt(peer)) : answerOf(way, request);
    if ('kind' in batch) throw new Error(`a pull was refused: ${batch.message}`);
    node.pulls.set(peer, { request, batch });
    return false;
  }
  const outcome = node.replica.integrate(peer.replica.id, request, sent.batch, nowAt(node));
  if (outcome.kind === 'refused') throw new Error(`a batch was refused: ${outcome.message}`);
  if (outcome.kind === 'integrated' && outcome.more) node.pulls.set(peer, null);
  else node.pulls.delete(peer);
  return true;
}

/** Part by part, a few writes in each, with `meanwhile` before each. */
function makeBundle(node: Node, since: VersionVector, meanwhile: () => void): void {
  const source = sourceOf(
    () => node.replica,
    () => nowAt(node),
    meanwhile,
  );
  const inSmallParts: typeof source = {
    exportBatch: (request, done) => source.exportBatch({ ...request, writesMax: 2 }, done),
  };
  const bundle = good(opened(made(inSmallParts, since).bytes));
  node.bundles.push({ bundle, peer: new BundlePeer(bundle) });
}

/** One of `peer` that `node` may take; null if there is none. */
function bundleOf(peer: Node, node: Node, random: Random): BundlePeer | null {
  const held = node.pulls.get(peer)?.request.seen ?? node.replica.seen();
  const fitting = peer.bundles.filter(({ bundle }) => held.dominates(bundle.head.since));
  return fitting.length === 0 ? null : pick(random, fitting).peer;
}

function answerOf(way: BundlePeer, request: PullRequest): PullBatch<KvOperation> {
  return good(now<PullBatch<KvOperation>>((done) => way.pull(request, 1_000, done)));
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
        let steps = 0;
        do {
          if (++steps > STEPS_MAX) return `the pull of ${node.replica.id} from ${peer.replica.id} does not end`;
          pullStep(node, peer, 3);
        } while (node.pulls.has(peer));
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
      const reply = node.replica.read({ key, needs: null }, 0);
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
