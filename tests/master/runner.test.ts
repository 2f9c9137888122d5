import { describe, expect, it } from 'vitest';
import type { Output } from '../../master/command.js';
import { Runner, runScript, type ScriptLine, type ScriptSource } from '../../master/runner.js';
import { BaristaError } from '../../src/base/errors.js';
import { RecordingCluster } from './recording-cluster.js';

/** A script in pieces: the lines of one are at hand together, and between two the runner waits. */
class Pieces implements ScriptSource {
  readonly #pieces: string[][];
  #atHand: string[] = [];
  #number = 0;
  readonly #beforeWait: () => void;

  constructor(pieces: string[][], beforeWait: () => void) {
    this.#pieces = [...pieces];
    this.#beforeWait = beforeWait;
  }
  take(): ScriptLine | null {
    const text = this.#atHand.shift();
    return text === undefined ? null : { kind: 'text', number: ++this.#number, text };
  }
  async more(): Promise<boolean> {
    this.#beforeWait();
    const next = this.#pieces.shift();
    this.#atHand = next ?? [];
    return next !== undefined;
  }
}

class Printed implements Output {
  readonly shown: string[] = [];
  #gathered: string[] = [];
  print(line: string): void {
    this.#gathered.push(line);
  }
  drained(): undefined {}
  flush(): void {
    this.shown.push(...this.#gathered);
    this.#gathered = [];
  }
}

async function run(cluster: RecordingCluster, ...pieces: string[][]) {
  const output = new Printed();
  const told: string[] = [];
  const shownBeforeWaits: number[] = [];
  const runner = new Runner(cluster, output, (line, error) => told.push(`${line} ${error.code}: ${error.message}`));
  const source = new Pieces(pieces, () => shownBeforeWaits.push(output.shown.length));
  const status = await runScript(source, runner, output);
  return { status, printed: output.shown, told, shownBeforeWaits, events: cluster.events };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the runner', () => {
  it('runs the commands in order and prints their results', async () => {
    const { status, printed, events, told } = await run(new RecordingCluster(), [
      '# a script',
      '',
      'joinServer s1',
      'joinClient c s1',
      'put c k a value # kept',
      'get c k',
      'get c none',
      'delete c k',
      'printStore s1',
      'printClock s1',
      'printMembers s1',
      'breakConnection c s1',
      'createConnection s1 c',
      'pause s1',
      'resume s1',
      'sleep 5',
      'stabilize',
      'killServer s1',
    ]);
    expect(told).toEqual([]);
    expect(status).toBe(0);
    expect(printed).toEqual(['k:a value # kept', 'none:ERR_KEY', 'k:a value # kept', '9#2:0', '10#1:3', '9#2', '10#1']);
    expect(events).toEqual([
      'joinServer s1',
      'joinClient c s1',
      'put c k=a value # kept',
      'get c k',
      'get c none',
      'delete c k',
      'store s1',
      'clock s1',
      'members s1',
      'breakConnection c s1',
      'createConnection s1 c',
      'pause s1',
      'resume s1',
      'sleep 5',
      'stabilize',
      'killServer s1',
    ]);
  });

  it('shows all results before it waits for more of the script', async () => {
    const { shownBeforeWaits } = await run(new RecordingCluster(), ['get c a'], ['get c b', 'get c c'], ['get c d']);
    expect(shownBeforeWaits).toEqual([0, 1, 3, 4]);
  });

  it('shows what was printed before a command that may take long', async () => {
    const cluster = new RecordingCluster();
    const output = new Printed();
    let shown = -1;
    cluster.stabilize = async () => {
      shown = output.shown.length;
    };
    const runner = new Runner(cluster, output, () => {});
    await runner.run(1, 'get c k');
    await runner.run(2, 'stabilize');
    expect(shown).toBe(1);
  });

  it('overlaps joins with each other, and with nothing else', async () => {
    const cluster = new RecordingCluster();
    cluster.holdJoins = true;
    const running = run(cluster, ['joinServer s1', 'joinServer s2', 'joinClient c s2', 'put c k v']);
    await settled();
    expect(cluster.events).toEqual(['joinServer s1', 'joinServer s2', 'joinClient c s2']);
    for (const id of ['s2', 'c', 's1']) cluster.heldJoins.get(id)?.();
    await running;
    expect(cluster.events.slice(3)).toEqual(['joined s2', 'joined c', 'joined s1', 'put c k=v']);
  });

  it('waits for joins at the end of the script', async () => {
    const cluster = new RecordingCluster();
    cluster.holdJoins = true;
    let ended = false;
    const running = run(cluster, ['joinServer s1']).then(() => {
      ended = true;
    });
    await settled();
    expect(ended).toBe(false);
    cluster.heldJoins.get('s1')?.();
    await running;
  });

  it('reports failures with their own lines, in the order of the lines, and goes on', async () => {
    const cluster = new RecordingCluster();
    cluster.failures.set('joinServer s1', new BaristaError('ERR_START', 'no room'));
    cluster.failures.set('joinServer s3', new BaristaError('ERR_DUPLICATE_ID', 's3 is taken'));
    cluster.failures.set('put c k=v', new BaristaError('ERR_CONN', 'nobody there'));
    const { status, told, printed } = await run(cluster, [
      'joinServer s1',
      'joinServer s2',
      'joinServer s3',
      'get c',
      'put c k v',
      'get c k',
    ]);
    expect(told).toEqual([
      '1 ERR_START: no room',
      '3 ERR_DUPLICATE_ID: s3 is taken',
      '4 ERR_SYNTAX: get takes 2 words, not 1: get CLIENT KEY',
      '5 ERR_CONN: nobody there',
    ]);
    expect(printed).toEqual(['k:ERR_KEY']);
    expect(status).toBe(1);
  });

  it('counts ERR_CONN of a get as a failure, and other answers not', async () => {
    const cluster = new RecordingCluster();
    cluster.values.set('far', { kind: 'ERR_CONN' });
    cluster.values.set('old', { kind: 'ERR_DEP' });
    expect(await run(cluster, ['get c old', 'get c none'])).toMatchObject({ status: 0 });
    expect(await run(cluster, ['get c far'])).toMatchObject({ status: 1, told: [], printed: ['far:ERR_CONN'] });
  });

  it.each([
    ['Put c k v', 'there is no command "Put"; did you mean "put"?'],
    ['joinserver s', 'there is no command "joinserver"; did you mean "joinServer"?'],
    ['brakeConection a b', 'there is no command "brakeConection"; did you mean "breakConnection"?'],
    ['help', 'there is no command "help"; the nearest is "get"'],
    ['constructor', 'there is no command "constructor"; the nearest is "joinServer"'],
    ['"" c', 'there is no command ""; the nearest is "at"'],
  ])('names the nearest to a command it does not know: %s', async (line, message) => {
    expect(await run(new RecordingCluster(), [line])).toMatchObject({
      status: 2,
      told: [`1 ERR_UNKNOWN_COMMAND: ${message}`],
    });
  });

  it('ends with the worst status, whatever came last', async () => {
    expect(await run(new RecordingCluster(), ['get c', 'nonsense', 'get c', 'get c k'])).toMatchObject({ status: 2 });
  });

  it.each([
    ['get c a key', 'get takes 2 words, not 3: get CLIENT KEY (quote a word that holds spaces: "a b")'],
    ['put c k', 'put takes 3 words, not 2: put CLIENT KEY VALUE ("" is the empty value)'],
    ['put c', 'put takes 3 words, not 1: put CLIENT KEY VALUE'],
    ['stabilize now', 'stabilize takes no words, not 1: stabilize'],
    ['pause', 'pause takes 1 word, not 0: pause SERVER'],
    ['breakConnection a', 'breakConnection takes 2 words, not 1: breakConnection ID1 ID2'],
    ['sleep 1s', 'sleep takes a whole number of milliseconds up to 2147483647, not "1s"'],
    ['sleep 2147483648', 'sleep takes a whole number of milliseconds up to 2147483647, not "2147483648"'],
  ])('says what a command takes: %s', async (line, message) => {
    expect((await run(new RecordingCluster(), [line])).told).toEqual([`1 ERR_SYNTAX: ${message}`]);
  });

  it('reads nothing after done', async () => {
    const { events, status } = await run(
      new RecordingCluster(),
      ['get c a', 'done', 'get c b', 'nonsense'],
      ['get c c'],
    );
    expect(events).toEqual(['get c a']);
    expect(status).toBe(0);
  });

  it('plans simulations, and checks one after the other', async () => {
    const cluster = new RecordingCluster();
    const { status, printed, told } = await run(cluster, [
      'simulate seed 7 replica 1 client c none',
      'at 10 put c k a value # kept',
      'check',
      'simulate replica 2',
      'at 10 put c k v',
      'at 20',
      'check',
      'simulate replica 2',
      'check',
    ]);
    expect(told).toEqual([
      '6 ERR_SYNTAX: at takes at least 2 words, not 1: at MS ACTION ...',
      '7 ERR_UNKNOWN_ID: at 10 put: the simulation has nobody called c',
    ]);
    expect(status).toBe(1);
    expect(printed).toHaveLength(2);
    expect(cluster.plans).toMatchObject([
      { seed: 7, replicas: ['1'], actions: [{ at: 10, action: { kind: 'put', key: 'k', value: 'a value # kept' } }] },
      { seed: 1, replicas: ['2'], actions: [] },
    ]);
  });

  it('runs an empty script', async () => {
    expect(await run(new RecordingCluster())).toMatchObject({ status: 0, printed: [], told: [] });
  });

  it('does not go on after a mistake of our own', async () => {
    const cluster = new RecordingCluster();
    cluster.stabilize = () => Promise.reject(new TypeError('x is not a function'));
    await expect(run(cluster, ['stabilize', 'get c k'])).rejects.toThrow(TypeError);
    expect(cluster.events).toEqual([]);
  });
});
