/** Seeded random numbers: the same seed gives the same sequence on every machine. */
export interface Random {
  /** A whole number in [0, limit). */
  below(limit: number): number;
}

/** splitmix32: small, fast, and good enough to draw schedules from; not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return { below: (limit) => Math.floor((next() / 0x1_0000_0000) * limit) };
}
