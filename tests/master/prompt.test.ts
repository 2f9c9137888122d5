import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { complete } from '../../master/completion.js';
import { runPrompt } from '../../master/prompt.js';
import { RecordingCluster } from './recording-cluster.js';

function prompt(cluster = new RecordingCluster(), history: readonly string[] = []) {
  const input = new PassThrough();
  const screen = new PassThrough();
  let shown = '';
  screen.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const remembered: string[] = [];
  const ended = runPrompt({
    cluster,
    input,
    screen,
    terminal: true,
    output: { print: (line) => void screen.write(`${line}\n`), drained: () => undefined, flush: () => {} },
    report: (error) => void screen.write(`${error.code}: ${error.message}\n`),
    history,
    remember: (line) => void remembered.push(line),
  });
  const key = async (text: string): Promise<void> => {
    input.write(text);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  return { cluster, input, ended, key, remembered, shown: () => shown };
}

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const UP = '\x1b[A';

describe('the prompt', () => {
  it('runs what is typed, and goes on after what is wrong', async () => {
    const { key, ended, shown, cluster, remembered } = prompt();
    await key('put c k v\r');
    await key('get c k\r');
    await key('hepl\r');
    await key('get c\r');
    await key('get "c\r');
    await key('get c none\r');
    await key('exit\r');
    await ended;
    expect(cluster.events).toEqual(['put c k=v', 'get c k', 'get c none']);
    expect(shown()).toContain('barista> ');
    expect(shown()).toContain('k:v\n');
    expect(shown()).toContain('ERR_UNKNOWN_COMMAND: there is no command "hepl"; did you mean "help"?');
    expect(shown()).toContain('ERR_SYNTAX: get takes 2 words, not 1');
    expect(shown()).toContain('ERR_SYNTAX: column 5');
    expect(remembered).toHaveLength(7);
  });

  it('runs lines that are pasted at once one by one, and none after the last', async () => {
    const { key, ended, cluster } = prompt();
    await key('get c a\rget c b\rdone\rget c d\r');
    await ended;
    expect(cluster.events).toEqual(['get c a', 'get c b']);
  });

  it('explains all commands, or one', async () => {
    const { key, ended, shown } = prompt();
    await key('help\r');
    expect(shown()).toContain('  breakConnection ID1 ID2');
    await key('help put\r');
    expect(shown()).toMatch(/put CLIENT KEY VALUE.*put CLIENT KEY VALUE/s);
    await key('help pit\r');
    expect(shown()).toContain('did you mean "put"?');
    await key('quit\r');
    await ended;
  });

  it('brings back what was typed before, the last first', async () => {
    const { key, ended, cluster } = prompt(new RecordingCluster(), ['get c first', 'get c last']);
    await key(`${UP}\r`);
    await key(`${UP}${UP}\r`);
    await key(CTRL_D);
    await ended;
    expect(cluster.events).toEqual(['get c last', 'get c first']);
  });

  it('completes with the tabulator', async () => {
    const { key, ended, cluster } = prompt();
    await key('printM\t');
    await key('s1\r');
    await key(CTRL_D);
    await ended;
    expect(cluster.events).toEqual(['members s1']);
  });

  it('clears the line on Ctrl-C, and leaves on the second', async () => {
    const { key, ended, cluster } = prompt();
    await key(`get c never${CTRL_C}`);
    await key('get c k\r');
    await key(CTRL_C);
    await key(`x${CTRL_C}`);
    await key(CTRL_C);
    await ended;
    expect(cluster.events).toEqual(['get c k']);
  });

  it('can be left while a command runs', async () => {
    const cluster = new RecordingCluster();
    cluster.stabilize = () => new Promise(() => {});
    const { key, ended } = prompt(cluster);
    await key('stabilize\r');
    await key(CTRL_C);
    await key(CTRL_C);
    await ended;
  });

  it('ends with its input, after what was typed has run', async () => {
    const { key, input, ended, cluster } = prompt();
    await key('get c k\r');
    input.end();
    await ended;
    expect(cluster.events).toEqual(['get c k']);
  });
});

describe('completion', () => {
  const ids = new RecordingCluster().ids();

  it.each([
    ['prin', ['printStore ', 'printLog ', 'printClock ', 'printMembers ']],
    ['ex', ['exit ']],
    ['help pri', ['printStore ', 'printLog ', 'printClock ', 'printMembers ']],
    ['get ', ['ana ', 'ben ']],
    ['get a', ['ana ']],
    ['get ana ', []],
    ['killServer s', ['s1 ', 's2 ']],
    ['killServer "', ['"till one" ']],
    ['joinServer ', []],
    ['joinClient c s', ['s1 ', 's2 ']],
    ['breakConnection ', ['s1 ', 's2 ', '"till one" ', 'ana ', 'ben ']],
    ['  breakConnection s1 b', ['ben ']],
    ['nonsense ', []],
  ])('of %j', (line, hits) => {
    expect(complete(line, ids)[0]).toEqual(hits);
  });
});
