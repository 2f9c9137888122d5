import { open } from 'node:fs/promises';
import { printable } from '../../master/format.js';
import { openCluster } from '../../master/open-cluster.js';
import { Runner, runScript } from '../../master/runner.js';
import { BaristaError, messageOf, toBaristaError } from '../base/errors.js';
import { Departure } from './departure.js';
import { describeFailure, PIPE_CLOSED_STATUS } from './failure.js';
import type { MasterRequest, ScriptOrigin } from './master-request.js';
import { ResultStream } from './result-stream.js';
import { ScriptBytes } from './script-bytes.js';

/** Runs a script or a prompt against a cluster of its own, and ends the process. */
export async function runMaster(request: MasterRequest): Promise<void> {
  // Before anything starts, since a script that cannot be read is refused like a wrong option.
  const chunks = request.script.kind === 'file' ? await openScript(request.script.path) : process.stdin;

  const output = new ResultStream(process.stdout);
  const tell = (text: string): void => {
    if (departure.begun) return;
    // In a terminal both streams meet: what came before stands before.
    output.flush();
    process.stderr.write(text);
  };
  const opening = openCluster(request.world, request.cluster, {
    report: (error) => tell(describeFailure('barista: ', error)),
    warn: (message) => tell(`barista: ${message}\n`),
  });
  const departure: Departure = new Departure(async () => {
    await Promise.allSettled([output.end(), opening.then((cluster) => cluster.close())]);
  });
  departure.onSignals();
  departure.onUncaught((thrown) => tell(describeCrash(thrown)));
  process.stdout.on('error', () => void departure.leave(PIPE_CLOSED_STATUS));
  // Nobody reads the diagnostics; the results may still matter.
  process.stderr.on('error', () => {});

  try {
    const cluster = await opening;
    if (request.script.kind === 'terminal' && process.stdin.isTTY) {
      await prompt(cluster, output, tell);
      await departure.leave(0);
    } else {
      const report = (line: number, error: BaristaError): void =>
        tell(describeFailure(`${placeOf(request.script, line)}: `, error));
      const status = await runScript(new ScriptBytes(readable(chunks)), new Runner(cluster, output, report), output);
      await departure.leave(status);
    }
  } catch (thrown) {
    const expected = thrown instanceof BaristaError;
    tell(expected ? describeFailure('barista: ', thrown) : describeCrash(thrown));
    await departure.leave(expected && thrown.code === 'ERR_OPTION' ? 2 : 1);
  }
}

async function prompt(
  cluster: Awaited<ReturnType<typeof openCluster>>,
  output: ResultStream,
  tell: (text: string) => void,
): Promise<void> {
  const [{ runPrompt }, { History, historyFile }] = await Promise.all([
    import('../../master/prompt.js'),
    import('./history.js'),
  ]);
  const history = new History(historyFile(process.env));
  // Results may go to a file while somebody types.
  const screen = process.stdout.isTTY ? process.stdout : process.stderr;
  await runPrompt({
    cluster,
    input: process.stdin,
    screen,
    terminal: screen.isTTY,
    output,
    report: (error) => tell(describeFailure('', error)),
    history: history.lines,
    remember: (line) => history.add(line),
  });
}

async function openScript(path: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const file = await open(path);
    if ((await file.stat()).isDirectory()) throw new Error('it is a directory');
    return file.createReadStream();
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
}

/** The chunks, with a failure to read them as an error of ours. */
async function* readable(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (thrown) {
    throw unreadable('the rest of it', thrown);
  }
}

function unreadable(what: string, thrown: unknown): BaristaError {
  const reason = messageOf(thrown);
  return new BaristaError('ERR_OPTION', `the script cannot be read: ${what}: ${reason}`, { cause: thrown });
}

function placeOf(script: ScriptOrigin, line: number): string {
  return script.kind === 'file' ? `${printable(script.path)}:${line}` : `line ${line}`;
}

function describeCrash(thrown: unknown): string {
  const stack = thrown instanceof Error ? `${thrown.stack ?? ''}\n` : '';
  return describeFailure('barista: ', toBaristaError(thrown)) + stack;
}
