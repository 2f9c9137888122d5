import { CLIENT, type Command, define, KEY, type Parameter } from './command.js';
import { expectedFrom, partFrom, wholeNumber } from './operation-words.js';

const VALUE: Parameter = { name: 'VALUE', ids: 'none' };
const MEMBER: Parameter = { name: 'MEMBER', ids: 'none' };
const PROCEDURE: Parameter = { name: 'PROCEDURE', ids: 'none' };
const EXPECTED: Parameter = { name: 'EXPECTED', ids: 'none' };
const NUMBER: Parameter = { name: 'NUMBER', ids: 'none' };
const OPERATION: Parameter = { name: 'OPERATION', ids: 'none' };

const encoder = new TextEncoder();

/** What clients write. */
export const WRITE_COMMANDS: readonly Command[] = [
  define({
    name: 'put',
    parameters: [CLIENT, KEY, VALUE],
    restAt: () => 3,
    help: 'writes at a replica the client is linked to; the value is the rest of the line',
    async run(cluster, [client, key, value]) {
      await cluster.write(client, key, { kind: 'put', value: encoder.encode(value) });
      return 'ran';
    },
  }),
  define({
    name: 'delete',
    parameters: [CLIENT, KEY],
    help: 'likewise, a delete',
    async run(cluster, [client, key]) {
      await cluster.write(client, key, { kind: 'delete' });
      return 'ran';
    },
  }),
  define({
    name: 'increment',
    parameters: [CLIENT, KEY, NUMBER],
    help: 'adds a whole number to that of the key, 0 if there is none; no effect on what is no number',
    async run(cluster, [client, key, number]) {
      await cluster.write(client, key, { kind: 'increment', by: wholeNumber(number) });
      return 'ran';
    },
  }),
  define({
    name: 'append',
    parameters: [CLIENT, KEY, VALUE],
    restAt: () => 3,
    help: 'puts the rest of the line after what the key holds',
    async run(cluster, [client, key, value]) {
      await cluster.write(client, key, { kind: 'append', bytes: encoder.encode(value) });
      return 'ran';
    },
  }),
  define({
    name: 'setAdd',
    parameters: [CLIENT, KEY, MEMBER],
    restAt: () => 3,
    help: 'adds the rest of the line to a set, which is a JSON array of strings; no effect on what is none',
    async run(cluster, [client, key, member]) {
      await cluster.write(client, key, { kind: 'setAdd', member });
      return 'ran';
    },
  }),
  define({
    name: 'setRemove',
    parameters: [CLIENT, KEY, MEMBER],
    restAt: () => 3,
    help: 'removes it from the set',
    async run(cluster, [client, key, member]) {
      await cluster.write(client, key, { kind: 'setRemove', member });
      return 'ran';
    },
  }),
  define({
    name: 'putIfAbsent',
    parameters: [CLIENT, KEY, VALUE],
    restAt: () => 3,
    help: 'as put, where the key is absent; no effect where it is not',
    async run(cluster, [client, key, value]) {
      await cluster.write(client, key, { kind: 'putIfAbsent', value: encoder.encode(value) });
      return 'ran';
    },
  }),
  define({
    name: 'merge',
    parameters: [CLIENT, KEY, PROCEDURE, VALUE],
    restAt: () => 4,
    help: 'has the merge procedure, like keep-both@1, make one value of what the key holds and the value',
    async run(cluster, [client, key, procedure, value]) {
      await cluster.write(client, key, { kind: 'merge', procedure, expects: null, value: encoder.encode(value) });
      return 'ran';
    },
  }),
  define({
    name: 'mergeFrom',
    parameters: [CLIENT, KEY, EXPECTED, PROCEDURE, VALUE],
    restAt: () => 5,
    help: 'as put where the key holds EXPECTED ("": is absent) as the write takes effect; as merge where it does not',
    async run(cluster, [client, key, expected, procedure, value]) {
      const expects = expectedFrom(expected);
      await cluster.write(client, key, { kind: 'merge', procedure, expects, value: encoder.encode(value) });
      return 'ran';
    },
  }),
  define({
    name: 'batch',
    parameters: [CLIENT, OPERATION],
    repeats: true,
    help: 'writes several keys at once; each OPERATION is one of those above in quotes, without its client',
    async run(cluster, [client, ...operations]) {
      await cluster.batch(
        client,
        operations.map(partFrom).filter((part) => part !== null),
      );
      return 'ran';
    },
  }),
];
