import { beforeEach, describe, expect, test } from 'vitest';
import { BaristaError } from '../../src/base/errors.js';
import type { ClientId } from '../../src/base/ids.js';
import { type Done, fail, type Outcome, succeed } from '../../src/base/outcome.js';
import type { ReplicaState } from '../../src/bayou/ports.js';
import type { Write } from '../../src/bayou/write.js';
import { type KvOperation, kvOperationCodec } from '../../src/machine/kv.js';
import { MemoryStorage } from '../../src/storage/memory.js';
import { type Node, TERMS, World } from './world.js';

/** Storage whose flushes take until they are told to end. */
class SlowStorage extends MemoryStorage<KvOperation> {
  isSlow = false;
  readonly #waiting: Done<void>[] = [];
  #dirty = false;

  override get dirty(): boolean {
    return this.#dirty;
  }

  override insert(write: Write<KvOperation>, position: number): void {
    this.#dirty = true;
    super.insert(write, position);
  }

  override saveSeen(...seen: Parameters<MemoryStorage<KvOperation>['saveSeen']>): void {
    this.#dirty = true;
    super.saveSeen(...seen);
  }

  override saveState(state: ReplicaState): void {
    this.#dirty = true;
    super.saveState(state);
  }

  override flush(done: Done<void>): void {
    this.#dirty = false;
    if (this.isSlow) this.#waiting.push(done);
    else done(succeed(undefined));
  }

  end(outcome: Outcome<void> = succeed(undefined)): void {
    this.isSlow = false;
    for (const done of this.#waiting.splice(0)) done(outcome);
  }
}

describe('while a flush is under way', () => {
  let world: World;
  let storage: SlowStorage;
  let a: Node;
  let b: Node;
  let c: Node;
  beforeEach(() => {
    world = new World();
    storage = new SlowStorage(kvOperationCodec);
    a = world.start('a');
    b = world.start('b', {}, TERMS, null, storage);
    c = world.start('c');
    world.link(a, b);
    world.link(b, c);
    // So that nothing of the beginning is left to be flushed.
    world.put(b, 'first');
    storage.isSlow = true;
  });

  /** Makes a call and gives what it has been answered so far. */
  function begin<T>(call: (done: Done<T>) => void): readonly Outcome<T>[] {
    const answers: Outcome<T>[] = [];
    call((outcome) => answers.push(outcome));
    world.sleep(200);
    return answers;
  }

  const put = (key: string) => {
    const operation: KvOperation = { kind: 'put', value: new Uint8Array(1) };
    const request = { client: 'x' as ClientId, clientTime: 1, key, operation, after: 0, needs: null };
    return begin((done) => b.line.write(request, 60_000, done));
  };
  const get = (key: string) => begin((done) => b.line.read({ key, needs: null }, 60_000, done));
  const pull = (to: Node, from: Node) =>
    begin((done) => to.line.stabilize({ peers: [from.id], budgetMs: 60_000, compact: false }, 60_000, done));
  const end = (outcome?: Outcome<void>): void => {
    storage.end(outcome);
    world.sleep(200);
  };

  test('a write is not answered, nor is who reads it', () => {
    const written = put('k');
    const read = get('k');
    expect([written, read]).toEqual([[], []]);
    end();
    expect([written, read]).toMatchObject([[{ ok: true }], [{ ok: true }]]);
  });

  test('nobody is sent what the replica holds', () => {
    const written = put('k');
    const pulled = pull(a, b);
    expect([pulled, world.has(a, 'k')]).toEqual([[], false]);
    end();
    expect([written, pulled]).toMatchObject([[{ ok: true }], [{ ok: true }]]);
    expect(world.has(a, 'k')).toBe(true);
  });

  test('nobody is sent what the replica has from others', () => {
    world.put(c, 'k');
    pull(b, c);
    pull(a, b);
    expect([world.has(b, 'k'), world.has(a, 'k')]).toEqual([true, false]);
    end();
    expect(world.has(a, 'k')).toBe(true);
  });

  test('nobody is asked under claims that rest on it', () => {
    world.put(a, 'of a');
    world.put(c, 'of c');
    pull(b, c);
    pull(b, a);
    expect([world.has(b, 'of c'), world.has(b, 'of a')]).toEqual([true, false]);
    end();
    expect(world.has(b, 'of a')).toBe(true);
  });

  test('and fails, so do the write that rests on it and who read that', () => {
    const written = put('k');
    const read = get('k');
    end(fail(new BaristaError('ERR_STORAGE', 'the disk is gone')));
    expect([written, read]).toMatchObject([[{ error: { code: 'ERR_STORAGE' } }], [{ error: { code: 'ERR_STORAGE' } }]]);
  });
});
