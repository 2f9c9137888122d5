import { type Command, Option } from 'commander';
import type { Address } from '../base/address.js';
import { BaristaError } from '../base/errors.js';
import type { ClientRequest, ClientTask } from './client-request.js';
import { addresses, count, duration } from './option-values.js';

interface Options {
  readonly at?: readonly Address[];
  readonly timeout: number;
  readonly replicated?: number;
  readonly stable?: boolean;
  readonly patience?: number;
}

export type Run = (request: ClientRequest) => Promise<void>;

/** Whom a command speaks to: the first of several replicas that can serve it, the nearest of them, each, or the only one. */
type Audience = 'first' | 'nearest' | 'each' | 'one';

const AT_HELP: Readonly<Record<Audience, string>> = {
  first: 'a replica; may be repeated, they are tried in that order',
  nearest: 'a replica; may be repeated, the nearest that answers is asked',
  each: 'a replica; may be repeated',
  one: 'the replica',
};

export const SILENT_HELP = `
Exit status:
  0  done
  1  a replica cannot be reached, or refuses
  2  a wrong option

Environment:
  BARISTA_AT  where to go without --at; several addresses have commas between
`;

export const PRINTING_HELP = `
Exit status:
  0    done
  1    a replica cannot be reached, or refuses
  2    a wrong option
  141  nobody reads the results

Environment:
  BARISTA_AT  where to go without --at; several addresses have commas between
`;

export function addCommand(
  program: Command,
  name: ClientTask['kind'],
  audience: Audience,
  timeout: readonly [ms: number, words: string] = [2000, '2s'],
): Command {
  return program
    .command(name)
    .helpGroup('Commands that speak to running replicas:')
    .addOption(
      new Option('--at <HOST:PORT>', AT_HELP[audience])
        .env('BARISTA_AT')
        .argParser<readonly Address[]>((text, before) => addresses(text, before)),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for an answer of one replica')
        .argParser(duration)
        .default(...timeout),
    );
}

/** A command that writes; with how far the write is to have come before it ends. */
export function addWriteCommand(program: Command, name: ClientTask['kind'], audience: Audience = 'first'): Command {
  return addCommand(program, name, audience)
    .addOption(
      new Option('--replicated <n>', 'wait until so many replicas are known to hold the write on disk').argParser(
        count(1_000_000),
      ),
    )
    .option('--stable', 'wait until every member of the cluster is known to hold the write')
    .addOption(
      new Option('--patience <duration>', 'how long to wait for that').argParser(duration).default(60_000, '1m'),
    );
}

/** `taskOf` is given the command's words, as their parsers left them, and its options. */
export function onAction<Words extends readonly unknown[] = readonly string[]>(
  command: Command,
  audience: Audience,
  run: Run,
  taskOf: (words: Words, options: Readonly<Record<string, unknown>>) => ClientTask,
): void {
  command.action(async () => {
    const { at = [], timeout: timeoutMs, replicated = 0, stable = false, patience = 0 } = command.opts<Options>();
    if (at.length === 0) {
      throw new BaristaError('ERR_OPTION', 'which replica? Say --at HOST:PORT, or set BARISTA_AT');
    }
    if (audience === 'one' && at.length > 1) {
      const message = `${command.name()} speaks to one replica, and was given ${at.length}; choose with --at HOST:PORT`;
      throw new BaristaError('ERR_OPTION', message);
    }
    const goal = replicated === 0 && !stable ? null : { replicas: replicated, stable, patienceMs: patience };
    await run({ at, timeoutMs, goal, task: taskOf(command.processedArgs as unknown as Words, command.opts()) });
  });
}
