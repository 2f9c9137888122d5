/**
 * The first items of a longer sequence: at most `itemsMax`, and no more after `bytesMax`; at least one if there is one. What
 * `goesWith` the item before it is on the same page.
 */
export function takePage<T>(
  items: Iterable<T>,
  itemsMax: number,
  bytesMax: number,
  bytesOf: (item: T) => number,
  goesWith: (item: T, before: T) => boolean = () => false,
): { readonly items: readonly T[]; readonly more: boolean } {
  const page: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const last = page.at(-1);
    const isFull = page.length >= itemsMax || bytes >= bytesMax;
    if (last !== undefined && isFull && !goesWith(item, last)) return { items: page, more: true };
    page.push(item);
    bytes += bytesOf(item);
  }
  return { items: page, more: false };
}
