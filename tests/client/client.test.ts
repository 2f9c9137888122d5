import { describe, expect, test } from 'vitest';
import { BaristaError, type ErrorCode } from '../../src/base/errors.js';
import { type ClientId, type Origin, originOf, type ReplicaId } from '../../src/base/ids.js';
import { type Done, fail, type Outcome, promised, succeed } from '../../src/base/outcome.js';
import type { ReadReply, ReadRequest, WriteReply } from '../../src/bayou/messages.js';
import type { ClientConnection } from '../../src/bayou/ports.js';
import type { ReadManyReply, ReadManyRequest } from '../../src/bayou/read-messages.js';
import { Session } from '../../src/bayou/session.js';
import { isBatch, type Submission } from '../../src/bayou/submission.js';
import { VersionVector } from '../../src/bayou/version-vector.js';
import { Client } from '../../src/client/client.js';
import type { KvOperation } from '../../src/machine/kv.js';

const A: Origin = originOf('a' as ReplicaId, 1);

/** A replica that answers as it is told, and notes what it was asked. */
class Replica implements ClientConnection<KvOperation, Uint8Array> {
  readonly asked: string[] = [];
  readonly #answer: ErrorCode | 'missing' | 'ok';
  closed = false;

  constructor(answer: ErrorCode | 'missing' | 'ok') {
    this.#answer = answer;
  }

  write(request: Submission<KvOperation>, _timeoutMs: number, done: Done<WriteReply>): void {
    this.asked.push(`${isBatch(request) ? 'batch' : 'write'} ${request.clientTime}`);
    done(this.#outcome<WriteReply>({ kind: 'accepted', stamp: { origin: A, acceptTime: 1 } }));
  }

  read(request: ReadRequest, _timeoutMs: number, done: Done<ReadReply<Uint8Array>>): void {
    this.asked.push(`read ${request.key}`);
    done(this.#outcome<ReadReply<Uint8Array>>({ kind: 'absent' }));
  }

  readMany({ keys }: ReadManyRequest, _timeoutMs: number, done: Done<ReadManyReply<Uint8Array>>): void {
    this.asked.push(`readMany ${keys}`);
    done(this.#outcome<ReadManyReply<Uint8Array>>({ kind: 'values', values: keys.map(() => null) }));
  }

  close(): void {
    this.closed = true;
  }

  #outcome<T>(good: T): Outcome<T> {
    if (this.#answer === 'ok') return succeed(good);
    if (this.#answer === 'missing') return succeed({ kind: 'missing', missing: new VersionVector([[A, 9]]) } as T);
    return fail(new BaristaError(this.#answer, 'as told'));
  }
}

function clientOf(...answers: readonly (ErrorCode | 'missing' | 'ok')[]) {
  const client = new Client(new Session<KvOperation>('c' as ClientId), 100);
  const replicas = answers.map((answer) => new Replica(answer));
  // Attached last first: the order of the ids is what counts.
  for (const [i, replica] of [...replicas.entries()].reverse()) client.attach(`${i}` as ReplicaId, replica);
  return { client, asked: () => replicas.map(({ asked }) => asked), replicas };
}

describe('a client', () => {
  test('takes the first answer that meets its session, in the order of the ids', async () => {
    const { client, asked } = clientOf('ERR_CONN', 'missing', 'ok', 'ok');
    expect(await client.get('k')).toEqual({ kind: 'absent' });
    expect(asked()).toEqual([['read k'], ['read k'], ['read k'], []]);
  });

  test('writes and reads several keys at once, passes by who shows no state, and checks what it is given', async () => {
    const { client, asked } = clientOf('ERR_BEHIND', 'ok');
    const readMany = (...keys: readonly string[]) =>
      promised<ReadManyReply<Uint8Array>>((done) => client.readMany(keys, done));
    const batch = (...keys: readonly string[]) => {
      const parts = keys.map((key) => ({ key, operation: { kind: 'delete' } as const }));
      return promised<WriteReply>((done) => client.batch(parts, done));
    };
    expect(await readMany('k', 'l')).toEqual({ kind: 'values', values: [null, null] });
    expect(await batch('k', 'l')).toMatchObject({ kind: 'accepted' });
    expect([client.session.needsOf('k'), client.session.needsOf('l')].map(String)).toEqual(['a#1:1', 'a#1:1']);
    expect(asked()).toEqual([
      ['readMany k,l', 'batch 1'],
      ['readMany k,l', 'batch 1'],
    ]);
    await expect(batch('k', 'k')).rejects.toMatchObject({ code: 'ERR_BATCH' });
    await expect(batch('k', '')).rejects.toMatchObject({ code: 'ERR_INVALID_KEY' });
    await expect(readMany('k', '')).rejects.toMatchObject({ code: 'ERR_INVALID_KEY' });
    const behind = clientOf('ERR_BEHIND', 'ERR_CONN');
    await expect(
      promised<ReadManyReply<Uint8Array>>((done) => behind.client.readMany(['k', 'l'], done)),
    ).rejects.toMatchObject({ code: 'ERR_BEHIND' });
  });

  test('tries a write elsewhere under the same client time, and the next under another', async () => {
    const { client, asked } = clientOf('ERR_TIMEOUT', 'ok');
    await client.put('k', new Uint8Array());
    await client.delete('k');
    expect(asked()).toEqual([
      ['write 1', 'write 2'],
      ['write 1', 'write 2'],
    ]);
  });

  test('says ERR_DEP only if a replica answered and none could serve', async () => {
    expect(await clientOf('ERR_CONN', 'missing').client.get('k')).toMatchObject({ kind: 'missing' });
    await expect(clientOf('ERR_CONN', 'ERR_TIMEOUT').client.get('k')).rejects.toMatchObject({ code: 'ERR_CONN' });
    await expect(clientOf().client.get('k')).rejects.toMatchObject({ code: 'ERR_CONN' });
  });

  test('says why a replica that is there refuses', async () => {
    for (const code of ['ERR_STORAGE', 'ERR_OVERLOADED'] as const) {
      const { client } = clientOf(code, 'ERR_CONN');
      await expect(client.put('k', new Uint8Array())).rejects.toMatchObject({ code });
    }
  });

  test('goes no further when the request itself is at fault', async () => {
    const { client, asked } = clientOf('ERR_CLIENT_TIME', 'ok');
    await expect(client.put('k', new Uint8Array())).rejects.toMatchObject({ code: 'ERR_CLIENT_TIME' });
    expect(asked()[1]).toEqual([]);
  });

  test('refuses bad keys and values before anybody is asked', async () => {
    const { client, asked } = clientOf('ok');
    await expect(client.get('')).rejects.toMatchObject({ code: 'ERR_INVALID_KEY' });
    await expect(client.put('k', new Uint8Array(2 ** 20 + 1))).rejects.toMatchObject({ code: 'ERR_INVALID_VALUE' });
    expect(asked()).toEqual([[]]);
  });

  test('closes a connection that is cut or replaced', () => {
    const { client, replicas } = clientOf('ok', 'ok');
    client.detach('0' as ReplicaId);
    client.detach('0' as ReplicaId);
    client.attach('1' as ReplicaId, new Replica('ok'));
    expect(replicas.map(({ closed }) => closed)).toEqual([true, true]);
  });
});
