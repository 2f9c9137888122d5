import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Chart, Section, Table } from './report-figures.js';

const require = createRequire(import.meta.url);

/** One HTML file that needs nothing else: its figures, their tables, and what draws them. */
export function pageOf(title: string, intro: readonly string[], sections: readonly Section[]): string {
  const charts = sections.flatMap((section) => section.charts);
  let chart = 0;
  const parts = sections.map((section) => {
    const places = section.charts.map(() => `<div class="chart" data-chart="${chart++}"></div>`).join('');
    const text = section.text.map((line) => `<p>${escaped(line)}</p>`).join('');
    return `<section><h2>${escaped(section.title)}</h2>${text}<div class="charts">${places}</div>${tableOf(section.table)}</section>`;
  });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${asset('uPlot.min.css')}${STYLE}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${intro.map((line) => `<p>${escaped(line)}</p>`).join('\n')}
<nav><ol>${sections.map(({ title: name }, i) => `<li><a href="#s${i}">${escaped(name)}</a></li>`).join('')}</ol></nav>
${parts.map((part, i) => part.replace('<section>', `<section id="s${i}">`)).join('\n')}
<script>${asset('uPlot.iife.min.js')}</script>
<script type="application/json" id="charts">${dataOf(charts)}</script>
<script>${DRAW}</script>
</body>
</html>
`;
}

function asset(name: string): string {
  return readFileSync(require.resolve(`uplot/dist/${name}`), 'utf8');
}

/** As text inside a script: nothing in it may end that. */
function dataOf(charts: readonly Chart[]): string {
  return JSON.stringify(charts).replaceAll('<', '\\u003c');
}

function tableOf({ head, rows }: Table): string {
  const cells = (row: readonly string[], tag: string): string =>
    `<tr>${row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')}</tr>`;
  return `<details><summary>the figures</summary><table><thead>${cells(head, 'th')}</thead><tbody>${rows
    .map((row) => cells(row, 'td'))
    .join('')}</tbody></table></details>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1d2733; background: #fff; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 3rem; border-top: 1px solid #d5dce4; padding-top: 1.5rem; }
p { max-width: 46rem; } nav ol { columns: 2; font-size: .9rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem; }
table { border-collapse: collapse; font-size: .85rem; margin-top: .5rem; } th, td { padding: .15rem .7rem; text-align: right; border-bottom: 1px solid #e6ebf0; }
th:first-child, td:first-child { text-align: left; } summary { cursor: pointer; color: #34597a; }
@media (max-width: 40rem) { .charts { grid-template-columns: 1fr; } nav ol { columns: 1; } }`;

/** Runs in the page. */
const DRAW = `
const colours = ['#1f6fb2', '#c2410c', '#15803d', '#7e22ce', '#b45309', '#0f766e', '#be123c'];
const short = (v) => v >= 1e9 ? v / 1e9 + ' G' : v >= 1e6 ? v / 1e6 + ' M' : v >= 1e3 ? v / 1e3 + ' k' : String(v);
const formats = {
  ms: (v) => v >= 60000 ? +(v / 60000).toFixed(1) + ' min' : v >= 1000 ? +(v / 1000).toFixed(1) + ' s' : +v.toFixed(1) + ' ms',
  bytes: (v) => short(+v.toPrecision(3)) + 'B',
  percent: (v) => +v.toFixed(1) + ' %',
  count: (v) => short(+v.toPrecision(3)),
  minutes: (v) => +v.toFixed(1) + ' min',
};
const charts = JSON.parse(document.getElementById('charts').textContent);
for (const place of document.querySelectorAll('.chart')) {
  const chart = charts[Number(place.dataset.chart)];
  const isLogX = chart.xUnit === 'count';
  const format = (unit) => (plot, v) => v == null ? '' : formats[unit](v);
  const values = (unit) => (plot, splits) => splits.map((v) => v == null ? '' : formats[unit](v));
  const columns = chart.isLog ? chart.columns.map((c, i) => i === 0 ? c : c.map((v) => v === 0 ? null : v)) : chart.columns;
  const plot = new uPlot({
    title: chart.title, width: place.clientWidth, height: 300,
    scales: { x: { time: false, distr: isLogX ? 3 : 1 }, y: { distr: chart.isLog ? 3 : 1, range: chart.isLog ? undefined : (u, min, max) => [0, Math.max(max * 1.05, 0.001)] } },
    series: [{ label: chart.x, value: format(chart.xUnit) }, ...chart.series.map((label, i) => ({ label, stroke: colours[i % colours.length], width: 2, spanGaps: false, points: { show: chart.columns[0].length < 12 }, value: format(chart.unit) }))],
    axes: [{ label: chart.x, values: values(chart.xUnit) }, { label: chart.y, size: 70, values: values(chart.unit) }],
  }, columns, place);
  addEventListener('resize', () => plot.setSize({ width: place.clientWidth, height: 300 }));
}`;
