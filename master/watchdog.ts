import { execa } from 'execa';

/**
 * The watchdog is a shell of about a megabyte that starts in milliseconds and waits on a pipe from the master. It is
 * told which processes are replicas (`+PID`, `-PID`). However the master ends, the pipe ends with it; then the watchdog
 * kills the replicas still listed, after a look at each one's command line (a pid may have been given to another
 * program since), removes the run's record and exits.
 *
 * A line that the master did not finish is not acted on. Slim systems have no `ps`, macOS has no /proc.
 */
const SCRIPT = `
trap '' HUP INT TERM QUIT
run=$1 record=$2 pids=' '
while read -r line; do
  pid=\${line#?}
  case $pids in *" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;; esac
  case $line in +*) pids="$pids$pid " ;; esac
done
for pid in $pids; do
  if [ -r /proc/self/cmdline ]; then args=$(tr '\\0' ' ' <"/proc/$pid/cmdline"); else args=$(ps -ww -o args= -p "$pid"); fi
  case "$args " in *" --lifeline --run-id $run "*) kill -9 "$pid" ;; esac
done
if [ -n "$record" ]; then rm -f -- "$record"; fi
`;

/**
 * Sees to it that no replica outlives the master. A running replica ends by its lifeline; one that is paused or hangs
 * cannot notice that the master is gone, and this is who ends it.
 */
export class Watchdog {
  readonly #runId: string;
  readonly #recordPath: string | null;
  readonly #pids = new Set<number>();
  #shell: Shell;

  /** Starts it. */
  constructor(runId: string, recordPath: string | null) {
    this.#runId = runId;
    this.#recordPath = recordPath;
    this.#shell = startShell(runId, recordPath);
  }

  /**
   * Done when the watchdog is sure to kill this process if the master ends. Idempotent. A watchdog that somebody killed
   * is replaced, and told everything.
   */
  async watch(pid: number): Promise<void> {
    this.#pids.add(pid);
    const shell = this.#shell;
    if ((await tell(shell, [`+${pid}`])) || this.#shell !== shell) return;
    this.#shell = startShell(this.#runId, this.#recordPath);
    await tell(
      this.#shell,
      [...this.#pids].map((each) => `+${each}`),
    );
  }

  forget(pid: number): void {
    this.#pids.delete(pid);
    void tell(this.#shell, [`-${pid}`]);
  }

  /** Ends the watchdog, which kills what it still watches. Done when it is gone. */
  async close(): Promise<void> {
    this.#shell.ref();
    this.#shell.stdin.end();
    await this.#shell;
  }
}

type Shell = ReturnType<typeof startShell>;

/** False if the watchdog is gone. */
function tell(shell: Shell, lines: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    shell.stdin.write(lines.map((line) => `${line}\n`).join(''), (error) => resolve(!error));
  });
}

/** In a session of its own, so that no signal from the terminal reaches it. */
function startShell(runId: string, recordPath: string | null) {
  const shell = execa('/bin/sh', ['-c', SCRIPT, 'barista-watchdog', runId, recordPath ?? ''], {
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
    cwd: '/',
    detached: true,
    cleanup: false,
    reject: false,
  });
  // Whoever writes to a watchdog that is gone learns it from the write.
  shell.stdin.on('error', () => {});
  // The replicas keep the master running, not the one who watches them.
  shell.unref();
  return shell;
}
