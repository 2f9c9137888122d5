import { beforeEach, describe, expect, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import { type Done, fail, type Outcome, succeed } from '../../src/base/outcome.js';
import { FlushGate } from '../../src/driver/flush-gate.js';

/** A storage whose flushes end when the test says so. */
class SlowStorage {
  dirty = false;
  readonly flushes: Done<void>[] = [];
  readonly awaited: boolean[] = [];

  flush(done: Done<void>, isAwaited: boolean): void {
    this.dirty = false;
    this.flushes.push(done);
    this.awaited.push(isAwaited);
  }
}

describe('the flush gate', () => {
  let storage: SlowStorage;
  let gate: FlushGate;
  let answers: string[];
  let failures: string[];
  /** What was put off to the end of the turn. */
  let turn: (() => void)[];
  const endTurn = (): void => {
    for (const run of turn.splice(0)) run();
  };
  const answer = (name: string): void =>
    gate.answer(
      (outcome: Outcome<string>) => answers.push(outcome.ok ? outcome.value : `${name} ${outcome.error.code}`),
      succeed(name),
    );

  beforeEach(() => {
    storage = new SlowStorage();
    failures = [];
    turn = [];
    const soon = (run: () => void): void => void turn.push(run);
    gate = new FlushGate(storage, 3, soon, (error) => failures.push(error.code));
    answers = [];
  });

  test('answers at once while there is nothing to make durable', () => {
    answer('a');
    expect(answers).toEqual(['a']);
    expect(storage.flushes).toHaveLength(0);
  });

  test('holds an answer until what it rests on is durable', () => {
    storage.dirty = true;
    answer('a');
    endTurn();
    expect(answers).toEqual([]);
    storage.flushes[0]?.(succeed(undefined));
    expect(answers).toEqual(['a']);
  });

  test('tells the storage whether somebody who wrote waits for it', () => {
    for (const what of ['claims', 'own writes', null] as const) {
      storage.dirty = true;
      if (what !== null) gate.changed(what);
      answer('a');
      endTurn();
      storage.flushes.pop()?.(succeed(undefined));
    }
    expect(storage.awaited).toEqual([false, true, false]);
  });

  test('has no place for more bytes than may wait, and has again after the flush', () => {
    gate = new FlushGate(
      storage,
      3,
      (run) => void turn.push(run),
      () => undefined,
      10,
    );
    const hold = (name: string, bytes: number): void =>
      gate.answer(
        (outcome) => answers.push(`${name} ${outcome.ok ? '' : outcome.error.code}`),
        succeed(name),
        'anything',
        bytes,
      );
    storage.dirty = true;
    hold('a', 6);
    hold('b', 5);
    hold('c', 4);
    expect(answers).toEqual(['b ERR_OVERLOADED']);
    endTurn();
    storage.flushes[0]?.(succeed(undefined));
    storage.dirty = true;
    hold('d', 10);
    endTurn();
    storage.flushes[1]?.(succeed(undefined));
    expect(answers).toEqual(['b ERR_OVERLOADED', 'a ', 'c ', 'd ']);
  });

  test('one flush serves all of a turn, and the next all that came meanwhile, also a read of what is not durable', () => {
    storage.dirty = true;
    answer('first');
    answer('first too');
    endTurn();
    storage.dirty = true;
    answer('second');
    answer('read');
    endTurn();
    expect(storage.flushes).toHaveLength(1);
    storage.flushes[0]?.(succeed(undefined));
    expect(answers).toEqual(['first', 'first too']);
    endTurn();
    expect(storage.flushes).toHaveLength(2);
    storage.flushes[1]?.(succeed(undefined));
    expect(answers).toEqual(['first', 'first too', 'second', 'read']);
  });

  test('a failed flush fails every answer that rested on it, and those that came since', () => {
    storage.dirty = true;
    answer('a');
    endTurn();
    storage.dirty = true;
    answer('b');
    storage.flushes[0]?.(fail(new BaristaError('ERR_STORAGE', 'disk full')));
    expect(answers).toEqual(['a ERR_STORAGE', 'b ERR_STORAGE']);
    expect(failures).toEqual(['ERR_STORAGE']);
    expect(storage.flushes).toHaveLength(1);
  });

  test('says so when too many wait', () => {
    storage.dirty = true;
    for (const name of ['a', 'b']) answer(name);
    expect(gate.overload()).toBeNull();
    answer('c');
    expect(gate.overload()?.code).toBe('ERR_OVERLOADED');
    endTurn();
    expect(gate.overload()).toBeNull();
  });
});
