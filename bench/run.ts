/** `npm run bench`: all measurements; `npm run bench -- master`: one. */
const BENCHES = [
  'master',
  'rpc',
  'durable',
  'network',
  'latency',
  'watch',
  'scan',
  'hot',
  'tokens',
  'catchup',
  'resync',
  'merge',
  'refold',
  'overwrite',
  'growth',
  'opening',
  'check',
];

/** Only when named: they take many minutes, or gigabytes. */
const BY_NAME = ['large'];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => ![...BENCHES, ...BY_NAME].includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark called ${unknown.join(', ')}; there are: ${[...BENCHES, ...BY_NAME].join(', ')}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : BENCHES) await import(`./${name}.js`);
