// Today so far, beside the same day of last week up to the same time. What is
// compared are whole hours that are over, up to the same time of day; the figures
// so far run on to now.

import { getJson, shopPath } from './api.js';
import { createChart } from './chart.js';
import { change, changeMark, compared, isOver } from './compare.js';
import { el, setText } from './dom.js';
import * as format from './format.js';

// What is compared changes with the hour; only late events move it in between.
const COMPARE_MS = 60_000;
const FIGURES = [
  { kpi: 'net_sales', title: 'Net sales', format: 'money', better: 'up' },
  { kpi: 'orders', title: 'Orders', format: 'count', better: 'up' },
  { kpi: 'average_order_value', basis: 'placement', title: 'Average order value', format: 'money', better: 'up', few: 'orders' },
  { kpi: 'returned_units', reason: 'all', title: 'Units returned', format: 'count', better: 'down' },
];

const KPIS = FIGURES.map((entry) => entry.kpi).join(',');

/** The panel of today; `load(view, signal)` fetches and draws. */
export function createToday(root) {
  const note = el('p', { class: 'quiet' });
  const list = el('ul', { class: 'today' });
  const rows = FIGURES.map(figure);
  list.append(...rows.map((row) => row.root));
  const side = el('div', { class: 'today-figures' }, root.querySelector('h2'), note, list);
  const picture = el('div', { class: 'today-picture' });
  root.append(side, picture);
  const chart = createChart(picture, { label: 'Net sales of today, adding up.', caption: 'Net sales of today, adding up', heights_px: [210] });

  let kept = null;

  return {
    interval_ms: 2_000,
    async load(view, signal) {
      const isOld = kept === null || performance.now() - kept.at > COMPARE_MS || isOver(kept.comparison, view);
      const [comparison, ...soFar] = await Promise.all([
        isOld ? getJson(shopPath(view.shop, 'comparison', { period: 'today', kpi: KPIS }), signal) : kept.comparison,
        ...FIGURES.map((entry) => getJson(todayPath(entry, view), signal)),
      ]);
      if (isOld) kept = { comparison, at: performance.now() };
      const last = weekday(comparison, view);
      const until = format.clock(comparison.current.to, view.time_zone);
      const begun = comparison.current.from !== comparison.current.to;
      setText(note, begun ? `So far. Changes are from ${last}, of both days until ${until}.` : `So far. Changes from ${last} are told once the first full hour is over.`);
      FIGURES.forEach((entry, i) => write(rows[i], entry, soFar[i].points.at(-1), begun ? compared(comparison, entry, view.currency) : null, { view, last }));
      const sales = compared(comparison, FIGURES[0], view.currency);
      if (sales) chart.draw(pictured(comparison, sales, soFar[0].points.at(-1), { view, last }));
    },
    clear() {
      kept = null;
      setText(note, '');
      rows.forEach((row) => setText(row.value, '–'));
      rows.forEach((row) => row.foot.replaceChildren());
      chart.clear();
    },
  };
}

function figure(entry) {
  const value = el('span', { class: 'today-value', 'data-kpi': entry.kpi }, '–');
  const foot = el('span', { class: 'today-foot' });
  return { value, foot, root: el('li', {}, el('h3', {}, entry.title), value, foot) };
}

// A series of one day ends with the day that has not ended.
function todayPath({ kpi, basis, reason, format: kind }, view) {
  const currency = kind === 'money' && view.currencies.length > 1 ? view.currency : null;
  const to = view.reply.kpis[0].to;
  return shopPath(view.shop, 'series', { kpi, basis, reason, currency, step: '1d', from: new Date(Date.parse(to) - 1).toISOString(), to });
}

function text(entry, value, view) {
  return entry.format === 'money' ? format.money(value, view.currency) : format.count(value);
}

function write(row, entry, point, against, { view, last }) {
  setText(row.value, text(entry, point?.value ?? null, view) ?? 'No orders yet');
  const said = change(against, entry);
  const then = against && text(entry, against.preceding.value, view);
  row.foot.replaceChildren(...[changeMark(said), then === null || then === undefined ? null : el('span', { class: 'quiet' }, ` from ${then}`)].filter(Boolean));
}

const weekday = (comparison, view) => format.weekday(comparison.preceding.steps[0], view.time_zone);

// Sums of doubles are drawn; the figures beside them are the server's own.
function pictured(comparison, sales, point, { view, last }) {
  const money = (value) => (value === null ? null : format.money(String(value), view.currency));
  // A day on which clocks change is an hour longer or shorter than the other.
  const longer = comparison.current.steps.length > comparison.preceding.steps.length ? comparison.current : comparison.preceding;
  const hours = longer.steps.slice(1);
  const digits = (sales.current.value ?? '').split('.')[1]?.length ?? 0;
  const sums = (steps) => {
    let sum = 0;
    return steps.map((value) => Number((sum += Number(value ?? 0)).toFixed(digits)));
  };
  const today = sums(sales.current.steps);
  const running = today.length < hours.length && point?.value !== undefined ? [Number(point.value)] : [];
  const padded = (values) => hours.map((_, i) => values[i] ?? null);
  const series = (name, values, more) => ({ name, kind: 'line', values: padded(values), texts: padded(values).map(money), ...more });
  return {
    columns: hours.map((end, i) => {
      const clock = format.clock(end, view.time_zone);
      return { short: clock, long: `Until ${clock}`, partial: i === today.length };
    }),
    legend: [{ name: 'Today', color: '--accent' }, { name: format.capital(last), color: '--quiet', dashed: true }],
    plots: [{
      name: 'Net sales', tick: (value) => format.shortMoney(value, view.currency),
      series: [
        series('Today', [...today, ...running], { color: '--accent' }),
        series(format.capital(last), sums(sales.preceding.steps), { color: '--quiet', dashed: true }),
      ],
    }],
  };
}
