import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { BaristaError } from '../base/errors.js';
import type { ServerOptions } from '../server/start.js';
import { addCheckCommand, type CheckRequest } from './check-command.js';
import { addClientCommands } from './client-commands.js';
import type { ClientRequest } from './client-request.js';
import { describeFailure } from './failure.js';
import { addMasterCommand } from './master-command.js';
import type { MasterRequest } from './master-request.js';
import { addRepairCommand, type RepairRequest } from './repair-command.js';
import { addServerCommand } from './server-command.js';
import { addSimCommand } from './sim-command.js';
import type { SimRequest } from './sim-request.js';

/** What the subcommands do. Each loads what it needs when it is called: a replica must start fast. */
export interface Actions {
  master(request: MasterRequest): Promise<void>;
  server(options: ServerOptions): Promise<void>;
  /** The exit status. */
  repair(request: RepairRequest): Promise<number>;
  /** The exit status. */
  sim(request: SimRequest): Promise<number>;
  /** The exit status. */
  check(request: CheckRequest): Promise<number>;
  /** The exit status. */
  client(request: ClientRequest): Promise<number>;
}

/** Where help goes, and what is wrong. */
export interface Screen {
  out(text: string): void;
  error(text: string): void;
}

/** Reads the words of the command line and does what they say. The exit status; 2 for wrong words. */
export async function runProgram(words: readonly string[], actions: Actions, screen: Screen): Promise<number> {
  const program = new Command('barista')
    .description('A replicated key-value store for places where the network goes away.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => screen.out(text),
      writeErr: (text) => screen.error(text),
      // Told below, in the form all failures have.
      outputError: () => {},
    });
  const master = addMasterCommand(program, actions.master);
  addServerCommand(program, actions.server);
  let status = 0;
  addRepairCommand(program, async (request) => {
    status = await actions.repair(request);
  });
  addSimCommand(program, async (request) => {
    status = await actions.sim(request);
  });
  addCheckCommand(program, async (request) => {
    status = await actions.check(request);
  });
  addClientCommands(program, async (request) => {
    status = await actions.client(request);
  });
  if (words.includes('master')) {
    const { masterHelp } = await import('./master-help.js');
    master.addHelpText('after', masterHelp);
  }
  try {
    await program.parseAsync(words, { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0;
      // Help instead of an answer has been printed already.
      if (thrown.code !== 'commander.help') screen.error(describeFailure('barista: ', wrongWords(thrown)));
      return 2;
    }
    if (!(thrown instanceof BaristaError)) throw thrown;
    screen.error(describeFailure('barista: ', thrown));
    return thrown.code === 'ERR_OPTION' ? 2 : 1;
  }
}

function wrongWords(thrown: CommanderError): BaristaError {
  const message = thrown.message.replace(/^error: /, '').replace(/\n\(Did you mean (.+)\?\)$/s, '; did you mean $1?');
  return new BaristaError('ERR_OPTION', message, { cause: thrown });
}

/** The version of the package this file is in, from its sources or built. */
function version(): string {
  for (const up of ['../../', '../../../']) {
    try {
      const text = readFileSync(new URL(`${up}package.json`, import.meta.url), 'utf8');
      const manifest: unknown = JSON.parse(text);
      if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) return String(manifest.version);
    } catch {
      // Not there; perhaps a folder further up.
    }
  }
  return 'unknown';
}
