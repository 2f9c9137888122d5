const HASHED_CHARACTERS = 32;

/** Of so many of its characters, at even distances. */
export function hashOf(key: string): number {
  const { length } = key;
  const step = Math.ceil(length / HASHED_CHARACTERS);
  let hash = length;
  // From the end, where keys differ more than at the beginning.
  for (let at = length - 1; at >= 0; at -= step) hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  return hash;
}
