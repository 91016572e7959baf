// Net sales and orders over the window, as a picture and as a table.

import { getJson, shopPath } from './api.js';
import { createChart } from './chart.js';
import { find } from './catalogue.js';
import { el, table } from './dom.js';
import * as format from './format.js';

const STEPS = { '24h': '1h', '7d': '1d', '30d': '1d', '90d': '1d', '365d': '1w', all: '1mo' };
const STEP_MS = { '1h': 3_600_000, '1d': 86_400_000, '1w': 604_800_000, '1mo': 28 * 86_400_000 };
const STEP_NAMES = { '1h': 'hour', '1d': 'day', '1w': 'week', '1mo': 'month' };
// No supported platform had orders before; the empty months are cut off again.
const EARLIEST = '2006-01-01T00:00:00Z';

/** The trend panel; `load(view, signal)` fetches and draws. */
export function createTrend(root) {
  const title = root.querySelector('h2');
  const chart = createChart(root, 'Net sales and orders over time. Left and right arrow keys read the columns.');
  const body = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Net sales and orders as a table' });
  const details = el('details', {}, el('summary', {}, 'Show as a table'), body);
  root.append(details);
  let shown = null;
  // A closed table costs nothing, however often the figures change.
  const fillTable = () => details.open && shown && body.replaceChildren(asTable(shown));
  details.addEventListener('toggle', fillTable);

  return {
    interval_ms: 5_000,
    async load(view, signal) {
      const step = STEPS[view.window];
      const [sales, orders] = await Promise.all(['net_sales', 'orders'].map((kpi) => getJson(seriesPath(kpi, view, step), signal)));
      shown = aligned(sales.points, orders.points, step, view);
      title.textContent = `Net sales and orders per ${STEP_NAMES[step]}`;
      chart.draw(shown);
      fillTable();
    },
    clear() {
      shown = null;
      body.replaceChildren();
      chart.draw({ columns: [], rows: [] });
    },
  };
}

// The bounds are the server's own, so that a wrong clock here moves nothing.
function seriesPath(kpi, view, step) {
  const bounds = find(view.reply.kpis, { kpi: 'orders', format: 'count' }, view.window) ?? {};
  const from = bounds.from && bounds.from > EARLIEST ? bounds.from : EARLIEST;
  const currency = kpi === 'net_sales' && view.currencies.length > 1 ? view.currency : null;
  return shopPath(view.shop, 'series', { kpi, from, to: bounds.to ?? new Date().toISOString(), step, currency });
}

function aligned(sales, orders, step, view) {
  const counts = new Map(orders.map((point) => [point.from, point.value]));
  const busy = sales.findIndex((point) => Number(point.value ?? 0) !== 0 || Number(counts.get(point.from) ?? 0) !== 0);
  const points = view.window === 'all' ? sales.slice(Math.max(0, busy)) : sales;
  const now = Date.now();
  const columns = points.map((point) => ({
    ...format.bucket(point.from, step, view.time_zone),
    partial: Date.parse(point.to) > now || Date.parse(point.to) - Date.parse(point.from) < 0.9 * STEP_MS[step],
  }));
  const money = points.map((point) => point.value);
  const number = points.map((point) => counts.get(point.from) ?? null);
  return {
    columns,
    rows: [
      { name: 'Net sales', values: money.map(drawn), texts: money.map((value) => format.money(value, view.currency)), tick: (value) => format.shortMoney(value, view.currency), height_px: 180 },
      { name: 'Orders', values: number.map(drawn), texts: number.map(format.count), tick: format.shortCount, height_px: 70, whole: true },
    ],
  };
}

const drawn = (value) => (value === null || value === undefined ? null : Number(value));

function asTable({ columns, rows }) {
  const head = [{ text: 'Period' }, ...rows.map((row) => ({ text: row.name, number: true }))];
  const lines = columns.map((column, i) => [
    column.partial ? `${column.long} (part)` : column.long,
    ...rows.map((row) => row.texts[i] ?? 'not defined'),
  ]);
  return table('Net sales and orders', head, lines.reverse());
}
