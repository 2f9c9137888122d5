import { describe } from 'vitest';
import { runConflictSuite } from './conflict-suite.js';
import { runMergeSuite } from './merge-suite.js';
import { runLibrarySuite } from './suite.js';
import { runWatchSuite } from './watch-suite.js';
import { EmbeddedWorld, RemoteWorld } from './world.js';

/* The same program, with its replica in its own process and with replicas over the wire. */

describe('embedded', () => runLibrarySuite(() => new EmbeddedWorld()));
describe('remote', () => runLibrarySuite(() => new RemoteWorld()));
describe('embedded, watching', () => runWatchSuite(() => new EmbeddedWorld()));
describe('remote, watching', () => runWatchSuite(() => new RemoteWorld()));
describe('embedded, merging', () => runMergeSuite(() => new EmbeddedWorld()));
describe('remote, merging', () => runMergeSuite(() => new RemoteWorld()));
describe('embedded, conflicts', () => runConflictSuite(() => new EmbeddedWorld()));
describe('remote, conflicts', () => runConflictSuite(() => new RemoteWorld()));
