import { type Command, Option } from 'commander';
import type { WorldName } from '../../master/open-cluster.js';
import { DEFAULT_GUARANTEES, GUARANTEES, type Guarantee } from '../bayou/session.js';
import type { MasterRequest, ScriptOrigin } from './master-request.js';
import { duration, durationOrOff, listOf, oneOf, port, proceduresOption, retryWindowOption } from './option-values.js';

interface Options {
  readonly world: WorldName;
  readonly tieBreak: 'higher' | 'lower';
  readonly clock: 'logical' | 'hybrid';
  readonly retryWindow: number;
  readonly maxDrift: number | 'off';
  readonly antiEntropy: number | 'off';
  readonly guarantees: readonly Guarantee[];
  readonly basePort?: number;
  readonly dataDir?: string;
  readonly procedures: readonly string[];
  readonly timeout: number;
}

export function addMasterCommand(program: Command, run: (request: MasterRequest) => Promise<void>): Command {
  return program
    .command('master')
    .summary('run a script of commands against a cluster, or a prompt')
    .description(
      'Runs the commands of a script, one a line, against a cluster that it starts and ends, and prints what clients see.\n' +
        'Without SCRIPT it reads standard input; in a terminal it prompts.',
    )
    .argument('[SCRIPT]', 'the script\'s file; "-" is standard input')
    .addOption(
      new Option('--world <world>', '"processes": each replica is a process; "simulated": all in one, on virtual time')
        .argParser(oneOf(['processes', 'simulated']))
        .default('processes' satisfies WorldName),
    )
    .addOption(
      new Option('--tie-break <side>', 'on equal accept times, which replica id stands later and wins: higher or lower')
        .argParser(oneOf(['higher', 'lower']))
        .default('higher'),
    )
    .addOption(
      new Option('--clock <clock>', 'what accept times are: "logical" counts, "hybrid" follows the wall clock')
        .argParser(oneOf(['logical', 'hybrid']))
        .default('logical'),
    )
    .addOption(
      new Option(
        '--anti-entropy <duration>',
        'how often replicas exchange writes, beside at once when there are new ones; "off": only when stabilize asks',
      )
        .argParser(durationOrOff)
        .default('off'),
    )
    .addOption(
      new Option(
        '--max-drift <duration>',
        'with the hybrid clock, how far ahead of its own a replica lets another be; "off": any',
      )
        .argParser(durationOrOff)
        .default(60_000, '1m'),
    )
    .addOption(retryWindowOption())
    .addOption(
      new Option(
        '--guarantees <list>',
        `what sessions ask for: ${GUARANTEES.join(', ')}, with commas between; none; all`,
      )
        .argParser(listOf(GUARANTEES))
        .default(DEFAULT_GUARANTEES, DEFAULT_GUARANTEES.join(',')),
    )
    .addOption(
      new Option('--base-port <port>', 'the first port for replicas; without it the system picks them').argParser(port),
    )
    .option(
      '--data-dir <dir>',
      'where replicas keep their data, each run in a folder of its own; without it they keep it in memory',
    )
    .addOption(proceduresOption())
    .addOption(
      new Option('--timeout <duration>', 'how long a client waits for one replica')
        .argParser(duration)
        .default(2000, '2s'),
    )
    .action(async (script: string | undefined, options: Options) => {
      await run({
        script: scriptOrigin(script),
        world: options.world,
        cluster: {
          tieBreak: options.tieBreak,
          clock: options.clock,
          retryWindowMs: options.retryWindow,
          guarantees: options.guarantees,
          maxDriftMs: options.maxDrift === 'off' ? null : options.maxDrift,
          antiEntropyMs: options.antiEntropy === 'off' ? null : options.antiEntropy,
          timeoutMs: options.timeout,
          basePort: options.basePort ?? null,
          dataDir: options.dataDir ?? null,
          procedureFiles: options.procedures,
        },
      });
    });
}

function scriptOrigin(script: string | undefined): ScriptOrigin {
  if (script === undefined) return { kind: 'terminal' };
  return script === '-' ? { kind: 'standard-input' } : { kind: 'file', path: script };
}
