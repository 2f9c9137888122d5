import { expect } from 'vitest';
import { VersionVector } from '../../src/bayou/version-vector.js';

// Vectors keep their entries private, so that to vitest any two are equal.
expect.addEqualityTesters([
  (a: unknown, b: unknown): boolean | undefined => {
    if (a instanceof VersionVector && b instanceof VersionVector) return a.equals(b);
    return a instanceof VersionVector || b instanceof VersionVector ? false : undefined;
  },
]);
