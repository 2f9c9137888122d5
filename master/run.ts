import { BasePorts } from './base-ports.js';
import { newRunId, RunRecord } from './run-records.js';
import { Watchdog } from './watchdog.js';

interface RunOptions {
  /** The first port to give out; null: ports the system picks. */
  readonly basePort: number | null;
  /** Told what goes wrong that does not keep the run from going on. */
  readonly warn: (message: string) => void;
}

/** What the replica processes of one master have in common: a name, a record, a watchdog, and ports. */
export class Run {
  readonly id = newRunId();
  readonly #record: RunRecord;
  readonly #watchdog: Watchdog;
  readonly #ports: BasePorts | null;

  private constructor(options: RunOptions) {
    this.#record = RunRecord.create(this.id, options.warn);
    this.#watchdog = new Watchdog(this.id, this.#record.path);
    this.#ports = options.basePort === null ? null : new BasePorts(options.basePort);
  }

  static open(options: RunOptions): Run {
    return new Run(options);
  }

  /** The port for the next replica, 0 if the system picks. Throws ERR_PORT_IN_USE if the run has used up its ports. */
  takePort(): number {
    return this.#ports?.take() ?? 0;
  }

  releasePort(port: number): void {
    this.#ports?.release(port);
  }

  /** A replica process was started; its port is 0 until it is known to listen. */
  started(pid: number, port: number, id: string): void {
    this.#record.replica(pid, port, id);
    void this.#watchdog.watch(pid);
  }

  listening(pid: number, port: number, id: string): void {
    this.#record.replica(pid, port, id);
  }

  /** Done when the watchdog is sure to end this process if the master cannot; to be awaited before it is paused. */
  secure(pid: number): Promise<void> {
    return this.#watchdog.watch(pid);
  }

  exited(pid: number): void {
    this.#watchdog.forget(pid);
    this.#record.exited(pid);
  }

  /** Ends what the run keeps beside its replicas, which have been killed before. */
  async close(): Promise<void> {
    await this.#watchdog.close();
    this.#record.remove();
  }
}
