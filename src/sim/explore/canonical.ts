import { VersionVector } from '../../bayou/version-vector.js';

/** A message or any other plain value as a text: equal texts, equal values. Vectors are sorted, since their order means nothing. */
export function canonical(value: unknown): string {
  if (value instanceof VersionVector) return `<${value}>`;
  if (value instanceof Uint8Array || Array.isArray(value)) return `[${Array.from(value, canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const fields = Object.entries(value).map(([name, field]) => `${name}:${canonical(field)}`);
  return `{${fields.sort().join()}}`;
}
