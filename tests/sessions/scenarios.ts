import { DEFAULT_GUARANTEES, GUARANTEES, type Guarantee } from '../../src/bayou/session.js';
import type { ReadEvent, WriteEvent } from '../../src/check/history.js';
import type { RecordedClient } from './recorded-client.js';

/**
 * `anomaly`: what the guarantee rules out was seen. `refused`: ERR_DEP, and nothing was seen. `right`: the newest was seen.
 */
export type Sight = 'anomaly' | 'refused' | 'right';

/** Who takes part, and where: clients are at one replica at a time. */
export interface Cast {
  /** Has the guarantees that are tried. */
  readonly session: RecordedClient;
  /** Likewise, and another session. */
  readonly friend: RecordedClient;
  /** Asks for nothing, and so is told what a replica has. */
  readonly stranger: RecordedClient;
  /** A key of this cast's own. */
  key(name: string): string;
}

/**
 * What breaks a store without the guarantee. All are at home first, where something happens that no other replica hears
 * of; then all go to a replica that lacks it.
 */
export interface Scenario {
  readonly name: string;
  readonly guarantees: readonly Guarantee[];
  /** With each of these instead it breaks: with none, and with all that the scenario is not about. */
  readonly without: readonly (readonly Guarantee[])[];
  /** What every replica knows. */
  before(cast: Cast): Promise<void>;
  atHome(cast: Cast): Promise<void>;
  /** What a store without the guarantee shows here is `anomaly`. */
  elsewhere(cast: Cast): Promise<Sight>;
}

const OLD = 'old';
const NEW = 'new';

/** Puts what must succeed. */
async function put(client: RecordedClient, key: string, value: string): Promise<void> {
  const { outcome, code } = await client.put(key, value);
  if (outcome !== 'accepted') throw new Error(`the put of ${key} by ${client.id}: ${code ?? outcome}`);
}

/** Reads what must be there. */
async function see(client: RecordedClient, key: string, value: string): Promise<void> {
  const read = await client.get(key);
  if (read.value !== value) throw new Error(`the get of ${key} by ${client.id}: ${JSON.stringify(read)}`);
}

/** What a read says that should be of the new value. */
function sightOf({ outcome, value, code }: ReadEvent): Sight {
  if (outcome === 'failed') throw new Error(`a read failed: ${code}`);
  if (outcome === 'missing') return 'refused';
  return value === NEW ? 'right' : 'anomaly';
}

function wasRefused({ outcome, code }: WriteEvent): boolean {
  if (outcome !== 'accepted' && outcome !== 'missing') throw new Error(`a write failed: ${code}`);
  return outcome === 'missing';
}

/** Whether who sees the later of two writes sees the earlier, too. Looks in that order: what comes meanwhile is no matter. */
async function sightOfBoth({ stranger, key }: Cast, later: string, earlier: string): Promise<Sight> {
  await see(stranger, key(later), NEW);
  return sightOf(await stranger.get(key(earlier)));
}

function allBut(guarantee: Guarantee): readonly Guarantee[] {
  return GUARANTEES.filter((each) => each !== guarantee);
}

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'read-your-writes: a session reads what it wrote',
    guarantees: ['read-your-writes'],
    without: [[], allBut('read-your-writes')],
    before: ({ stranger, key }) => put(stranger, key('profile'), OLD),
    atHome: ({ session, key }) => put(session, key('profile'), NEW),
    elsewhere: async ({ session, key }) => sightOf(await session.get(key('profile'))),
  },
  {
    name: 'monotonic-reads: a session reads again what it read',
    guarantees: ['monotonic-reads'],
    without: [[], allBut('monotonic-reads')],
    before: ({ stranger, key }) => put(stranger, key('mail'), OLD),
    async atHome({ session, stranger, key }) {
      await put(stranger, key('mail'), NEW);
      await see(session, key('mail'), NEW);
    },
    elsewhere: async ({ session, key }) => sightOf(await session.get(key('mail'))),
  },
  {
    name: 'writes-follow-reads: a session answers a question, and others see the answer',
    guarantees: ['writes-follow-reads'],
    without: [[], allBut('writes-follow-reads')],
    before: ({ stranger, key }) => put(stranger, key('question'), OLD),
    async atHome({ session, stranger, key }) {
      await put(stranger, key('question'), NEW);
      await see(session, key('question'), NEW);
    },
    async elsewhere(cast) {
      if (wasRefused(await cast.session.put(cast.key('answer'), NEW))) return 'refused';
      return sightOfBoth(cast, 'answer', 'question');
    },
  },
  {
    name: 'monotonic-writes: a session writes a library and then a program that needs it, and others see the program',
    guarantees: ['monotonic-writes'],
    without: [[], allBut('monotonic-writes')],
    before: ({ stranger, key }) => put(stranger, key('library'), OLD),
    atHome: ({ session, key }) => put(session, key('library'), NEW),
    async elsewhere(cast) {
      if (wasRefused(await cast.session.put(cast.key('program'), NEW))) return 'refused';
      return sightOfBoth(cast, 'program', 'library');
    },
  },
  {
    name: 'causal: a session closes an album and adds a picture, a friend sees the picture and then asks for the album',
    guarantees: GUARANTEES,
    without: [[], DEFAULT_GUARANTEES, ...GUARANTEES.map(allBut)],
    before: ({ session, key }) => put(session, key('album'), OLD),
    async atHome({ session, friend, key }) {
      await put(session, key('album'), NEW);
      await put(session, key('picture'), NEW);
      await see(friend, key('picture'), NEW);
    },
    elsewhere: async ({ friend, key }) => sightOf(await friend.get(key('album'))),
  },
];
