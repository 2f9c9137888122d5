import { triedProcedures } from '../../master/tried-procedures.js';
import { BaristaError } from '../base/errors.js';
import { textOf } from '../base/text.js';
import type { Procedures } from '../machine/procedures.js';
import { type AnyProcedure, nameOfProcedure } from '../session/procedures.js';
import { encodeValue, utf8 } from '../session/value-codec.js';
import type { MergeSamples } from '../sim/merging.js';

/** The merge procedures of a simulated world, and what its clients write with those of the files. */
export interface Merging {
  readonly procedures: Procedures;
  /** None without files. */
  readonly samples: readonly MergeSamples[];
}

/** Loads the procedures; ERR_OPTION if a file has none, or gives no samples of what to write with one. */
export async function mergingOf(files: readonly string[]): Promise<Merging> {
  const { procedures, loaded } = await triedProcedures(files);
  return { procedures, samples: loaded.map(samplesOf) };
}

function samplesOf(procedure: AnyProcedure): MergeSamples {
  const name = nameOfProcedure(procedure);
  const values = (procedure.samples ?? []).map((sample) => textOf(encodeValue(procedure.codec ?? utf8, sample)));
  const texts = values.filter((value) => value !== null);
  if (texts.length > 0 && texts.length === values.length) return { procedure: name, values: texts };
  throw new BaristaError('ERR_OPTION', `${name} has no "samples", texts or JSON that clients of the simulation write`);
}
