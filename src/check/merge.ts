/** What a merge carries: texts. */
export interface CarriedMerge {
  /** `name@version`. */
  readonly procedure: string;
  readonly value: string;
  /** Null: that the key is absent; undefined: nothing in particular. */
  readonly expects: string | null | undefined;
}

/** What the merge procedure of that name makes of a call; undefined if it leaves the key as it is. */
export type MergeText = (call: {
  readonly value: string;
  readonly expected: string | undefined;
  readonly current: string | undefined;
}) => string | undefined;

/** The merge procedures that a check may ask, by `name@version`; undefined for one that is not known. */
export type Merges = (procedure: string) => MergeText | undefined;

/** The value of a merge in a history; null if it is none. */
export function carriedByMerge(text: string): CarriedMerge | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { procedure, value: carried, expects, ...rest } = value as Record<string, unknown>;
  if (typeof procedure !== 'string' || typeof carried !== 'string' || Object.keys(rest).length > 0) return null;
  if (expects !== undefined && expects !== null && typeof expects !== 'string') return null;
  return { procedure, value: carried, expects };
}
