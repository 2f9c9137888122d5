import { openReplica, type Session } from '../src/server/library.js';
import { keyOf } from './load.js';
import { type Row, report } from './measure.js';

/*
 * How long the token of a session is that has put so many keys, at one replica and going round five; beside what it would take to
 * name each key with the stamp that it needs.
 */

const TOUCHED = [1, 10, 1_000, 100_000];
const REPLICAS = [1, 5];

async function rowsOf(count: number): Promise<Row[]> {
  const ids = Array.from({ length: count }, (_, i) => `till-${i + 1}`);
  const replicas = await Promise.all(ids.map((id) => openReplica({ id, antiEntropyMs: null })));
  const rows: Row[] = [];
  for (const touched of TOUCHED) {
    let token: string | null = null;
    const stamps: [string, unknown][] = [];
    for (const [at, replica] of replicas.entries()) {
      const session: Session = replica.session(token === null ? {} : { token });
      for (let i = at; i < touched; i += count) {
        const write = await session.put(keyOf(i), 'v');
        if (write.kind === 'accepted') stamps.push([keyOf(i), write.stamp]);
      }
      token = session.token();
    }
    const [bytes, named] = [Buffer.byteLength(token ?? ''), Buffer.byteLength(JSON.stringify(stamps))];
    rows.push({
      measure: `token, ${touched.toLocaleString('en-US')} keys put at ${count === 1 ? 'one replica' : `${count} replicas`}`,
      barista: `${bytes.toLocaleString('en-US')} bytes`,
      beside: `each key with its stamp, as JSON ${named.toLocaleString('en-US')} bytes`,
      ratio: (bytes / named).toFixed(4),
    });
  }
  for (const replica of replicas) await replica.close();
  return rows;
}

const rows: Row[] = [];
for (const count of REPLICAS) rows.push(...(await rowsOf(count)));
report('tokens', rows);
