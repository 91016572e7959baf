// Net sales and orders over the window, beside those of the window before.

import { getJson, shopPath } from './api.js';
import { createChart } from './chart.js';
import { find } from './catalogue.js';
import * as format from './format.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STEP_MS = { '1h': HOUR_MS, '1d': DAY_MS, '1w': 7 * DAY_MS, '1mo': 28 * DAY_MS };
const STEP_NAMES = { '1h': 'hour', '1d': 'day', '1w': 'week', '1mo': 'month' };
// A year is compared with 52 weeks before, so that weeks stand beside weeks.
const WINDOWS = {
  '24h': { step: '1h', back_ms: DAY_MS, before: 'the day before' },
  '7d': { step: '1d', back_ms: 7 * DAY_MS, before: 'the 7 days before' },
  '30d': { step: '1d', back_ms: 30 * DAY_MS, before: 'the 30 days before' },
  '90d': { step: '1d', back_ms: 90 * DAY_MS, before: 'the 90 days before' },
  '365d': { step: '1w', back_ms: 364 * DAY_MS, before: '52 weeks before' },
  all: { step: '1mo' },
};
// No supported platform had orders before; the empty months are cut off again.
const EARLIEST = '2006-01-01T00:00:00Z';

/** The trend panel; `load(view, signal)` fetches and draws. */
export function createTrend(root) {
  const title = root.querySelector('h2');
  const chart = createChart(root, { label: 'Net sales and orders over time.', caption: 'Net sales and orders', heights_px: [190, 110] });

  return {
    interval_ms: 5_000,
    async load(view, signal) {
      const { step, back_ms, before } = WINDOWS[view.window];
      const now = bounds(view);
      const asked = ['net_sales', 'orders'].map((kpi) => getJson(seriesPath(kpi, view, step, now), signal));
      const then = back_ms && { from: earlier(now.from, back_ms), to: earlier(now.to, back_ms) };
      if (then) asked.push(...['net_sales', 'orders'].map((kpi) => getJson(seriesPath(kpi, view, step, then), signal)));
      const [sales, orders, salesBefore, ordersBefore] = (await Promise.all(asked)).map((reply) => reply.points);
      title.textContent = `Net sales and orders per ${STEP_NAMES[step]}`;
      chart.draw(pictured({ sales, orders, salesBefore, ordersBefore }, { step, before, now: Date.parse(now.to) }, view));
    },
    clear: chart.clear,
  };
}

// The bounds are the server's own, so that a wrong clock here moves nothing.
function bounds(view) {
  const { from, to } = find(view.reply.kpis, { kpi: 'orders', format: 'count' }, view.window) ?? {};
  return { from: from && from > EARLIEST ? from : EARLIEST, to: to ?? new Date().toISOString() };
}

const earlier = (instant, by_ms) => new Date(Date.parse(instant) - by_ms).toISOString();

function seriesPath(kpi, view, step, { from, to }) {
  const currency = kpi === 'net_sales' && view.currencies.length > 1 ? view.currency : null;
  return shopPath(view.shop, 'series', { kpi, from, to, step, currency });
}

function pictured({ sales, orders, salesBefore, ordersBefore }, { step, before, now }, view) {
  const isBusy = (point, i) => Number(point.value ?? 0) !== 0 || Number(orders[i]?.value ?? 0) !== 0;
  const first = view.window === 'all' ? Math.max(0, sales.findIndex(isBusy)) : 0;
  const columns = sales.slice(first).map((point) => ({
    ...format.bucket(point.from, step, view.time_zone),
    partial: Date.parse(point.to) > now || Date.parse(point.to) - Date.parse(point.from) < 0.9 * STEP_MS[step],
  }));
  const money = (value) => format.money(value, view.currency);
  const plot = (name, points, pointsBefore, text, more) => ({
    name, ...more,
    series: [
      ...halves({ name, kind: 'bars', color: '--accent', ...figures(points.slice(first), text) }, columns),
      ...(pointsBefore ? [{ name: `${name}, ${before}`, short: before, kind: 'line', color: '--quiet', dashed: true, ...figures(lastOf(pointsBefore, columns.length), text) }] : []),
    ],
  });
  return {
    columns,
    legend: [{ name: 'This window', color: '--accent' }, ...(before ? [{ name: format.capital(before), color: '--quiet', dashed: true }] : [])],
    plots: [
      plot('Net sales', sales, salesBefore, money, { tick: (value) => format.shortMoney(value, view.currency) }),
      plot('Orders', orders, ordersBefore, format.count, { tick: format.shortCount, whole: true }),
    ],
  };
}

const figures = (points, text) => ({ values: points.map((point) => drawn(point?.value)), texts: points.map((point) => text(point?.value ?? null)) });

const drawn = (value) => (value === null || value === undefined ? null : Number(value));

// Days that clocks change on may give one point more or less; the newest ones
// stand beside each other.
function lastOf(points, count) {
  return Array.from({ length: count }, (_, i) => points[points.length - count + i]);
}

// Columns that are not over yet are paler, which takes a series of its own.
function halves(series, columns) {
  const only = (partial) => series.values.map((value, i) => (columns[i].partial === partial ? value : null));
  return [{ ...series, values: only(false) }, { ...series, color: `${series.color}-part`, values: only(true), silent: true }];
}
