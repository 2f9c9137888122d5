import { checkId, checkKey } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { BATCH_PARTS_MAX, COMPACT_PERIOD_MS, RETRY_WINDOW_MS_DEFAULT } from '../base/limits.js';
import { GUARANTEES } from '../bayou/session.js';
import { checkOperation } from '../machine/kv.js';
import { isProcedureName } from '../machine/procedures.js';
import type { Action, DiskFault, Expectation, NetworkWeather, Plan, PlannedAction } from './plan.js';
import { namesOf, strangerIn } from './plan-names.js';
import {
  chance,
  choice,
  type Form,
  flag,
  named,
  orNull,
  pair,
  record,
  subset,
  text,
  union,
  WordReader,
  whole,
  word,
} from './script-forms.js';

/*
 * A plan as lines of a script, which the master runs:
 *
 *   simulate seed 7 durationMs 60000 clock hybrid
 *   simulate replica 1 replica 2 client ana read-your-writes,monotonic-reads
 *   at 1200 put ana k v
 *   at 1300 cut 1 2
 *   check
 */

const REPLICA = text('REPLICA', checkId);
const CLIENT = text('CLIENT', checkId);
const KEY = text('KEY', checkKey);
const KEYS = word<readonly string[]>(
  'KEYS',
  'keys that differ, with commas between',
  (written) => keysIn(written),
  (keys) => keys.join(','),
);
const VALUE = text('VALUE', () => null);
const MEMBER = text('MEMBER', (member) => checkOperation({ kind: 'setAdd', member }));
const PROCEDURE = word('PROCEDURE', 'a merge procedure, named as keep-both@1', (written) =>
  isProcedureName(written) ? written : undefined,
);
const EXPECTS = word<Expectation>('anything|absent|=VALUE', '"anything", "absent", or "=" and a value', (written) => {
  if (written === 'anything' || written === 'absent') return written;
  return written.startsWith('=') ? `=${written.slice(1)}` : undefined;
});
const MS = whole('MS', 0);
const NTH = whole('NTH', 1);

const ONE_WAY = { from: text('FROM', checkId), to: text('TO', checkId) };

const DISK_FAULT = union<DiskFault>('FAULT', {
  fail: {
    call: choice('append', 'sync', 'commit'),
    nth: NTH,
    lasting: flag('lasting', 'once'),
  },
  power: { nth: NTH },
  full: {},
  slow: { delayMs: MS },
  flip: { nth: whole('NTH', 0) },
  mend: {},
});

const WEATHER = record<NetworkWeather>({
  loss: chance('LOSS'),
  duplication: chance('DUPLICATION'),
  reordering: chance('REORDERING'),
  delayMs: pair(whole('DELAY_MIN_MS', 0), whole('DELAY_MAX_MS', 0)),
});

const ACTION = union<Action>('ACTION', {
  put: { client: CLIENT, key: KEY, value: VALUE },
  delete: { client: CLIENT, key: KEY },
  increment: { client: CLIENT, key: KEY, by: whole('NUMBER', -Number.MAX_SAFE_INTEGER) },
  append: { client: CLIENT, key: KEY, value: VALUE },
  setAdd: { client: CLIENT, key: KEY, member: MEMBER },
  setRemove: { client: CLIENT, key: KEY, member: MEMBER },
  putIfAbsent: { client: CLIENT, key: KEY, value: VALUE },
  merge: { client: CLIENT, key: KEY, procedure: PROCEDURE, expects: EXPECTS, value: VALUE },
  batch: { client: CLIENT, keys: KEYS, value: VALUE },
  get: { client: CLIENT, key: KEY },
  getMany: { client: CLIENT, keys: KEYS },
  roam: { client: CLIENT, replica: REPLICA },
  cut: ONE_WAY,
  mend: ONE_WAY,
  clog: { ...ONE_WAY, forMs: MS },
  mute: { replica: REPLICA, forMs: MS },
  weather: { weather: WEATHER },
  crash: { replica: REPLICA, how: choice('kill', 'power') },
  start: { replica: REPLICA },
  pause: { replica: REPLICA },
  resume: { replica: REPLICA },
  disk: { replica: REPLICA, fault: DISK_FAULT },
  wipe: { replica: REPLICA },
  backup: { replica: REPLICA },
  restore: { replica: REPLICA },
  clone: { replica: REPLICA, forMs: MS },
  clock: { replica: REPLICA, skewMs: whole('SKEW_MS', -Number.MAX_SAFE_INTEGER) },
  join: { replica: REPLICA },
  retire: { replica: REPLICA, at: text('AT', checkId) },
  version: { replica: REPLICA, protocol: whole('PROTOCOL', 0) },
  lie: { replica: REPLICA, forMs: MS },
});

