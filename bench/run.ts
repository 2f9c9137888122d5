/** `npm run bench`: all measurements; `npm run bench -- master`: one. */
const BENCHES = ['master', 'rpc', 'durable'];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  console.error(`no benchmark called ${unknown.join(', ')}; there are: ${BENCHES.join(', ')}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : BENCHES) await import(`./${name}.js`);
