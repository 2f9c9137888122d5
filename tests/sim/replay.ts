import { runSimulated } from '../property/run-simulated.js';

/** What `check` prints of a script, in the simulated world of the master. */
export async function replay(script: string): Promise<{ readonly ok: boolean; readonly output: readonly string[] }> {
  const { output, problems } = await runSimulated(script.split('\n'));
  if (problems.length > 0) throw new Error(`the script cannot be run: ${problems.join(', ')}`);
  return { ok: output.length > 0 && output.every((line) => line.startsWith('ok ')), output };
}
