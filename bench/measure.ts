import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';

/** One row of a result: a figure, what it stands beside, and their ratio. */
export interface Row {
  readonly measure: string;
  readonly barista: string;
  readonly beside: string;
  readonly ratio: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export async function seconds(work: () => Promise<void>): Promise<number> {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Prints the rows, and keeps them with the date and the machine in bench/results/. */
export function report(name: string, rows: readonly Row[]): void {
  const head: Row = { measure: 'measure', barista: 'barista', beside: 'beside', ratio: 'ratio' };
  const width = (column: keyof Row): number => Math.max(...[head, ...rows].map((row) => row[column].length));
  for (const row of [head, ...rows]) {
    const { measure, barista, beside, ratio } = row;
    const cells = [
      measure.padEnd(width('measure')),
      barista.padStart(width('barista')),
      beside.padStart(width('beside')),
      ratio.padStart(width('ratio')),
    ];
    console.log(cells.join('  '));
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, ${type()} ${release()}, Node ${process.version}`;
  const folder = fileURLToPath(new URL('../../bench/results/', import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}${name}.json`,
    `${JSON.stringify({ date: new Date().toISOString(), machine, rows }, null, 2)}\n`,
  );
}
