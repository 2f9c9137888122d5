import { vi } from 'vitest';
import { succeed } from '../../src/base/outcome.js';
import { Session } from '../../src/bayou/session.js';
import type { GenerateOptions } from '../../src/sim/generate.js';
import { DurableStorage } from '../../src/storage/durable.js';

/*
 * Bugs for the simulator to find, each with a world in which it does. vi.restoreAllMocks() takes them away again.
 */

/** Sessions ask for nothing: a client that roams does not find what it wrote. */
export function plantForgetfulSession(): GenerateOptions {
  vi.spyOn(Session.prototype, 'read').mockImplementation((key) => ({ key, needs: null }));
  return {
    replicas: 3,
    clients: 4,
    hours: 0.05,
    faults: ['connection-break', 'partition-asymmetric', 'delay', 'loss'],
  };
}

/** Writes are acknowledged, and never reach the disk. */
export function plantHastyStorage(): GenerateOptions {
  vi.spyOn(DurableStorage.prototype, 'flush').mockImplementation((done) => done(succeed(undefined)));
  return { replicas: 3, clients: 4, hours: 0.05, faults: ['power'] };
}