/** What is said of a plan once. */
type Settings = Omit<Plan, 'replicas' | 'clients' | 'links' | 'actions'>;

const SETTINGS: { readonly [S in keyof Settings]: Form<Settings[S]> } = {
  seed: whole('N', 0),
  tieBreak: choice('higher', 'lower'),
  clock: choice('logical', 'hybrid'),
  retryWindowMs: MS,
  antiEntropyMs: whole('MS', 1),
  compactMs: whole('MS', 1),
  maxDriftMs: orNull(MS, 'off'),
  durationMs: MS,
};

const DEFAULTS: Settings = {
  seed: 1,
  tieBreak: 'higher',
  clock: 'hybrid',
  retryWindowMs: RETRY_WINDOW_MS_DEFAULT,
  antiEntropyMs: 1000,
  compactMs: COMPACT_PERIOD_MS,
  maxDriftMs: 60_000,
  durationMs: 60_000,
};

const GUARANTEE_LIST = subset('GUARANTEES', GUARANTEES);
const TRIES = whole('TRIES', 1);
const LINK = pair(text('REPLICA1', checkId), text('REPLICA2', checkId));
const NO_LINKS = choice('none');

interface Setting {
  readonly usage: string;
  /** The plan with what the words say. */
  read(plan: Plan, words: WordReader): Plan;
}

/** What a plan has several of is said one by one. */
const SETTINGS_BY_NAME: ReadonlyMap<string, Setting> = new Map<string, Setting>([
  ...Object.entries<Form<unknown>>(SETTINGS).map(([name, form]): [string, Setting] => [
    name,
    { usage: form.usage, read: (plan, words) => ({ ...plan, [name]: form.read(words) }) },
  ]),
  [
    'replica',
    {
      usage: REPLICA.usage,
      read: (plan, words) => ({ ...plan, replicas: [...plan.replicas, newId(plan, REPLICA.read(words))] }),
    },
  ],
  [
    'client',
    {
      usage: `${CLIENT.usage} ${GUARANTEE_LIST.usage}`,
      read(plan, words) {
        const client = { id: newId(plan, CLIENT.read(words)), guarantees: GUARANTEE_LIST.read(words) };
        return { ...plan, clients: [...plan.clients, client] };
      },
    },
  ],
  [
    'tries',
    {
      usage: `${CLIENT.usage} ${TRIES.usage}`,
      read(plan, words) {
        const id = CLIENT.read(words);
        const tries = TRIES.read(words);
        if (plan.clients.every((client) => client.id !== id)) throw strangerError(id);
        return { ...plan, clients: plan.clients.map((client) => (client.id === id ? { ...client, tries } : client)) };
      },
    },
  ],
  [
    'links',
    {
      usage: NO_LINKS.usage,
      read(plan, words) {
        NO_LINKS.read(words);
        return { ...plan, links: [] };
      },
    },
  ],
  [
    'link',
    {
      usage: LINK.usage,
      read: (plan, words) => ({ ...plan, links: [...(plan.links ?? []), LINK.read(words)] }),
    },
  ],
]);

/** How each setting, each action and each fault of a disk is written. */
export const SETTING_USAGES: readonly string[] = [...SETTINGS_BY_NAME].map(([name, { usage }]) => `${name} ${usage}`);
export const ACTION_USAGES = ACTION.usages;
export const FAULT_USAGES = DISK_FAULT.usages;

const REST_KINDS: ReadonlySet<string> = new Set(['put', 'append', 'setAdd', 'setRemove', 'putIfAbsent', 'batch']);

/** The place of the word that is the rest of its line, if an action of that kind begins at `start`; -1 if none is. */
export function actionRestAt(kind: string, start: number): number {
  if (kind === 'merge') return start + 5;
  return REST_KINDS.has(kind) ? start + 3 : -1;
}

