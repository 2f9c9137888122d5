import type { Action } from './actions.js';
import { ClientSteps } from './client-steps.js';
import type { Move } from './replica-states.js';
import type { Node, Rest, World } from './world.js';

/** Told of each next state, which is only lent. `wrong`: what the step did that it must not; null if nothing. */
export type Emit = (next: Uint32Array, action: Action, wrong: string | null) => void;

/** What an action touches: replicas, and the pulls whose messages it sends or uses, as bits. */
interface Touched {
  readonly replicas: number;
  readonly pulls: number;
}

/**
 * All that can happen next in a world.
 *
 * **Orders that need not be gone through.** A request depends on its sender alone, a batch on its sender and the request. So
 * sending one may be put off until its sender takes another step, or somebody does something with that very message: whoever
 * acts in between can act before. With `reduce` a run is therefore made of blocks: some sends, each by another replica and
 * in the order of the replicas where they do not touch each other, then a step that touches, of each message that was sent
 * and not touched since, the sender or the message. Every run turns into one of those by swapping neighbours that do not
 * touch the same replica, client or message, and by leaving out sends at the end of it that nobody heeds; so each replica and
 * each client goes through the same states in it.
 */
export class Expansion {
  readonly #world: World;
  readonly #clients: ClientSteps;
  /** The numbers of the messages that steps sent. */
  readonly #sent = new WeakMap<Move, number>();
  readonly #next: Uint32Array;
  #state: Uint32Array = new Uint32Array();
  #nodes: readonly Node[] = [];
  #rest: Rest;
  #emit: Emit = () => undefined;

  constructor(world: World) {
    this.#world = world;
    this.#clients = new ClientSteps(world);
    this.#next = new Uint32Array(world.width);
    this.#rest = world.rest(world.start()[world.ids.length] as number);
  }

  /** Tells of all that can happen in `state`, in the same order each time. */
  expand(state: Uint32Array, emit: Emit): void {
    const world = this.#world;
    const count = world.ids.length;
    this.#state = state;
    this.#nodes = Array.from({ length: count }, (_, i) => world.node(state[i] as number));
    this.#rest = world.rest(state[count] as number);
    this.#emit = emit;
    const underWay = this.#nodes.reduce((sum, { pulls }) => sum + pulls.filter((pull) => pull > 0).length, 0);
    for (let asker = 0; asker < count; asker++) {
      for (let peer = 0; peer < count; peer++) if (peer !== asker) this.#pull(asker, peer, underWay);
      if (world.options.reports > 0) this.#own(asker, world.inputs.compact, { kind: 'compact', replica: asker });
      if (this.#mayFail('crash')) this.#crash(asker);
    }
    for (let client = 0; client < world.options.programs.length; client++) this.#clientSteps(client);
  }

  #mayFail(kind: World['options']['faultKinds'][number]): boolean {
    return this.#rest.faults > 0 && this.#world.options.faultKinds.includes(kind);
  }

