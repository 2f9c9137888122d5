import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { BaristaError, ERROR_CODES } from '../src/base/errors.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Which rooms a room may import from: lower floors only. The compiler holds the same by project references. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/base': [],
  'src/bayou': ['src/base'],
  'src/machine': ['src/base'],
  'src/check': ['src/base'],
  'src/storage': ['src/base', 'src/bayou'],
  'src/rpc': ['src/base', 'src/bayou', 'src/machine'],
  'src/driver': ['src/base', 'src/bayou', 'src/machine'],
  'src/session': ['src/base', 'src/bayou', 'src/machine'],
  'src/bundle': ['src/base', 'src/bayou', 'src/machine', 'src/rpc', 'src/session'],
  'src/server': [
    'src/base',
    'src/bayou',
    'src/machine',
    'src/storage',
    'src/rpc',
    'src/driver',
    'src/session',
    'src/bundle',
  ],
  'src/client': ['src/base', 'src/bayou', 'src/machine', 'src/rpc', 'src/session', 'src/bundle'],
  'src/sim': ['src/base', 'src/bayou', 'src/machine', 'src/check', 'src/storage', 'src/driver', 'src/client'],
  master: [
    'src/base',
    'src/bayou',
    'src/machine',
    'src/storage',
    'src/rpc',
    'src/session',
    'src/driver',
    'src/client',
    'src/sim',
  ],
  'src/cli': [
    'src/base',
    'src/bayou',
    'src/machine',
    'src/check',
    'src/rpc',
    'src/session',
    'src/server',
    'src/client',
    'src/bundle',
    'src/sim',
    'master',
  ],
};

/** Rooms that take time, randomness and I/O as inputs, so that one seed replays a whole cluster. */
const DETERMINISTIC = ['src/base', 'src/bayou', 'src/machine', 'src/check', 'src/storage', 'src/driver', 'src/sim'];

/** Where storage meets the real files. */
const NODE_ADAPTERS = 'src/storage/node/';

const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\bDate\b/, 'take the time as an input, or the Clock port'],
  [/\bMath\.random\b/, 'take a Random of base/random.ts'],
  [/\bperformance\b/, 'take the Clock port'],
  [/\bset(Timeout|Interval|Immediate)\b/, 'take the Timers port'],
  [/\bprocess\.(env|argv|hrtime|nextTick|exit|on|std\w+)\b/, 'what the process knows is an input'],
  [/from 'node:/, 'pure rooms know nothing of Node'],
  [/\bawait\b|\basync\b/, 'answer through a callback: a promise takes a turn that no seed replays'],
];

const LINES_MAX = 500;

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
}

const sources: readonly Source[] = Object.keys(ROOMS).flatMap((room) =>
  readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('generated'))
    .map((name) => ({ path: join(room, name), room, text: readFileSync(join(ROOT, room, name), 'utf8') })),
);

/** The code without its comments and strings, which may speak of anything. */
function codeOf(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}

describe('the house', () => {
  test('a room imports only from lower floors', () => {
    const wrong = sources.flatMap(({ path, room, text }) =>
      [...text.matchAll(/(?:from|import)\(? ?'(\.[^']+)'/g)]
        .map(([, target]) => relative(ROOT, resolve(ROOT, dirname(path), target as string)))
        .map((target) => Object.keys(ROOMS).find((other) => target.startsWith(`${other}/`)) ?? target)
        .filter((target) => target !== room && ROOMS[room]?.includes(target) !== true)
        .map((target) => `${path} imports from ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('the deterministic rooms take time, chance and I/O as inputs', () => {
    const wrong = sources
      .filter(({ room, path }) => DETERMINISTIC.includes(room) && !path.startsWith(NODE_ADAPTERS))
      .flatMap(({ path, text }) =>
        BANNED.filter(([banned]) => banned.test(codeOf(text))).map(
          ([banned, instead]) => `${path}: ${banned}: ${instead}`,
        ),
      );
    expect(wrong).toEqual([]);
  });

  test(`no file is longer than ${LINES_MAX} lines`, () => {
    const long = sources.filter(({ text }) => text.split('\n').length > LINES_MAX).map(({ path }) => path);
    expect(long).toEqual([]);
  });
});

describe('the documents', () => {
  test('docs/ERRORS.md has every code with its advice, and no other', () => {
    const rows = [
      ...readFileSync(join(ROOT, 'docs/ERRORS.md'), 'utf8').matchAll(/^\| `(ERR_\w+)` \| .* \| (.*) \|$/gm),
    ];
    expect(rows.map(([, code, advice]) => [code, advice])).toEqual(
      ERROR_CODES.map((code) => [code, new BaristaError(code, '').advice]),
    );
  });

  test('the README has every command of the master', async () => {
    const { COMMANDS } = await import('../master/commands.js');
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    expect(COMMANDS.map(({ name }) => name).filter((name) => !readme.includes(`\`${name}`))).toEqual([]);
  });
});
