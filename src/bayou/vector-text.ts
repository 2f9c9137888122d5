import { checkId } from '../base/checks.js';
import { BaristaError } from '../base/errors.js';
import { originOf, type ReplicaId } from '../base/ids.js';
import { VersionVector } from './version-vector.js';

const ENTRY = /^(.+)#(\d{1,16}):(\d{1,16})$/su;

const wordsOf = (text: string): string[] => text.split(/[ ,]+/u).filter((word) => word !== '');

/** True if the text says a vector, though perhaps one that cannot be. */
export function isVectorText(text: string): boolean {
  const words = wordsOf(text);
  return words.length > 0 && words.every((word) => ENTRY.test(word));
}

/**
 * The vector that a text says, as `VersionVector.toString` writes it: `id#incarnation:time`, with spaces or commas between.
 * Throws ERR_OPTION for a text that is none.
 */
export function readVector(text: string): VersionVector {
  const vector = new VersionVector();
  for (const word of wordsOf(text)) {
    const [, id = '', incarnation = '', time = ''] = ENTRY.exec(word) ?? [];
    const isWrong = checkId(id) !== null || Number(incarnation) < 1;
    if (isWrong || !Number.isSafeInteger(Number(incarnation)) || !Number.isSafeInteger(Number(time))) {
      throw new BaristaError('ERR_OPTION', `"${word}" is no ID#INCARNATION:TIME`);
    }
    vector.raise(originOf(id as ReplicaId, Number(incarnation)), Number(time));
  }
  return vector;
}
