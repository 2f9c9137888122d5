import type { World } from './world.js';

/** Lets replicas pull from each other, one pull after the other, with nothing else going on. */
export class Healing {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Each pulls from each other one, so many times over: the states that the replicas come to, or what went wrong. */
  heal(replicas: readonly number[], rounds: number): readonly number[] | string {
    const states = [...replicas];
    for (let round = 0; round < rounds; round++) {
      for (const asker of states.keys()) {
        for (const peer of states.keys()) {
          const wrong = asker === peer ? null : this.#pull(states, asker, peer);
          if (wrong !== null) return wrong;
        }
      }
    }
    return states;
  }

  #pull(states: number[], asker: number, peer: number): string | null {
    const { inputs } = this.#world;
    for (let more = true; more; ) {
      const asked = this.#step(states, asker, inputs.ask(peer, false));
      if (asked.kind !== 'request') return failureOf(asked);
      const { request } = asked;
      const answered = this.#step(states, peer, inputs.serve(request));
      if (answered.kind !== 'batch') return failureOf(answered);
      const { batch } = answered;
      const taken = this.#step(states, asker, inputs.take(peer, request, batch));
      if (taken.kind !== 'nothing') return failureOf(taken);
      more = batch.more;
    }
    return null;
  }

  #step(states: number[], at: number, input: number): ReturnType<World['replicas']['move']>['output'] {
    const { next, output, wrong } = this.#world.replicas.move(states[at] as number, input);
    states[at] = next;
    return wrong === null ? output : { kind: 'broken', message: wrong };
  }
}

function failureOf(output: { readonly kind: string; readonly message?: string }): string {
  return output.message ?? `a pull came to ${output.kind}`;
}
