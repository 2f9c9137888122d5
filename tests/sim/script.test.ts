import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { argumentsOf, commandNamed, restAt } from '../../master/commands.js';
import { lexLine } from '../../master/script.js';
import { BaristaError } from '../../src/base/errors.js';
import type { Plan } from '../../src/sim/plan.js';
import { ACTION_USAGES, PlanScript, SETTING_USAGES, writePlan } from '../../src/sim/script.js';
import { anyPlan, QUIET } from './plans.js';

/** Reads lines as the master does. */
function read(lines: readonly string[]): Plan {
  const script = new PlanScript();
  for (const line of lines) {
    const [name = '', ...words] = lexLine(line, restAt);
    argumentsOf(commandNamed(name), [name, ...words]);
    const [at = '', ...action] = words;
    if (name === 'simulate') script.set(words);
    else if (name === 'at') script.add(at, action);
  }
  return script.plan();
}

function messageOf(...lines: readonly string[]): string {
  try {
    read(['simulate replica 1 replica 2 client c none', ...lines]);
  } catch (thrown) {
    if (thrown instanceof BaristaError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
  return 'no error';
}

describe('a plan as a script', () => {
  it('reads as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(anyPlan, (plan) => {
        expect(read(writePlan(plan))).toEqual(plan);
      }),
      { numRuns: 500 },
    );
  });

  it('is short, and a line for each thing that is done', () => {
    const plan: Plan = {
      ...QUIET,
      clients: [{ id: 'ana', guarantees: ['read-your-writes', 'monotonic-reads'], tries: 1 }],
      links: [['1', '2']],
      actions: [
        { at: 1200, action: { kind: 'put', client: 'ana', key: 'table 4', value: 'two espressos' } },
        { at: 1300, action: { kind: 'cut', from: '1', to: '2' } },
        {
          at: 1400,
          action: { kind: 'disk', replica: '2', fault: { kind: 'fail', call: 'sync', nth: 3, lasting: true } },
        },
      ],
    };
    expect(writePlan(plan)).toEqual([
      'simulate seed 1 tieBreak higher clock hybrid retryWindowMs 600000 antiEntropyMs 250 compactMs 10000 maxDriftMs off durationMs 60000',
      'simulate replica 1 replica 2',
      'simulate client ana read-your-writes,monotonic-reads tries ana 1',
      'simulate links none link 1 2',
      'at 1200 put ana "table 4" "two espressos"',
      'at 1300 cut 1 2',
      'at 1400 disk 2 fail sync 3 lasting',
      'check',
    ]);
  });

  it('can be written by hand: settings have defaults, a value is the rest of the line, comments are skipped', () => {
    const plan = read([
      'simulate replica 1 client ana none  # one of each',
      'at 10 put ana k two espressos # no comment',
      'at 10 get ana k # why',
    ]);
    expect(plan.actions.map(({ action }) => action)).toEqual([
      { kind: 'put', client: 'ana', key: 'k', value: 'two espressos # no comment' },
      { kind: 'get', client: 'ana', key: 'k' },
    ]);
    expect(plan).toMatchObject({ seed: 1, clock: 'hybrid', tieBreak: 'higher', durationMs: 60_000 });
  });

  it('lets a replica be named that joins, and nobody who never is there', () => {
    expect(messageOf('at 5 crash 3 kill')).toBe('ERR_UNKNOWN_ID: at 5 crash: the simulation has nobody called 3');
    expect(messageOf('simulate link 1 3')).toBe('ERR_UNKNOWN_ID: link: the simulation has nobody called 3');
    expect(messageOf('simulate link 1 3', 'at 5 roam c 3', 'at 6 join 3')).toBe('no error');
  });

  it.each([
    ['simulate sed 7', 'ERR_SYNTAX: "sed" is no setting; there are seed, tieBreak, clock, '],
    ['simulate seed', 'ERR_SYNTAX: seed N: N is missing'],
    ['simulate seed -1', 'ERR_SYNTAX: seed N: "-1" is not a whole number from 0'],
    ['simulate clock atomic', 'ERR_SYNTAX: clock logical|hybrid: "atomic" is not logical or hybrid'],
    ['simulate maxDriftMs on', 'ERR_SYNTAX: maxDriftMs MS|off: "on" is not a whole number from 0'],
    ['simulate replica 1', 'ERR_DUPLICATE_ID: there is 1 already'],
    ['simulate client 1 none', 'ERR_DUPLICATE_ID: there is 1 already'],
    [
      'simulate client d read-my-writes',
      'ERR_SYNTAX: client CLIENT GUARANTEES: "read-my-writes" is not "none", or some of',
    ],
    ['simulate tries d 1', 'ERR_UNKNOWN_ID: the simulation has nobody called d'],
    ['simulate replica ""', 'ERR_INVALID_ID: the id is empty'],
    ['at 5', 'ERR_SYNTAX: at takes at least 2 words, not 1: at MS ACTION ...'],
    ['at soon get c k', 'ERR_SYNTAX: "soon" is not a whole number from 0'],
    ['at 5 put c k', 'ERR_SYNTAX: put CLIENT KEY VALUE: VALUE is missing'],
    ['at 5 get c k v', 'ERR_SYNTAX: "v" is one word too many'],
    ['at 5 get d k', 'ERR_UNKNOWN_ID: at 5 get: the simulation has nobody called d'],
    ['at 5 puut c k v', 'ERR_SYNTAX: "puut" is no ACTION; there are put, delete, increment, '],
    ['at 5 crash 1 hard', 'ERR_SYNTAX: crash REPLICA kill|power: "hard" is not kill or power'],
    ['at 5 disk 1 burn', 'ERR_SYNTAX: disk REPLICA FAULT: "burn" is no FAULT; there are fail, power, '],
    ['at 5 disk 1 slow', 'ERR_SYNTAX: disk REPLICA FAULT: slow MS: MS is missing'],
    [
      'at 5 weather 2 0 0 1 1',
      'ERR_SYNTAX: weather LOSS DUPLICATION REORDERING DELAY_MIN_MS DELAY_MAX_MS: "2" is not a chance',
    ],
    ['at 5 "constructor" 1', 'ERR_SYNTAX: "constructor" is no ACTION'],
  ])('says what is wrong, and what would be right: %s', (line, message) => {
    expect(messageOf(line)).toContain(message);
  });

  it('has its actions in order', () => {
    expect(messageOf('at 5 get c k', 'at 4 get c k')).toBe(
      'ERR_SYNTAX: actions stand in the order of their times, and 5 was before 4',
    );
  });

  it('needs a replica', () => {
    expect(() => read(['simulate client c none'])).toThrow('simulate replica REPLICA');
  });

  it('is not changed by a line that is refused', () => {
    const script = new PlanScript();
    script.set(['replica', '1']);
    expect(() => script.set(['replica', '2', 'seed', 'x'])).toThrow('whole number');
    script.set(['replica', '2']);
    expect(script.plan().replicas).toEqual(['1', '2']);
  });

  it('is explained: a line for each setting and each action', () => {
    expect(SETTING_USAGES).toContain('client CLIENT GUARANTEES');
    expect(ACTION_USAGES).toContain('crash REPLICA kill|power');
  });
});
