/**
 * Ends this process with the one that started it. The parent holds the other end of standard input and never writes to
 * it; the kernel closes it however the parent ends, a crash and SIGKILL included. Then `onEnd` has its last, synchronous
 * words and the process exits. A replica that was started with standard input closed has no parent to live for, and
 * ends at once.
 *
 * Ctrl-C and a closed terminal signal the whole process group. Under a lifeline the parent decides what they mean, so
 * this process ignores them.
 */
export function endWithParent(onEnd: () => void): void {
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    try {
      onEnd();
    } finally {
      process.exit(0);
    }
  };
  process.on('SIGINT', ignore);
  process.on('SIGHUP', ignore);
  try {
    // A descriptor of a kind Node cannot read throws here.
    process.stdin.on('end', end).on('error', end).on('close', end).resume();
  } catch {
    end();
  }
}

function ignore(): void {}
