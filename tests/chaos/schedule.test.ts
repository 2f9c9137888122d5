import { expect, test } from 'vitest';
import { drawSchedule, type Fault, type FaultKind, type World } from './schedule.js';

const WORLD: World = {
  replicas: ['a', 'b', 'c', 'd', 'e'],
  latecomer: 'e',
  smallDisk: 'b',
  fileLimit: true,
  readOnly: true,
  links: ['a>b', 'b>a'],
  clientLinks: ['c1>a', 'c2>b'],
};

const HOUR_MS = 3_600_000;

function kindsOf(faults: readonly Fault[]): ReadonlySet<FaultKind> {
  return new Set(faults.map(({ kind }) => kind));
}

test('a seed draws the same faults each time, and another one others', () => {
  expect(drawSchedule(3, HOUR_MS, WORLD)).toEqual(drawSchedule(3, HOUR_MS, WORLD));
  expect(drawSchedule(3, HOUR_MS, WORLD)).not.toEqual(drawSchedule(4, HOUR_MS, WORLD));
});

test('every kind of fault is drawn, but for those that the system does not offer', () => {
  const all = kindsOf(drawSchedule(1, HOUR_MS, WORLD));
  expect(all.size).toBe(16);
  const poorer = { ...WORLD, smallDisk: null, fileLimit: false, readOnly: false };
  const rest = kindsOf(drawSchedule(1, HOUR_MS, poorer));
  expect([...all].filter((kind) => !rest.has(kind)).sort()).toEqual(['file-limit', 'full-disk', 'read-only']);
});

test('a process, and a link, has one fault of its own at a time, and who has not joined yet none', () => {
  const faults = drawSchedule(2, HOUR_MS, WORLD);
  const busyUntil = new Map<string, number>();
  const joinAt = faults.find(({ kind }) => kind === 'join')?.at ?? 0;
  for (const fault of faults) {
    const what = 'replica' in fault ? fault.replica : 'link' in fault ? fault.link : null;
    if (what === null || fault.kind === 'join') continue;
    expect(fault.at).toBeGreaterThanOrEqual(busyUntil.get(what) ?? 0);
    if (what === 'e') expect(fault.at).toBeGreaterThan(joinAt);
    busyUntil.set(what, fault.at + fault.ms);
  }
  expect(joinAt).toBeGreaterThan(0);
});
