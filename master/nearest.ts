import { distance } from 'fastest-levenshtein';

// Nobody mistypes a longer word, and the distance costs the product of the lengths.
const WORD_LENGTH_MAX = 40;

/** `; did you mean "x"?` with the choice nearest to `word`, whatever its case; `; the nearest is "x"` if none is near. */
export function didYouMean(word: string, choices: readonly string[]): string {
  const lower = word.slice(0, WORD_LENGTH_MAX).toLowerCase();
  let best = '';
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const choice of choices) {
    const other = choice.toLowerCase();
    // Whoever stopped typing is nearer than whoever mistyped.
    const far = lower !== '' && other.startsWith(lower) ? 1 : distance(lower, other);
    if (far >= bestDistance) continue;
    best = choice;
    bestDistance = far;
  }
  const isNear = bestDistance <= Math.ceil(best.length / 3);
  return isNear ? `; did you mean ${JSON.stringify(best)}?` : `; the nearest is ${JSON.stringify(best)}`;
}
