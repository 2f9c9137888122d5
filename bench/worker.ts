import { fork } from 'node:child_process';
import { minded } from './scratch.js';

/* Work that gets a process of its own, so that no heap, thread or warm code of another measurement tells on it. */

export interface Worker<Ask, Answer> {
  ask(question: Ask): Promise<Answer>;
  end(): void;
}

/** `file` calls `serveWorker` when it is run. */
export function startWorker<Ask, Answer>(file: string, flags: readonly string[] = []): Worker<Ask, Answer> {
  const child = minded(fork(file, [], { execArgv: [...flags], serialization: 'advanced' }));
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        const ended = (): void => reject(new Error(`${file} ended`));
        child.once('exit', ended);
        child.once('message', (answer) => {
          child.off('exit', ended);
          resolve(answer as Answer);
        });
        child.send(question as object);
      }),
    end: () => child.kill('SIGKILL'),
  };
}

/** Answers one question after another until the parent is gone. */
export function serveWorker<Ask, Answer>(answer: (question: Ask) => Promise<Answer>): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (question) => {
    void answer(question as Ask).then((said) => process.send?.(said));
  });
}
