import { replicaIdOf } from '../base/ids.js';
import type { Machine } from './machine.js';
import { shownOf } from './observe.js';
import type { Plan } from './plan.js';
import type { World } from './world.js';

/** Within so many rounds of anti-entropy after the faults are over, and the operator has nothing left to do, all agree. */
export const ROUNDS_MAX = 60;
/** After so many more, all that can be folded is: what members attest has gone from one end to the other, twice. */
const FOLD_ROUNDS = 20;
/** A call that a running process has not answered for so long never is. */
const ANSWER_MS_MAX = 60_000;
/** A session is tried on so many of its keys. */
const KEYS_MAX = 50;

const TICKS_PER_MS = 2_048;

/**
 * The faults are over: everything is mended and started. Lets time pass until all replicas claim and show the same; the
 * number of rounds that took, or null if it was too many.
 */
export function bringTogether(world: World, plan: Plan): number | null {
  const { scheduler, recorder, network } = world;
  network.calm();
  world.endClones();
  for (const machine of world.machines.values()) calm(world, machine);
  setClocksRight(world, plan);
  const roundMs = Math.max(plan.antiEntropyMs, plan.compactMs);
  let begun = scheduler.now;
  for (let round = 0; ; ) {
    scheduler.runUntil(scheduler.now + plan.antiEntropyMs, 3_000_000);
    // What an operator does late is no fault of the replicas.
    if (world.operatorActedAt > begun || [...world.machines.values()].some(({ isRunning }) => !isRunning)) {
      begun = scheduler.now;
      setClocksRight(world, plan);
    }
    round = Math.round((scheduler.now - begun) / plan.antiEntropyMs);
    const wrong = disagreement(world);
    if (wrong === null) {
      // So that all is old enough to be folded.
      for (const machine of world.machines.values()) machine.skewMs += 2 * plan.retryWindowMs;
      scheduler.runUntil(scheduler.now + Math.max(ANSWER_MS_MAX, FOLD_ROUNDS * roundMs), 3_000_000);
      judge(world);
      return round;
    }
    if (round >= ROUNDS_MAX || scheduler.now > plan.durationMs + 3_600_000) {
      recorder.failed(`no agreement after ${round} rounds: ${wrong}`);
      return null;
    }
  }
}

/** All processes run, on a sound disk, the newest version. */
function calm(world: World, machine: Machine): void {
  const newest = Math.max(...[...world.machines.values()].map(({ protocol }) => protocol));
  machine.disk.mend();
  machine.liesUntil = 0;
  machine.resume();
  machine.protocol = newest;
  if (machine.replica !== null && machine.replica.terms.protocol !== newest) world.end(machine, 'kill');
  world.start(machine);
}

/** All clocks show the same, and late enough that nothing anybody wrote is ahead of them: as if so much time had passed. */
function setClocksRight(world: World, { clock }: Plan): void {
  const machines = [...world.machines.values()];
  let skewMs = 0;
  if (clock === 'hybrid') {
    for (const machine of machines) {
      const { process } = machine.endpoint ?? {};
      const latest = machine.replica?.seen().highestTime() ?? 0;
      if (process !== undefined) skewMs = Math.max(skewMs, latest / TICKS_PER_MS - process.now() + machine.skewMs);
    }
  }
  for (const machine of machines) machine.skewMs = Math.ceil(skewMs);
}

/** In what the replicas differ; null if in nothing. */
function disagreement(world: World): string | null {
  const machines = [...world.machines.values()];
  for (const machine of machines) {
    if (machine.replica === null) return `${machine.id} does not run`;
    if (machine.replica.isBehind) return `${machine.id} takes over what it missed`;
    if (machine.replica.copied !== null) return `${machine.id} is refused: ${machine.replica.copied}`;
  }
  // Who is linked agrees, and so do all that are linked by others.
  const pairs = machines.flatMap((a) => world.peersOf(a.id).map((b) => [a, b] as const));
  for (const [a, b] of pairs) {
    const [ours, theirs] = [a.replica?.seen(), b.replica?.seen()];
    if (ours === undefined || theirs?.equals(ours) !== true) return `${a.origin} claims ${ours}, ${b.origin} ${theirs}`;
  }
  const { now } = world.scheduler;
  const stores = new Map(machines.map((machine) => [machine, storeOf(machine, now)]));
  for (const [a, b] of pairs) if (stores.get(a) !== stores.get(b)) return differing(a, b, now);
  return null;
}

function storeOf({ replica }: Machine, now: number): string {
  const lines: string[] = [];
  for (const { key, value } of replica?.entries(null, now) ?? []) lines.push(key, shownOf(value));
  return lines.join('\n');
}

function differing(a: Machine, b: Machine, now: number): string {
  const [theirs, ours] = [a, b].map(
    ({ replica }) => new Map(Array.from(replica?.entries(null, now) ?? [], ({ key, value }) => [key, shownOf(value)])),
  ) as [Map<string, string>, Map<string, string>];
  const key = [...ours.keys(), ...theirs.keys()].find((it) => ours.get(it) !== theirs.get(it)) ?? '';
  return `${key} is ${theirs.get(key)} at ${a.origin}, ${ours.get(key)} at ${b.origin}, which claim the same`;
}

/** Now that all agree: every call is answered, every session served. */
function judge({ machines, clients, losers, scheduler, recorder }: World): void {
  for (const { id, endpoint } of machines.values()) {
    for (const { method, since } of endpoint?.calls ?? []) {
      if (since < scheduler.now - ANSWER_MS_MAX) recorder.failed(`${id} never answered a ${method} of ${since} ms`);
    }
  }
  for (const { host, isIdle, session, keys } of clients.values()) {
    if (!isIdle) recorder.failed(`client ${host.name} still waits`);
    for (const key of [...keys].slice(0, KEYS_MAX)) {
      for (const { id, replica } of machines.values()) {
        const reply = replica?.read(session.read(key), scheduler.now);
        if (reply?.kind !== 'missing') continue;
        const lacking = [...reply.missing.entries()].filter(([origin]) => !losers.has(replicaIdOf(origin)));
        if (lacking.length > 0)
          recorder.failed(`${id} cannot serve ${host.name} ${key}: it lacks ${lacking.join(' ')}`);
      }
    }
  }
}
