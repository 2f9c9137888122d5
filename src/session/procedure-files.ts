import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BaristaError, messageOf } from '../base/errors.js';
import { type AnyProcedure, nameOfProcedure } from './procedures.js';

/**
 * The merge procedures that modules export as their default: one, or a list of them. Rejects with ERR_OPTION if a file cannot be
 * loaded, or exports something else. `copy`: of another number, modules that share nothing with those of this one.
 */
export async function loadProcedures(paths: readonly string[], copy = 0): Promise<readonly AnyProcedure[]> {
  const loaded = await Promise.all(paths.map((path) => load(path, copy)));
  return loaded.flat();
}

async function load(path: string, copy: number): Promise<readonly AnyProcedure[]> {
  let module: { readonly default?: unknown };
  try {
    const { href } = pathToFileURL(resolve(path));
    module = await import(copy === 0 ? href : `${href}?copy=${copy}`);
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null;
    const hint =
      code === 'ERR_UNKNOWN_FILE_EXTENSION'
        ? `; this Node.js (${process.version}) reads no TypeScript: name the compiled file, or use 22.18 or later`
        : '';
    throw new BaristaError(
      'ERR_OPTION',
      `the merge procedures of ${path} cannot be loaded: ${messageOf(thrown)}${hint}`,
      {
        cause: thrown,
      },
    );
  }
  const exported = Array.isArray(module.default) ? module.default : [module.default];
  for (const procedure of exported) {
    try {
      nameOfProcedure(procedure);
    } catch (thrown) {
      throw new BaristaError('ERR_OPTION', `the default export of ${path}: ${messageOf(thrown)}`, { cause: thrown });
    }
  }
  return exported;
}
