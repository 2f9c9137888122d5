import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../master/commands.js';
import { runProgram } from '../../src/cli/program.js';
import { ACTION_USAGES, SETTING_USAGES } from '../../src/sim/script.js';

async function barista(...words: string[]) {
  const asked: unknown[] = [];
  let out = '';
  let error = '';
  const ask = async (request: unknown): Promise<void> => void asked.push(request);
  const client = async (request: unknown): Promise<number> => ask(request).then(() => 0);
  const repair = async (request: unknown): Promise<number> => ask(request).then(() => 1);
  const status = await runProgram(
    words,
    { master: ask, server: ask, repair, client, sim: client, check: client },
    {
      out: (text) => {
        out += text;
      },
      error: (text) => {
        error += text;
      },
    },
  );
  return { status, out, error, asked };
}

describe('barista master', () => {
  it('has the defaults of an exact script', async () => {
    expect(await barista('master')).toMatchObject({
      status: 0,
      asked: [
        {
          script: { kind: 'terminal' },
          world: 'processes',
          cluster: {
            tieBreak: 'higher',
            clock: 'logical',
            retryWindowMs: 600_000,
            guarantees: ['read-your-writes', 'monotonic-reads'],
            maxDriftMs: 60_000,
            antiEntropyMs: null,
            timeoutMs: 2000,
            basePort: null,
            dataDir: null,
            procedureFiles: [],
          },
        },
      ],
    });
  });

  it('takes every option', async () => {
    const { asked } = await barista(
      ...'master --world simulated --tie-break lower --clock hybrid --retry-window 0ms --max-drift 5s --anti-entropy 250ms'.split(
        ' ',
      ),
      ...'--guarantees monotonic-writes,read-your-writes --base-port 6262 --data-dir ./d --timeout 1.5s script.txt'.split(
        ' ',
      ),
    );
    expect(asked).toEqual([
      {
        script: { kind: 'file', path: 'script.txt' },
        world: 'simulated',
        cluster: {
          tieBreak: 'lower',
          clock: 'hybrid',
          retryWindowMs: 0,
          guarantees: ['read-your-writes', 'monotonic-writes'],
          maxDriftMs: 5000,
          antiEntropyMs: 250,
          timeoutMs: 1500,
          basePort: 6262,
          dataDir: './d',
          procedureFiles: [],
        },
      },
    ]);
  });

  it('turns periodic exchange off, and all guarantees on or off', async () => {
    const off = await barista('master', '--anti-entropy', 'off', '--guarantees', 'none', '-');
    expect(off.asked).toMatchObject([
      { script: { kind: 'standard-input' }, cluster: { antiEntropyMs: null, guarantees: [] } },
    ]);
    const all = await barista('master', '--guarantees', 'all');
    expect(all.asked).toMatchObject([{ cluster: { guarantees: { length: 4 } } }]);
  });

  it('says everything with --help', async () => {
    for (const words of [
      ['master', '--help'],
      ['help', 'master'],
    ]) {
      const { status, out } = await barista(...words);
      expect(status).toBe(0);
      for (const { name } of COMMANDS) expect(out).toContain(`\n  ${name}`);
      for (const word of ['--world', 'Exit status', 'XDG_STATE_HOME', 'Examples']) expect(out).toContain(word);
      for (const usage of [...SETTING_USAGES, ...ACTION_USAGES]) expect(out).toContain(`\n    ${usage}`);
    }
  });
});

