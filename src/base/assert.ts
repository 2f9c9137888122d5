/** Guards against our own mistakes: always on, and loud. Never for bad input, which gets a coded error. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}
