import { SILENT_LOG } from '../src/base/log.js';
import { loadProcedures } from '../src/session/procedure-files.js';
import { type AnyProcedure, mergeOf, nameOfProcedure, ProgramProcedures } from '../src/session/procedures.js';
import { TriedProcedures } from '../src/sim/merging.js';

/** The ready merge procedures and those of the files, for a world that finds out whether they are what they must be. */
export async function triedProcedures(
  files: readonly string[],
): Promise<{ readonly procedures: TriedProcedures; readonly loaded: readonly AnyProcedure[] }> {
  const procedures = new TriedProcedures();
  const registry = new ProgramProcedures(procedures, SILENT_LOG);
  const [loaded, copies] = await Promise.all([loadProcedures(files), loadProcedures(files, 1)]);
  for (const procedure of loaded) registry.register(procedure);
  for (const copy of copies)
    procedures.addCopy(
      nameOfProcedure(copy),
      mergeOf(copy, () => undefined),
    );
  return { procedures, loaded };
}
