#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

// npm run fuzz -- --frames 10000000 --seed 7: mutated frames against the codec, the core and a real replica;
// --frame HEX: one that was found, again.

const { values } = parseArgs({
  options: { frames: { type: 'string', default: '1000000' }, seed: { type: 'string' }, frame: { type: 'string' } },
});
const wholeNumber = (name, text) => {
  if (/^\d+$/.test(text)) return text;
  console.error(`--${name} takes a whole number, not ${text}`);
  process.exit(2);
};
const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000_000));
const frames = wholeNumber('frames', values.frames);
console.log(values.frame === undefined ? `${frames} frames, seed ${seed}` : 'one frame');
const env = { ...process.env, BARISTA_FUZZ_FRAMES: frames, BARISTA_FUZZ_SEED: seed };
if (values.frame !== undefined) env.BARISTA_FUZZ_FRAME = values.frame;
const root = fileURLToPath(new URL('..', import.meta.url));
const run = spawnSync('npx', ['vitest', 'run', 'tests/hostile/fuzz.test.ts'], { cwd: root, env, stdio: 'inherit' });
process.exit(run.status ?? 1);
