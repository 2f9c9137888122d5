/**
 * Merges ascending sequences into one, each item once: where several have an item of the same rank, the first sequence
 * that has it wins.
 */
export function* mergeByRank<T>(
  sequences: readonly Iterator<T>[],
  compare: (a: T, b: T) => number,
): Generator<T, undefined> {
  const heads = sequences.map((sequence) => sequence.next());
  for (;;) {
    let least = -1;
    for (const [i, head] of heads.entries()) {
      if (head.done === true) continue;
      const best = heads[least];
      if (best === undefined || best.done === true || compare(head.value, best.value) < 0) least = i;
    }
    const winner = heads[least];
    if (winner === undefined || winner.done === true) return undefined;
    for (const [i, head] of heads.entries()) {
      if (i === least || head.done === true || compare(head.value, winner.value) !== 0) continue;
      heads[i] = (sequences[i] as Iterator<T>).next();
    }
    yield winner.value;
    heads[least] = (sequences[least] as Iterator<T>).next();
  }
}
