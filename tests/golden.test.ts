import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, test } from 'vitest';

/*
 * Every script of tests/scripts/ and examples/, in both worlds: what it prints is in the .out file beside it; lines and
 * codes of what it says on standard error are in the .err file, if it says anything. `npm run golden` writes them anew,
 * to be reviewed as a diff. A script's first comments may give `# options: --tie-break lower`, where {tmp} is a folder of
 * its own, and `# exit: 1`.
 */

const CLI = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const FOLDERS = ['scripts', '../examples'].map((folder) => fileURLToPath(new URL(folder, import.meta.url)));

for (const folder of FOLDERS) {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
    describe.concurrent(`${folder.split('/').at(-1)}/${file}`, () => {
      const path = `${folder}/${file}`;
      const text = readFileSync(path, 'utf8');
      const options = /^# options: (.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [];
      const exit = Number(/^# exit: (\d)$/m.exec(text)?.[1] ?? 0);
      const expected = (ending: string): string => path.replace(/\.txt$/, ending);

      for (const world of ['simulated', 'processes']) {
        test.concurrent(`in the ${world} world`, async ({ expect, onTestFinished }) => {
          const tmp = mkdtempSync(join(tmpdir(), 'barista-golden-'));
          onTestFinished(() => rmSync(tmp, { recursive: true, force: true }));
          const given = options.map((option) => option.replace('{tmp}', tmp));
          const { stdout, stderr, exitCode } = await execa(
            process.execPath,
            [CLI, 'master', '--world', world, ...given, file],
            { cwd: folder, reject: false, stripFinalNewline: false },
          );
          await expect(stdout).toMatchFileSnapshot(expected('.out'));
          const problems = [...stderr.matchAll(/^\S+\.txt:(\d+: ERR_\w+):/gm)]
            .map(([, problem]) => `${problem}\n`)
            .join('');
          if (problems !== '' || existsSync(expected('.err')))
            await expect(problems).toMatchFileSnapshot(expected('.err'));
          else expect(stderr).toBe('');
          expect(exitCode).toBe(exit);
        });
      }
    });
  }
}