/** A plan while its lines are read; a line that is refused changes nothing. */
export class PlanScript {
  #plan: Plan = { ...DEFAULTS, replicas: [], clients: [], actions: [] };
  readonly #actions: PlannedAction[] = [];

  /** Settings one after another, each its name and its words. */
  set(line: readonly string[]): void {
    const words = new WordReader(line);
    let plan = this.#plan;
    do plan = withSetting(plan, words);
    while (!words.isAtEnd);
    this.#plan = plan;
  }

  /** An action, with its time. */
  add(at: string, line: readonly string[]): void {
    const words = new WordReader(line);
    const planned = { at: MS.read(new WordReader([at])), action: ACTION.read(words) };
    words.end();
    const last = this.#actions.at(-1)?.at ?? 0;
    if (planned.at < last) {
      throw new BaristaError('ERR_SYNTAX', `actions stand in the order of their times, and ${last} was before ${at}`);
    }
    this.#actions.push(planned);
  }

  /** The whole plan; refuses one that names somebody who never is there. */
  plan(): Plan {
    const plan = { ...this.#plan, actions: this.#actions };
    if (plan.replicas.length === 0) {
      throw new BaristaError('ERR_UNKNOWN_ID', 'there is no replica to begin with: simulate replica REPLICA');
    }
    const known = namesOf(plan);
    for (const { at, action } of plan.actions) {
      const stranger = strangerIn(action, known);
      if (stranger !== undefined) throw strangerError(stranger, `at ${at} ${action.kind}: `);
    }
    for (const id of plan.links?.flat() ?? []) if (!known.has(id)) throw strangerError(id, 'link: ');
    return plan;
  }
}

function keysIn(written: string): readonly string[] | undefined {
  const keys = written.split(',');
  const isGood = keys.length <= BATCH_PARTS_MAX && new Set(keys).size === keys.length;
  return isGood && keys.every((key) => checkKey(key) === null) ? keys : undefined;
}

function withSetting(plan: Plan, words: WordReader): Plan {
  const name = words.take('a setting');
  const setting = SETTINGS_BY_NAME.get(name);
  if (setting !== undefined) return named(`${name} ${setting.usage}`, () => setting.read(plan, words));
  const known = [...SETTINGS_BY_NAME.keys()].join(', ');
  throw new BaristaError('ERR_SYNTAX', `${JSON.stringify(name)} is no setting; there are ${known}`);
}

function idsOf({ replicas, clients }: Plan): readonly string[] {
  return [...replicas, ...clients.map(({ id }) => id)];
}

function newId(plan: Plan, id: string): string {
  if (idsOf(plan).includes(id)) throw new BaristaError('ERR_DUPLICATE_ID', `there is ${id} already`);
  return id;
}

function strangerError(id: string, where = ''): BaristaError {
  return new BaristaError('ERR_UNKNOWN_ID', `${where}the simulation has nobody called ${id}`);
}

/** The lines that `PlanScript` reads as this plan. */
export function writePlan({ replicas, clients, links, actions, ...settings }: Plan): readonly string[] {
  const lines = [
    [
      'simulate',
      ...Object.entries<Form<unknown>>(SETTINGS).flatMap(([name, form]) => [
        name,
        ...form.write(settings[name as keyof Settings]),
      ]),
    ],
    ['simulate', ...replicas.flatMap((id) => ['replica', id])],
    ...clients.map(({ id, guarantees, tries }) => [
      ...['simulate', 'client', id, ...GUARANTEE_LIST.write(guarantees)],
      ...(tries === undefined ? [] : ['tries', id, String(tries)]),
    ]),
    ...(links === undefined ? [] : [['simulate', 'links', 'none', ...links.flatMap((link) => ['link', ...link])]]),
    ...actions.map(({ at, action }) => ['at', String(at), ...ACTION.write(action)]),
    ['check'],
  ];
  return lines.map((words) => words.map(asWord).join(' '));
}

/** As it must be written to be read as this word, whatever it holds, and if it is the rest of its line too. */
function asWord(word: string): string {
  return /^[\w.,:+-]+$/.test(word) ? word : JSON.stringify(word);
}
