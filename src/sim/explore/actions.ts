import type { ReplicaId } from '../../base/ids.js';
import { clientId } from './client-states.js';

/** One thing that can happen. Replicas and clients are numbered from 0; `asker` is the replica that pulls. */
export type Action =
  /** A request leaves; with `report` it asks what the members attest. */
  | { readonly kind: 'ask' | 'report'; readonly asker: number; readonly peer: number }
  /** The request is answered. */
  | { readonly kind: 'answer'; readonly asker: number; readonly peer: number }
  /** The answer is taken in. */
  | { readonly kind: 'take'; readonly asker: number; readonly peer: number }
  /** What is under way is lost, and the asker learns of it. */
  | { readonly kind: 'cut'; readonly asker: number; readonly peer: number }
  /** The process ends and starts again over what it kept. */
  | { readonly kind: 'crash'; readonly replica: number }
  | { readonly kind: 'compact'; readonly replica: number }
  /** The client does the next line of its program at the replica. */
  | { readonly kind: 'do'; readonly client: number; readonly replica: number }
  /** It sends its write there and does not wait for the answer. */
  | { readonly kind: 'lose'; readonly client: number; readonly replica: number }
  /** What it sent there without waiting arrives. */
  | { readonly kind: 'arrive'; readonly client: number; readonly replica: number; readonly time: number };

/** An action as a word, which a path is written with. */
export function wordOf(action: Action, ids: readonly ReplicaId[]): string {
  if ('asker' in action) return `${action.kind}:${ids[action.asker]}:${ids[action.peer]}`;
  if (action.kind === 'arrive') return `arrive:${clientId(action.client)}:${ids[action.replica]}:${action.time}`;
  if ('client' in action) return `${action.kind}:${clientId(action.client)}:${ids[action.replica]}`;
  return `${action.kind}:${ids[action.replica]}`;
}