describe('barista server', () => {
  it('has the defaults of a server', async () => {
    expect((await barista('server', '--id', 's1')).asked).toEqual([
      {
        id: 's1',
        host: '127.0.0.1',
        port: 0,
        cluster: 'default',
        incarnation: null,
        newIncarnation: false,
        peers: [],
        tieBreak: 'higher',
        clock: 'hybrid',
        retryWindowMs: 600_000,
        maxDriftMs: 60_000,
        antiEntropyMs: 1000,
        dataDir: null,
        procedureFiles: [],
        lifeline: false,
        runId: null,
      },
    ]);
  });

  it('takes every option, the hidden ones too', async () => {
    const words =
      'server --id s1 --host :: --port 6262 --cluster bar --incarnation 7 --peer s2=127.0.0.1:6263 --peer a=b=[::1]:6264 --tie-break lower --clock logical --retry-window 24h --max-drift off --anti-entropy off --data-dir ./d --lifeline --run-id r1';
    expect((await barista(...words.split(' '))).asked).toEqual([
      {
        id: 's1',
        host: '::',
        port: 6262,
        cluster: 'bar',
        incarnation: 7,
        newIncarnation: false,
        peers: [
          { id: 's2', host: '127.0.0.1', port: 6263 },
          { id: 'a=b', host: '::1', port: 6264 },
        ],
        tieBreak: 'lower',
        clock: 'logical',
        retryWindowMs: 86_400_000,
        maxDriftMs: null,
        antiEntropyMs: null,
        dataDir: './d',
        procedureFiles: [],
        lifeline: true,
        runId: 'r1',
      },
    ]);
    expect((await barista('server', '--help')).out).not.toContain('lifeline');
    expect((await barista('server', '--id', 's1', '--new-incarnation')).asked).toMatchObject([
      { incarnation: null, newIncarnation: true },
    ]);
  });
});

describe('barista repair', () => {
  it('takes a directory, and ends with the status it is given', async () => {
    expect(await barista('repair', './d')).toMatchObject({ status: 1, asked: [{ path: './d', apply: false }] });
    expect(await barista('repair', './d', '--apply')).toMatchObject({
      status: 1,
      asked: [{ path: './d', apply: true }],
    });
  });

  it('says everything with --help', async () => {
    const { status, out } = await barista('repair', '--help');
    expect(status).toBe(0);
    for (const word of ['--apply', 'Exit status', 'Examples', 'starts empty']) expect(out).toContain(word);
  });
});

describe('wrong words', () => {
  it.each([
    ['mastr', "unknown command 'mastr'; did you mean master?"],
    ['master --wrld x', "unknown option '--wrld'; did you mean --world?"],
    ['master --world simulatd', 'did you mean "simulated"?'],
    ['master --world', 'argument missing'],
    ['master --tie-break HIGHER', 'did you mean "higher"?'],
    ['master --anti-entropy 250', 'A duration needs a unit: "250ms" or "250s"?'],
    ['master --anti-entropy soon', 'A duration is written like 250ms'],
    ['master --anti-entropy 0ms', 'Durations go from 1ms to 1h'],
    ['master --timeout 2h', 'Durations go from 1ms to 1h'],
    ['master --guarantees read-my-writes', 'did you mean "read-your-writes"?'],
    ['master --guarantees none,all', '"none" is none of'],
    ['master --base-port 65536', 'Ports go from 1 to 65535'],
    ['master a b', "too many arguments for 'master'"],
    ['server', "required option '--id <id>' not specified"],
    ['server --id s1 --port -1', 'Ports go from 1 to 65535; 0'],
    ['server --id s1 --peer s2:6263', 'A peer is written ID=HOST:PORT'],
    ['server --id s1 --peer s2=h:1 --peer s2=h:2', '"s2" is named twice'],
    ['master --retry-window 8761h', 'Retry windows go from 0ms to 8760h'],
    ['server --id s1 --retry-window 10', 'A duration needs a unit: "10ms" or "10s"?'],
    [
      'server --id s1 --incarnation 2 --new-incarnation',
      "'--new-incarnation' cannot be used with option '--incarnation",
    ],
    ['repair', "missing required argument 'DIR'"],
    ['server --id s1 --incarnation 0', 'Incarnations are whole numbers from 1'],
  ])('end with status 2 and what would be right: %s', async (words, message) => {
    const { status, error, asked } = await barista(...words.split(' '));
    expect(error).toContain('barista: ERR_OPTION: ');
    expect(error).toContain(message);
    expect({ status, asked }).toEqual({ status: 2, asked: [] });
  });

  it('are no words at all: help says what there is', async () => {
    expect(await barista()).toMatchObject({ status: 2, out: '', error: expect.stringContaining('master') });
  });

  it('are not --help and --version', async () => {
    expect(await barista('--help')).toMatchObject({ status: 0, error: '' });
    expect(await barista('--version')).toMatchObject({ status: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });
});
