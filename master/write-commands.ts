import { CLIENT, type Command, define, type Parameter } from './command.js';
import { OPERATION_FORMS, type OperationForm, partFrom, restAt, wordsOf } from './operation-words.js';

const OPERATION: Parameter = { name: 'OPERATION', ids: 'none' };

/** What clients write. */
export const WRITE_COMMANDS: readonly Command[] = [
  ...OPERATION_FORMS.map(writingAlone),
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

function writingAlone(form: OperationForm): Command {
  const [name = '', ...words] = wordsOf(form);
  const rest = restAt(form);
  return define({
    name,
    parameters: [CLIENT, ...words.map((word): Parameter => ({ name: word, ids: 'none' }))],
    // One further than without the client.
    restAt: () => (rest < 0 ? rest : rest + 1),
    help: form.help,
    async run(cluster, [client, key = '', ...carried]) {
      await cluster.write(client, key, form.of(...carried));
      return 'ran';
    },
  });
}
