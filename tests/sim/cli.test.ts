import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runProgram } from '../../src/cli/program.js';
import { mergingOf } from '../../src/cli/sim-merging.js';
import type { SimSearchRequest } from '../../src/cli/sim-request.js';
import { SimScreen } from '../../src/cli/sim-screen.js';
import { searchSeeds } from '../../src/cli/sim-search.js';
import { runTask } from '../../src/cli/sim-task.js';
import type { SimRunner } from '../../src/cli/sim-threads.js';
import { FAULT_NAMES } from '../../src/sim/faults.js';
import { generatePlan } from '../../src/sim/generate.js';
import { judge } from '../../src/sim/verdict.js';
import { plantForgetfulSession } from './planted.js';
import { replay } from './replay.js';

const CLI = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

let tmp = '';
beforeEach(() => {
  tmp = mkdtempSync(join(tmpdir(), 'barista-sim-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(tmp, { recursive: true, force: true });
});

async function asked(...words: readonly string[]) {
  const requests: unknown[] = [];
  let error = '';
  const ask = async (request: unknown): Promise<number> => requests.push(request) * 0;
  const none = async (): Promise<never> => {
    throw new Error('not this one');
  };
  const status = await runProgram(
    ['sim', ...words],
    { master: none, server: none, repair: none, client: none, check: none, sim: ask },
    {
      out: () => undefined,
      error: (text) => {
        error += text;
      },
    },
  );
  return { status, error, requests };
}

/** `barista sim`, as a process. */
async function sim(...words: readonly string[]) {
  const { stdout, stderr, exitCode } = await execa(process.execPath, [CLI, 'sim', '--out', tmp, ...words], {
    reject: false,
  });
  const facts = new Map(stdout.split('\n').map((line) => [line.split(' ', 1)[0] ?? '', line]));
  return { facts, stdout, stderr, status: exitCode };
}

const SMALL = '--replicas 3 --clients 4 --hours 0.02 --faults crash,connection-break,loss'.split(' ');

describe('the words of barista sim', () => {
  it('are a seed, unless they are a search', async () => {
    const keeping = { out: 'tests/sim/seeds', shrinking: { runsMax: 1000, minutesMax: 10 } };
    expect((await asked()).requests).toEqual([
      {
        kind: 'run',
        world: { replicas: 5, clients: 20, hours: 1, faults: 'all', procedureFiles: [] },
        keeping,
        seed: 1,
        historyFile: null,
      },
    ]);
    const one = await asked(
      ...'--seed 7 --replicas 3 --clients 2 --hours 0.25 --faults none --history h --out o --shrink-runs 5 --shrink-minutes 1'.split(
        ' ',
      ),
    );
    expect(one.requests).toEqual([
      {
        kind: 'run',
        world: { replicas: 3, clients: 2, hours: 0.25, faults: [], procedureFiles: [] },
        keeping: { out: 'o', shrinking: { runsMax: 5, minutesMax: 1 } },
        seed: 7,
        historyFile: 'h',
      },
    ]);
    const search = await asked(
      ...'--seeds 1000 --minutes 0.5 --jobs 2 --first-seed 50 --faults crash,wipe --procedures p.js'.split(' '),
    );
    expect(search.requests).toEqual([
      {
        kind: 'search',
        world: { replicas: 5, clients: 20, hours: 1, faults: ['crash', 'wipe'], procedureFiles: ['p.js'] },
        keeping,
        firstSeed: 50,
        seedsMax: 1000,
        minutesMax: 0.5,
        jobs: 2,
      },
    ]);
  });

  it.each([
    ['--seed x', 'Seeds go from 0 to 4294967295.'],
    ['--seed 4294967296', 'Seeds go from 0 to 4294967295.'],
    ['--replicas 0', 'It takes a whole number from 1 to 100.'],
    ['--hours 0', 'It takes a number above 0, like 1 or 0.25.'],
    ['--faults crahs', '"crahs" is none of loss, '],
    ['--faults crahs', 'did you mean "crash"?'],
    ['--seeds many', 'It takes a whole number from 1 to 1000000000.'],
    ['--seed 7 --seeds 10', "'--seed <n>' cannot be used with option '--seeds <n>'"],
    ['--history h --minutes 1', "'--history <file>' cannot be used with option '--minutes <n>'"],
    ['--jobs 2', '--first-seed and --jobs are of a search: say --seeds or --minutes too'],
    ['7', "too many arguments for 'sim'"],
  ])('are refused with what would be right: %s', async (words, message) => {
    const { status, error, requests } = await asked(...words.split(' '));
    expect({ status, requests }).toEqual({ status: 2, requests: [] });
    expect(error).toContain('barista: ERR_OPTION: ');
    expect(error).toContain(message);
  });

  it('are explained, each fault too', async () => {
    const { stdout, status } = await sim('--help');
    expect(status).toBe(0);
    for (const word of [...FAULT_NAMES, 'Exit status', 'Examples', 'replayed by']) expect(stdout).toContain(word);
  });
});

describe('barista sim', () => {
  it('sums up a run, and prints the same hash of the same', async () => {
    const file = join(tmp, 'history.jsonl');
    const first = await sim(...SMALL, '--seed', '3', '--history', file);
    expect(first).toMatchObject({ status: 0 });
    const { facts } = first;
    expect(facts.get('seed')).toBe('seed 3 ok');
    expect(facts.get('hash')).toMatch(/^hash [0-9a-f]{16}$/);
    expect(facts.get('time')).toMatch(/^time \S+ \w+ in \S+ \w+, [\d,]+ times real time; checks took \S+ \w+$/);
    expect(facts.get('operations')).toMatch(/^operations \d+, [\d,]+ a minute: accepted \d+, /);
    expect(facts.get('checked')).toMatch(/^checked operations \d+, .*durability \d+/);
    expect(facts.get('agreement')).toMatch(/^agreement after \d+ rounds$/);
    const [header = '', ...events] = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(JSON.parse(header)).toMatchObject({ type: 'history', version: 1 });
    expect(events.map((line) => JSON.parse(line).type)).toContain('write');

    const again = await sim(...SMALL, '--seed', '3');
    expect(again.facts.get('hash')).toBe(facts.get('hash'));
    expect((await sim(...SMALL, '--seed', '4')).facts.get('hash')).not.toBe(facts.get('hash'));
  });

  it('searches the same whatever the number of jobs', async () => {
    const both = await Promise.all(
      ['1', '2'].map((jobs) => sim(...SMALL, '--seeds', '4', '--first-seed', '11', '--jobs', jobs)),
    );
    for (const { status, facts } of both) {
      expect(status).toBe(0);
      expect(facts.get('seeds')).toBe('seeds 4 from 11 to 14');
      expect(facts.get('failed')).toBe('failed none');
      expect(facts.get('operations')).toMatch(
        /^operations [\d,]+, [\d,]+ a minute, [\d,]+ a minute of one core: accepted /,
      );
    }
    const [one, two] = both;
    for (const fact of ['hash', 'faults', 'checked']) expect(two?.facts.get(fact)).toBe(one?.facts.get(fact));
    expect(readdirSync(tmp)).toEqual([]);
  });

  it('sums up what ran when it is interrupted', async () => {
    const running = execa(process.execPath, [CLI, 'sim', ...SMALL, '--out', tmp, '--minutes', '100', '--jobs', '2'], {
      reject: false,
    });
    // As npm does: the terminal's signal comes twice.
    running.stderr?.once('data', () => running.kill('SIGINT') && running.kill('SIGINT'));
    const { stdout, exitCode } = await running;
    expect(stdout).toMatch(/^seeds \d+.*, stopped$/m);
    expect(stdout).toMatch(/^failed none$/m);
    expect(exitCode).toBe(130);
  });

  it('refuses an output that cannot be written, before anything runs', async () => {
    const file = join(tmp, 'file');
    writeFileSync(file, '');
    for (const words of [
      ['--out', join(file, 'below'), '--minutes', '100'],
      ['--history', join(tmp, 'none', 'history.jsonl')],
    ]) {
      const { status, stderr, stdout } = await sim(...words);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/^barista: ERR_OPTION: (scripts|the history) cannot be written to .*: E/);
    }
  });
});

describe('a search that finds something', () => {
  it('says so, goes on, and keeps a script for each seed that failed', { timeout: 300_000 }, async () => {
    const world = { ...plantForgetfulSession(), procedureFiles: [] };
    const merging = await mergingOf([]);
    const runner: SimRunner = {
      run: async (task, hear) =>
        runTask(task, { merging, makePlan: generatePlan, judge, now: () => performance.now(), tell: hear }),
      stop: () => undefined,
    };
    const request: SimSearchRequest = {
      kind: 'search',
      world,
      keeping: { out: join(tmp, 'seeds'), shrinking: { runsMax: 200, minutesMax: 1 } },
      firstSeed: 1,
      seedsMax: 4,
      minutesMax: null,
      jobs: 2,
    };
    const results = new PassThrough();
    const screen = new SimScreen(results, new PassThrough());
    expect(await searchSeeds(request, [runner, runner], screen)).toBe(1);
    await screen.end();
    const output = String(results.read());
    const scripts = readdirSync(join(tmp, 'seeds'));
    expect(scripts.length).toBeGreaterThan(0);
    expect(output).toContain('seeds 4 from 1 to 4\n');
    const failed = scripts.map((name) => Number(/^seed-(\d+)-/.exec(name)?.[1])).sort((a, b) => a - b);
    expect(output).toContain(`failed ${failed.join(', ')}\n`);
    for (const name of scripts) {
      expect(output).toContain(`script ${join(tmp, 'seeds', name)}: `);
      expect((await replay(readFileSync(join(tmp, 'seeds', name), 'utf8'))).ok).toBe(false);
    }
  });
});

describe('simulate, at and check', () => {
  it('need virtual time', async () => {
    const { stderr, exitCode } = await execa(process.execPath, [CLI, 'master'], {
      input: 'simulate replica 1\nat 5 crash 1 kill\ncheck\n',
      reject: false,
    });
    expect(exitCode).toBe(1);
    expect(stderr.match(/ERR_OPTION: simulate, at and check need virtual time: --world simulated/g)).toHaveLength(3);
  });

  it('run as a script: ok, and the same hash each time; another plan after a check', async () => {
    const script = ['simulate replica 1 replica 2 client ana none', 'at 10 put ana k v', 'at 20 get ana k', 'check'];
    const { output, ok } = await replay([...script, ...script, 'simulate replica 1', 'check'].join('\n'));
    expect(ok).toBe(true);
    expect(output).toHaveLength(3);
    expect(output[0]).toMatch(/^ok [0-9a-f]{16} 2 operations, 0 faults, \d+ checks, agreement after \d+ rounds$/);
    expect(output[1]).toBe(output[0]);
    expect(output[2]).not.toBe(output[0]);
  });
});
