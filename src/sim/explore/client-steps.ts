import { clientId, type OwnRequest } from './client-states.js';
import type { Accepted } from './ledger.js';
import type { Move } from './replica-states.js';
import { tooLarge, type World } from './world.js';

/** A client's step at a replica. */
export interface ClientStep {
  /** What the three come to be. */
  readonly client: number;
  readonly ledger: number;
  readonly replica: number;
  readonly wrong: string | null;
  readonly output: Move['output'];
  /** Set if it is a late request that arrives. */
  readonly late: { readonly replica: number; readonly time: number } | null;
}

const REPLICAS_MAX = 2 ** 24;
const LEDGERS_MAX = 2 ** 13;
/** How many are remembered before all are forgotten, and found anew. */
const KNOWN_MAX = 4_000_000;

/** What clients do at replicas, through real sessions; looked up where it was done before. */
export class ClientSteps {
  readonly #world: World;
  /** By the numbers of client, ledger and replica in one. */
  #known = new Map<number, readonly ClientStep[]>();

  constructor(world: World) {
    this.#world = world;
  }

  /** What the client may do at a replica in this state: its next line, or requests that arrive late. */
  at(client: number, ledger: number, replica: number): readonly ClientStep[] {
    const key = (client * LEDGERS_MAX + ledger) * REPLICAS_MAX + replica;
    if (ledger >= LEDGERS_MAX || replica >= REPLICAS_MAX || key > Number.MAX_SAFE_INTEGER) throw tooLarge();
    let steps = this.#known.get(key);
    if (steps === undefined) {
      const next = this.#next(client, ledger, replica);
      steps = [...(next === null ? [] : [next]), ...this.#arrivals(client, ledger, replica)];
      if (this.#known.size >= KNOWN_MAX) this.#known = new Map();
      this.#known.set(key, steps);
    }
    return steps;
  }

  /** The client sends its write to the replica and does not wait. Null if it has none to send. */
  lose(client: number, replica: number): number | null {
    const { clients } = this.#world;
    const line = clients.line(client);
    if (line === null || line.kind === 'get') return null;
    return clients.gaveUp(clients.begin(client).state, replica);
  }

  /** Null if there is no line left, or it changes nothing. */
  #next(client: number, ledger: number, replica: number): ClientStep | null {
    const { clients, replicas, inputs } = this.#world;
    const line = clients.line(client);
    if (line === null) return null;
    if (line.kind === 'get') {
      const request = clients.at(client).reads.get(line.key);
      if (request === undefined) throw new RangeError(`nobody reads ${line.key}`);
      const { output, next, wrong } = replicas.move(replica, inputs.read(request));
      if (output.kind !== 'value') return null;
      return { client: clients.found(client, output.stamp), ledger, replica: next, wrong, output, late: null };
    }
    const begun = clients.begin(client);
    const step = this.#write(begun.request, begun.state, ledger, replica);
    if (step.output.kind !== 'stamp') return step.client === client && step.output.kind === 'missing' ? null : step;
    const { stamp } = step.output;
    const { highest, needs } = clients.at(client);
    const { origin, seen } = this.#world.replicas.facts(replica);
    let { wrong } = step;
    if (stamp.acceptTime <= highest) wrong ??= `${origin} stamped ${stamp.acceptTime} what stands after ${highest}`;
    if (!seen.dominates(needs)) wrong ??= `${origin} took a write that needs ${needs}, and claims ${seen}`;
    return { ...step, client: clients.wrote(begun.state, stamp), wrong };
  }

  #arrivals(client: number, ledger: number, replica: number): ClientStep[] {
    const { clients, replicas, ids } = this.#world;
    const { origin } = replicas.facts(replica);
    return clients
      .at(client)
      .late.filter((late) => origin.startsWith(`${ids[late.replica]}#`))
      .map((late) => {
        const step = this.#write(late.request, client, ledger, replica, late.needs);
        const named = { replica: late.replica, time: late.request.clientTime };
        return { ...step, client: clients.arrived(client, late), late: named };
      });
  }

  #write(
    request: OwnRequest,
    client: number,
    ledger: number,
    replica: number,
    needs = this.#world.clients.at(client).needs,
  ): ClientStep {
    const { replicas, inputs, ledgers, clients } = this.#world;
    const { output, next, wrong } = replicas.move(replica, inputs.write(request));
    const step = { client, ledger, replica: next, wrong, output, late: null };
    if (output.kind !== 'stamp') return step;
    const write: Accepted = {
      ...output.stamp,
      client: clientId(clients.at(client).index),
      clientTime: request.clientTime,
      key: request.key,
      isDelete: request.operation.kind === 'delete',
      needs: needs.clone(),
    };
    const after = ledgers.add(ledger, write);
    return typeof after === 'number' ? { ...step, ledger: after } : { ...step, wrong: wrong ?? after };
  }
}
