/** The first items of a longer sequence: at most `itemsMax`, and no more after `bytesMax`; at least one if there is one. */
export function takePage<T>(
  items: Iterable<T>,
  itemsMax: number,
  bytesMax: number,
  bytesOf: (item: T) => number,
): { readonly items: readonly T[]; readonly more: boolean } {
  const page: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (page.length > 0 && (page.length >= itemsMax || bytes >= bytesMax)) return { items: page, more: true };
    page.push(item);
    bytes += bytesOf(item);
  }
  return { items: page, more: false };
}
