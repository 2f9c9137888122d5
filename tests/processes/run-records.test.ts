import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newRunId, RunRecord } from '../../master/run-records.js';
import { useTestRun } from './test-run.js';

const current = useTestRun();

function recordsDirectory(): string {
  return join(current.directory, `barista-runs-${process.getuid?.() ?? 0}`);
}

function create(runId = newRunId()): { readonly record: RunRecord; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  return { record: RunRecord.create(runId, (message) => warnings.push(message)), warnings };
}

test('a record says which replicas were started, where they listen, and which have exited', () => {
  const runId = newRunId();
  expect(runId).toMatch(new RegExp(`^${process.pid}-[0-9a-f]{12}$`));
  const { record } = create(runId);
  record.replica(101, 0, 'a b');
  record.replica(101, 4711, 'a b');
  record.exited(101);
  expect(record.path).toBe(join(recordsDirectory(), runId));
  expect(readFileSync(join(recordsDirectory(), runId), 'utf8')).toBe(
    'replica 101 0 a b\nreplica 101 4711 a b\nexited 101\n',
  );
  record.remove();
  record.remove();
  record.exited(101);
  expect(readdirSync(recordsDirectory())).toEqual([]);
});

test('only its user can read a record, or make one', () => {
  mkdirSync(recordsDirectory(), { mode: 0o777 });
  const { record } = create();
  expect(statSync(recordsDirectory()).mode & 0o777).toBe(0o700);
  expect(statSync(record.path ?? '').mode & 0o777).toBe(0o600);
  record.remove();
});

test('a planted link is not followed: the run goes on without a record', () => {
  const elsewhere = join(current.directory, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, recordsDirectory());
  const { record, warnings } = create();
  expect(record.path).toBeNull();
  expect(warnings).toHaveLength(1);
  record.replica(1, 1, 'a');
  record.remove();
  expect(readdirSync(elsewhere)).toEqual([]);
});

test('a planted record is not written to', () => {
  const runId = newRunId();
  const target = join(current.directory, 'target');
  writeFileSync(target, 'precious');
  mkdirSync(recordsDirectory(), { mode: 0o700 });
  symlinkSync(target, join(recordsDirectory(), runId));
  const { record, warnings } = create(runId);
  expect(warnings).toHaveLength(1);
  record.replica(1, 1, 'a');
  expect(readFileSync(target, 'utf8')).toBe('precious');
});
