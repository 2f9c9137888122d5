import { incarnationOf, type Origin, originOf, replicaIdOf } from '../base/ids.js';
import { VersionVector } from '../bayou/version-vector.js';
import type { AcceptStamp } from '../bayou/write.js';
import { malformed } from './field-error.js';
import { incarnation, replicaId, time } from './scalars.js';
import { type Codec, list, mapped, structOf } from './schema.js';

export const origin: Codec<Origin> = structOf<Origin>('Origin')
  .required(1, 'id', replicaId, replicaIdOf)
  .required(2, 'incarnation', incarnation, incarnationOf)
  .build(originOf);

export const acceptStamp: Codec<AcceptStamp> = structOf<AcceptStamp>('AcceptStamp')
  .required(1, 'acceptTime', time, (stamp) => stamp.acceptTime)
  .required(2, 'origin', origin, (stamp) => stamp.origin)
  .build((acceptTime, from) => ({ origin: from, acceptTime }));

const vectorEntry = structOf<readonly [Origin, number]>('VectorEntry')
  .required(1, 'origin', origin, ([from]) => from)
  .required(2, 'acceptTime', time, ([, acceptTime]) => acceptTime)
  .build((from, acceptTime) => [from, acceptTime]);

export const versionVector: Codec<VersionVector> = mapped(
  list(vectorEntry),
  (entries) => {
    const vector = new VersionVector(entries);
    if (vector.size !== entries.length) throw malformed('an origin stands in the vector twice');
    return vector;
  },
  (vector) => [...vector.entries()],
);
