import { type Command, Option } from 'commander';
import type { ServerOptions } from '../server/start.js';
import {
  durationOrOff,
  id,
  incarnation,
  oneOf,
  type Peer,
  peer,
  portOrAny,
  proceduresOption,
  retryWindowOption,
} from './option-values.js';

interface Options {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly cluster: string;
  readonly incarnation?: number;
  readonly peer: readonly Peer[];
  readonly tieBreak: ServerOptions['tieBreak'];
  readonly clock: ServerOptions['clock'];
  readonly retryWindow: number;
  readonly newIncarnation?: true;
  readonly maxDrift: number | 'off';
  readonly antiEntropy: number | 'off';
  readonly dataDir?: string;
  readonly procedures: readonly string[];
  readonly lifeline?: true;
  readonly runId?: string;
}

export function addServerCommand(program: Command, run: (options: ServerOptions) => Promise<void>): Command {
  return (
    program
      .command('server')
      .summary('run one replica')
      .description('Runs one replica, until a signal ends it.')
      .requiredOption('--id <id>', "the replica's name, its own in the cluster", id)
      .option('--host <host>', 'the address to listen on', '127.0.0.1')
      .option('--port <port>', 'the port to listen on; 0: one that the system picks', portOrAny, 0)
      .option('--cluster <name>', 'replicas exchange writes only within one cluster', id, 'default')
      .option(
        '--incarnation <number>',
        'names this life of the storage (default: from the time of the start)',
        incarnation,
      )
      .addOption(
        new Option('--peer <ID=HOST:PORT>', 'a replica to exchange writes with; may be repeated')
          .argParser(peer)
          .default([], 'none'),
      )
      .addOption(
        new Option(
          '--tie-break <side>',
          'on equal accept times, which replica id stands later and wins: higher or lower',
        )
          .argParser(oneOf(['higher', 'lower']))
          .default('higher'),
      )
      .addOption(
        new Option('--clock <clock>', 'what accept times are: "logical" counts, "hybrid" follows the wall clock')
          .argParser(oneOf(['logical', 'hybrid']))
          .default('hybrid'),
      )
      .addOption(
        new Option(
          '--anti-entropy <duration>',
          'how often to ask the peers for writes, beside what they tell of at once; "off": only when told to',
        )
          .argParser(durationOrOff)
          .default(1000, '1s'),
      )
      .addOption(
        new Option(
          '--max-drift <duration>',
          'with the hybrid clock, how far ahead of the wall clock a write may be stamped; the rest waits; "off": any',
        )
          .argParser(durationOrOff)
          .default(60_000, '1m'),
      )
      .addOption(retryWindowOption())
      .option('--data-dir <dir>', 'where to keep its data; without it a replica that ends forgets')
      .addOption(proceduresOption())
      .addOption(
        new Option(
          '--new-incarnation',
          'open its data under a new incarnation: for a copy, or an older state of it, whose stamps must not come again',
        ).conflicts('incarnation'),
      )
      // For who starts replicas as children: they end with it, and can be told from those of another run.
      .addOption(new Option('--lifeline', 'end when standard input ends').hideHelp())
      .addOption(new Option('--run-id <id>', 'the run this replica belongs to').argParser(id).hideHelp())
      .action(async (options: Options) => {
        await run({
          id: options.id,
          host: options.host,
          port: options.port,
          cluster: options.cluster,
          incarnation: options.incarnation ?? null,
          newIncarnation: options.newIncarnation === true,
          peers: options.peer,
          tieBreak: options.tieBreak,
          clock: options.clock,
          retryWindowMs: options.retryWindow,
          maxDriftMs: options.maxDrift === 'off' ? null : options.maxDrift,
          antiEntropyMs: options.antiEntropy === 'off' ? null : options.antiEntropy,
          dataDir: options.dataDir ?? null,
          procedureFiles: options.procedures,
          lifeline: options.lifeline === true,
          runId: options.runId ?? null,
        });
      })
  );
}