  #pull(asker: number, peer: number, underWay: number): void {
    const { options, inputs } = this.#world;
    const number = this.#node(asker).pulls[peer] as number;
    if (number === 0) {
      if (underWay >= options.pulls) return;
      this.#ask({ kind: 'ask', asker, peer }, inputs.ask(peer, false), this.#rest);
      const { reports } = this.#rest;
      if (reports > 0)
        this.#ask({ kind: 'report', asker, peer }, inputs.ask(peer, true), { ...this.#rest, reports: reports - 1 });
      return;
    }
    const { batch, request, input } = this.#world.pull(number - 1);
    const touched = { replicas: 1 << asker, pulls: 1 << this.#place(asker, peer) };
    if (batch === null) this.#answer(asker, peer, input, request);
    else if (this.#allows(touched)) {
      const move = this.#move(asker, input);
      this.#commit({ kind: 'take', asker, peer }, touched, [[asker, this.#without(asker, peer, move.next)]], move);
    }
    if (this.#mayFail('cut') && this.#allows(touched)) {
      const move = this.#move(asker, inputs.interrupted(peer));
      const rest = { ...this.#rest, faults: this.#rest.faults - 1 };
      this.#commit({ kind: 'cut', asker, peer }, touched, [[asker, this.#without(asker, peer, move.next)]], move, rest);
    }
  }

  #ask(action: Action & { asker: number; peer: number }, input: number, rest: Rest): void {
    const { asker, peer } = action;
    const touched = { replicas: 1 << asker, pulls: 1 << this.#place(asker, peer) };
    if (!this.#allows(touched, asker)) return;
    const move = this.#move(asker, input);
    const { output } = move;
    if (output.kind !== 'request') return this.#commit(action, touched, [], move);
    let sent = this.#sent.get(move);
    if (sent === undefined) {
      sent = this.#world.pullNumber(output.request, null, peer);
      this.#sent.set(move, sent);
    }
    const pulls = this.#node(asker).pulls.with(peer, sent + 1);
    this.#commit(
      action,
      touched,
      [[asker, { replica: move.next, pulls, fresh: this.#freshOf(asker, peer) }]],
      move,
      rest,
    );
  }

  #answer(asker: number, peer: number, input: number, request: Parameters<World['pullNumber']>[0]): void {
    const touched = { replicas: 1 << peer, pulls: 1 << this.#place(asker, peer) };
    if (!this.#allows(touched, peer)) return;
    const action: Action = { kind: 'answer', asker, peer };
    const move = this.#move(peer, input);
    const { output } = move;
    if (output.kind !== 'batch') return this.#commit(action, touched, [], move);
    let sent = this.#sent.get(move);
    if (sent === undefined) {
      sent = this.#world.pullNumber(request, output.batch, peer);
      this.#sent.set(move, sent);
    }
    const pulls = this.#node(asker).pulls.with(peer, sent + 1);
    const changed: [number, Node][] = [
      [asker, { ...this.#node(asker), pulls }],
      [peer, { ...this.#node(peer), replica: move.next, fresh: this.#freshOf(asker, peer) }],
    ];
    this.#commit(action, touched, changed, move);
  }

  /** A step of one replica that touches nothing else. */
  #own(replica: number, input: number, action: Action): void {
    const touched = { replicas: 1 << replica, pulls: 0 };
    if (!this.#allows(touched)) return;
    const move = this.#move(replica, input);
    this.#commit(action, touched, [[replica, { ...this.#node(replica), replica: move.next }]], move);
  }

  /** Its own pulls are gone, and who waits for its answer learns of it. What it has answered may still arrive. */
  #crash(replica: number): void {
    const { inputs } = this.#world;
    const askers = this.#nodes.flatMap(({ pulls }, asker) => {
      const number = pulls[replica] as number;
      return number > 0 && this.#world.pull(number - 1).batch === null ? [asker] : [];
    });
    let replicas = 1 << replica;
    let pulls = 0;
    for (const asker of askers) {
      replicas |= 1 << asker;
      pulls |= 1 << this.#place(asker, replica);
    }
    for (const [peer, pull] of this.#node(replica).pulls.entries()) {
      if (pull > 0) pulls |= 1 << this.#place(replica, peer);
    }
    const touched = { replicas, pulls };
    if (!this.#allows(touched)) return;
    const move = this.#move(replica, inputs.restart);
    const node = { replica: move.next, pulls: this.#node(replica).pulls.map(() => 0), fresh: 0 };
    const changed: [number, Node][] = [[replica, node]];
    let wrong = move.wrong;
    for (const asker of askers) {
      const interrupted = this.#move(asker, inputs.interrupted(replica));
      wrong ??= interrupted.wrong;
      changed.push([asker, this.#without(asker, replica, interrupted.next)]);
    }
    const rest = { ...this.#rest, faults: this.#rest.faults - 1 };
    this.#commit({ kind: 'crash', replica }, touched, changed, { ...move, wrong }, rest);
  }

  #clientSteps(client: number): void {
    const { clients, ledger, faults } = this.#rest;
    const state = clients[client] as number;
    for (let replica = 0; replica < this.#nodes.length; replica++) {
      const touched = { replicas: 1 << replica, pulls: 0 };
      if (!this.#allows(touched)) continue;
      const node = this.#node(replica);
      for (const step of this.#clients.at(state, ledger, node.replica)) {
        const rest = { ...this.#rest, clients: clients.with(client, step.client), ledger: step.ledger };
        const action: Action =
          step.late === null
            ? { kind: 'do', client, replica }
            : { kind: 'arrive', client, replica: step.late.replica, time: step.late.time };
        this.#commit(action, touched, [[replica, { ...node, replica: step.replica }]], step, rest);
      }
    }
    if (!this.#mayFail('lose') || !this.#allows({ replicas: 0, pulls: 0 })) return;
    for (let replica = 0; replica < this.#nodes.length; replica++) {
      const next = this.#clients.lose(state, replica);
      if (next === null) continue;
      const rest = { ...this.#rest, clients: clients.with(client, next), faults: faults - 1 };
      this.#commit({ kind: 'lose', client, replica }, { replicas: 0, pulls: 0 }, [], { wrong: null }, rest);
    }
  }

  /** True if the run may go on with what touches this, and sends a message if there is a `sender`. */
  #allows(touched: Touched, sender: number | null = null): boolean {
    if (!this.#world.options.reduce) return true;
    return this.#nodes.every(
      ({ fresh }, replica) =>
        fresh === 0 || isTouched(touched, replica, fresh) || (sender !== null && replica < sender),
    );
  }

  #commit(
    action: Action,
    touched: Touched,
    changed: readonly (readonly [number, Node])[],
    { wrong, output }: { readonly wrong: string | null; readonly output?: Move['output'] },
    rest = this.#rest,
  ): void {
    const world = this.#world;
    const next = this.#next;
    next.set(this.#state);
    for (const [replica, node] of this.#nodes.entries()) {
      const { fresh } = node;
      if (fresh > 0 && isTouched(touched, replica, fresh)) next[replica] = world.nodeNumber({ ...node, fresh: 0 });
    }
    for (const [replica, node] of changed) {
      const keeps =
        node.fresh > 0 && (node.fresh !== this.#node(replica).fresh || !isTouched(touched, replica, node.fresh));
      next[replica] = world.nodeNumber(keeps ? node : { ...node, fresh: 0 });
    }
    if (rest !== this.#rest) next[world.ids.length] = world.restNumber(rest);
    if (world.crashesAhead(this.#rest.faults) && !world.crashesAhead(rest.faults)) this.#makeImmortal();
    const refused = output?.kind === 'refused' && action.kind !== 'arrive' ? output.message : null;
    this.#emit(next, action, wrong ?? refused);
  }

  #makeImmortal(): void {
    const world = this.#world;
    for (const replica of this.#nodes.keys()) {
      const node = world.node(this.#next[replica] as number);
      this.#next[replica] = world.nodeNumber({ ...node, replica: world.replicas.immortal(node.replica) });
    }
  }

  #move(replica: number, input: number): Move {
    return this.#world.replicas.move(this.#node(replica).replica, input);
  }

  #node(replica: number): Node {
    return this.#nodes[replica] as Node;
  }

  /** The replica, in another state, when nothing of its pull from `peer` is under way any more. */
  #without(asker: number, peer: number, replica: number): Node {
    return { replica, pulls: this.#node(asker).pulls.with(peer, 0), fresh: 0 };
  }

  #place(asker: number, peer: number): number {
    return asker * this.#nodes.length + peer;
  }

  #freshOf(asker: number, peer: number): number {
    return this.#world.options.reduce ? this.#place(asker, peer) + 1 : 0;
  }
}

function isTouched({ replicas, pulls }: Touched, sender: number, fresh: number): boolean {
  return ((replicas >> sender) & 1) === 1 || ((pulls >> (fresh - 1)) & 1) === 1;
}
