import { nameStamp } from '../../bayou/write.js';
import { wordOf } from './actions.js';
import { Expansion } from './expansion.js';
import type { Facts } from './live-replica.js';
import { Search } from './search.js';
import type { WorldOptions } from './world.js';

const NO_LIMITS = { statesMax: 1, depthMax: 1, bytesMax: 1, violationsMax: 1 };

export interface PathStep {
  readonly word: string;
  /** What each replica claims and holds afterwards. */
  readonly replicas: readonly string[];
}

export interface PathResult {
  readonly steps: readonly PathStep[];
  /** What is wrong at its end; null if nothing is. */
  readonly wrong: string | null;
  /** Set if the next word names nothing that can happen there: what can. */
  readonly possible: readonly string[] | null;
}

/** Does what the words of a path say, one after the other. */
export function followPath(options: WorldOptions, words: readonly string[]): PathResult {
  const search = new Search({ ...options, reduce: false }, NO_LIMITS);
  const { world } = search;
  const expansion = new Expansion(world);
  const steps: PathStep[] = [];
  let state = world.start();
  for (const word of words) {
    const possible: string[] = [];
    let reached: { readonly state: Uint32Array; readonly wrong: string | null } | null = null;
    expansion.expand(state, (next, action, wrong) => {
      const name = wordOf(action, world.ids);
      possible.push(name);
      if (name === word) reached ??= { state: Uint32Array.from(next), wrong };
    });
    const found = reached as { readonly state: Uint32Array; readonly wrong: string | null } | null;
    if (found === null) return { steps, wrong: null, possible };
    state = found.state;
    const facts = world.ids.map((_, i) => world.replicas.facts(world.node(state[i] as number).replica));
    steps.push({ word, replicas: facts.map(describe) });
    const wrong = found.wrong ?? search.check(state);
    if (wrong !== null) return { steps, wrong, possible: null };
  }
  return { steps, wrong: null, possible: null };
}

function describe({ origin, seen, log, base }: Facts): string {
  const held = log.map((write) => {
    return `${nameStamp(write)} ${write.operation.kind} ${write.key} of ${write.client}:${write.clientTime}`;
  });
  const folded = base > 0 ? `, folded up to ${base}` : '';
  return `${origin} claims ${seen}${folded}; log: ${held.length === 0 ? 'empty' : held.join(', ')}`;
}
