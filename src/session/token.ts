import { BaristaError } from '../base/errors.js';
import { hashText } from '../base/hash.js';
import { incarnationOf, type Origin, originOf, type ReplicaId, replicaIdOf } from '../base/ids.js';
import { DEFAULT_LIMITS, ORIGINS_MAX } from '../base/limits.js';
import { GUARANTEES, type SessionState } from '../bayou/session.js';
import { VersionVector } from '../bayou/version-vector.js';
import { open, seal } from './sealed.js';
import { type ByteReader, ByteWriter } from './token-bytes.js';

/*
 * A session as a string, for another process to go on with. URL-safe base64 of: the letter s; the version, 1; the guarantees, a bit each; the
 * cluster's hash; the highest accept time; the origins that follow, each once; what writes need; what reads need under any
 * other key; the keys with needs of their own, those touched longest ago first; a CRC-32 of all that. Times are told by how far
 * they are below the highest.
 *
 * It is neither secret nor proof of anything: who forges one gets a session that waits for what is not there.
 */

const VERSION = 1;

/** The keys with needs of their own take so many bytes at most; those touched longest ago are put together first. */
export const TOKEN_KEYS_BYTES_MAX = 1_024;

export function encodeToken(state: SessionState, cluster: string): string {
  const { guarantees, highest, writeNeeds } = state;
  const origins = new Map<Origin, number>();
  const placeOf = (origin: Origin): number => {
    const place = origins.get(origin) ?? origins.size;
    origins.set(origin, place);
    return place;
  };
  const vector = (needs: VersionVector): Buffer => {
    const bytes = new ByteWriter();
    bytes.number(needs.size);
    for (const [origin, time] of needs.sorted()) {
      bytes.number(placeOf(origin));
      bytes.number(highest - time);
    }
    return bytes.toBuffer();
  };

  const otherNeeds = state.otherNeeds.clone();
  const keys: Buffer[] = [];
  let left = TOKEN_KEYS_BYTES_MAX;
  for (const [key, needs] of [...state.keyNeeds].reverse()) {
    const name = new ByteWriter();
    name.text(key);
    const entry = Buffer.concat([name.toBuffer(), vector(needs)]);
    left -= entry.length;
    if (left >= 0) keys.push(entry);
    else otherNeeds.merge(needs);
  }
  const needs = [vector(writeNeeds), vector(otherNeeds)];

  const head = new ByteWriter();
  head.number(VERSION);
  head.number(GUARANTEES.reduce((bits, guarantee, i) => bits | (guarantees.includes(guarantee) ? 1 << i : 0), 0));
  head.number(hashText(cluster));
  head.number(highest);
  head.number(origins.size);
  for (const origin of origins.keys()) {
    head.text(replicaIdOf(origin));
    head.number(incarnationOf(origin));
  }
  const count = new ByteWriter();
  count.number(keys.length);
  const body = Buffer.concat([head.toBuffer(), ...needs, count.toBuffer(), ...keys.reverse()]);
  return seal('token', body);
}

/** Throws ERR_TOKEN for what is damaged, of another version, or of another cluster. */
export function decodeToken(token: string, cluster: string): SessionState {
  return open('token', token, (bytes) => decodeBody(bytes, cluster));
}

function decodeBody(bytes: ByteReader, cluster: string): SessionState {
  const version = bytes.number();
  if (version !== VERSION) throw new BaristaError('ERR_TOKEN', `the token is of version ${version}, not ${VERSION}`);
  const bits = bytes.number();
  if (bits >= 1 << GUARANTEES.length) throw new RangeError('guarantees that there are not');
  if (bytes.number() !== hashText(cluster)) {
    throw new BaristaError('ERR_TOKEN', `the token is of another cluster than ${JSON.stringify(cluster)}`);
  }
  const highest = bytes.number();
  const origins = bytes.list(ORIGINS_MAX, () => {
    const id = bytes.text(DEFAULT_LIMITS.idBytesMax) as ReplicaId;
    return originOf(id, bytes.number());
  });
  const vector = (): VersionVector => {
    const needs = new VersionVector();
    bytes.list(ORIGINS_MAX, () => {
      const origin = origins[bytes.number()];
      const time = highest - bytes.number();
      if (origin === undefined || time < 0 || needs.has(origin)) throw new RangeError('a need that cannot be');
      needs.raise(origin, time);
    });
    return needs;
  };
  const writeNeeds = vector();
  const otherNeeds = vector();
  const keyNeeds = bytes.list(TOKEN_KEYS_BYTES_MAX, () => [bytes.text(DEFAULT_LIMITS.keyBytesMax), vector()] as const);
  return {
    guarantees: GUARANTEES.filter((_, i) => (bits & (1 << i)) !== 0),
    highest,
    writeNeeds,
    otherNeeds,
    keyNeeds,
  };
}
