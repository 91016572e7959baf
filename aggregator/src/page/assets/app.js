// The live page: wiring, nothing else. Choices lead to loads, loads lead to
// panels, the stream leads to loads again. A new panel is a module with
// `interval_ms`, `load(view, signal)` and `clear()`, and a line in `panels`.

import { createActivity } from './activity.js';
import { createAlarms } from './alarms.js';
import { ApiError, getJson, isAborted, login, shopPath } from './api.js';
import { TILES, currencies, find } from './catalogue.js';
import { isOver } from './compare.js';
import { byId, setText } from './dom.js';
import * as format from './format.js';
import { openStream } from './live.js';
import { createReturns } from './returns.js';
import { atMostEvery } from './schedule.js';
import { createSelection } from './selection.js';
import { createStatus } from './status.js';
import { createTiles } from './tiles.js';
import { createToday } from './today.js';
import { createTrend } from './trend.js';

const KPI_MS = 1_000;
const SHOPS_MS = 2_000;
// It is of hours that are over: only late events move it within the hour.
const COMPARISON_MS = 300_000;
// Time alone moves windows, and ends the hours that are compared.
const MINUTE_MS = 60_000;
const COMPARED = [...TILES.map((entry) => entry.kpi), 'return_reason_ratio'].join(',');
const DEFAULT_PUBLIC_PORT = '8080';

const tiles = createTiles(byId('tiles'));
const status = createStatus(byId('status'));
const activity = createActivity(byId('activity'));
const selection = createSelection(() => select());
const panels = [createToday(byId('today')), createTrend(byId('trend')), createReturns(byId('returns')), createAlarms(byId('alarms'))];

let known = new Map();
let view = null;
let calls = new AbortController();
let stream = null;
const failures = new Map();

// Only what belongs to the choice ends with it; shops and status do not.
const loadingShops = atMostEvery(SHOPS_MS, () => guarded('shops', loadShops));
const loadingKpis = atMostEvery(KPI_MS, () => guarded('kpis', loadKpis, calls.signal));
const loadingComparison = atMostEvery(COMPARISON_MS, () => guarded('comparison', loadComparison, calls.signal));
const loadingPanels = panels.map((panel, i) => atMostEvery(panel.interval_ms, () => guarded(`panel ${i}`, (signal) => loadPanel(panel, signal), calls.signal)));

byId('login-form').addEventListener('submit', (event) => {
  event.preventDefault();
  guarded('login', submitToken);
});
setInterval(() => {
  if (document.hidden) return;
  status.tick();
  activity.tick();
}, 1_000);
setInterval(passTime, MINUTE_MS);
start();

function start() {
  showAddresses(null);
  stream?.close();
  stream = openStream({
    state: status.connection,
    back: refreshAll,
    unauthorised: askForToken,
    status: (now) => {
      status.update(now);
      showAddresses(now);
    },
    kpis: ({ shop }) => changed(shop),
    delivery: (delivery) => {
      activity.add(delivery);
      if (!known.has(delivery.shop)) loadingShops.wake();
      else if (delivery.shop === view?.shop) status.event(delivery.at);
    },
  });
  guarded('status', async () => {
    const now = await getJson('/v1/status');
    status.update(now);
    showAddresses(now);
  });
  loadingShops.now();
}

function changed(shop) {
  if (!known.has(shop)) loadingShops.wake();
  if (shop !== view?.shop) return;
  loadingKpis.wake();
  loadingComparison.wake();
  if (view.reply) loadingPanels.forEach((loading) => loading.wake());
}

function passTime() {
  loadingShops.wake();
  if (!view?.reply) return;
  changed(view.shop);
  if (view.comparison && isOver(view.comparison, view)) loadingComparison.now();
}

function refreshAll() {
  loadingShops.now();
  if (!view) return;
  loadingKpis.now();
  loadingComparison.now();
  if (view.reply) loadingPanels.forEach((loading) => loading.now());
}

async function loadShops() {
  const { shops } = await getJson('/v1/shops');
  known = new Map(shops.map((shop) => [shop.shop, shop]));
  if (shops.length === 0) {
    view = null;
    stream?.follow(null);
    selection.hide();
    show('empty');
    return;
  }
  selection.offerShops(shops);
  show('figures');
  if (selection.get().shop !== view?.shop) select();
  else status.event(known.get(view.shop).last_event_at);
}

// Whatever is under way for the former choice is given up, so that a slow
// answer never stands under the wrong heading.
function select() {
  const { shop, window, currency } = selection.get();
  calls.abort();
  calls = new AbortController();
  const sameShop = shop === view?.shop;
  const keeps = sameShop && window === view.window ? view.reply : null;
  view = { shop, window, currency, reply: keeps, comparison: keeps && view.comparison, currencies: view?.currencies ?? [], time_zone: known.get(shop)?.time_zone ?? 'UTC' };
  if (!sameShop) status.forgetEvent();
  status.event(known.get(shop)?.last_event_at);
  stream?.follow(shop);
  setText(byId('shop-name'), shop);
  document.title = `${shop} · Tallyhook`;
  if (!keeps) {
    tiles.clear();
    panels.forEach((panel) => panel.clear());
  }
  loadingKpis.now();
  loadingComparison.now();
}

async function loadKpis(signal) {
  const asked = view;
  if (!asked) return;
  const windows = asked.window === 'all' ? 'all' : `${asked.window},all`;
  const reply = await getJson(shopPath(asked.shop, 'kpis', { window: windows }), signal);
  const first = asked.reply === null || asked.shownCurrency !== asked.currency;
  const offered = currencies(reply.kpis);
  selection.offerCurrencies(offered.all, offered.main);
  Object.assign(asked, {
    reply, currencies: offered.all, currency: selection.get().currency, shownCurrency: selection.get().currency, time_zone: reply.time_zone ?? asked.time_zone,
  });
  tiles.show(reply, asked);
  tiles.compare(asked);
  setText(byId('period'), period(asked));
  // Panels take their bounds from this reply, hence only now.
  if (first) loadingPanels.forEach((loading) => loading.now());
}

async function loadComparison(signal) {
  const asked = view;
  if (!asked || asked.window === 'all') return;
  const first = !asked.comparison;
  asked.comparison = await getJson(shopPath(asked.shop, 'comparison', { period: asked.window, kpi: COMPARED }), signal);
  if (!asked.reply) return;
  tiles.compare(asked);
  if (first) loadingPanels.forEach((loading) => loading.wake());
}

async function loadPanel(panel, signal) {
  if (view?.reply) await panel.load(view, signal);
}

function period({ reply, window, time_zone: zone }) {
  const orders = find(reply.kpis, { kpi: 'orders', format: 'count' }, window);
  if (window === 'all' || !orders?.from) return `All time, days in ${zone}`;
  return `${format.instant(orders.from, zone)} to now, ${zone}`;
}

// Runs a load; false asks for a repetition. A failure stays in the banner until
// the same load succeeds.
async function guarded(name, load, signal) {
  try {
    await load(signal);
    failures.delete(name);
    return true;
  } catch (error) {
    if (isAborted(error) || signal?.aborted) return true;
    const told = error instanceof ApiError;
    if (told && error.status === 401) {
      askForToken();
      return true;
    }
    if (told && error.status === 404) loadingShops.wake();
    if (!told) console.error(error);
    failures.set(name, told ? error.message : 'An answer could not be read.');
    return false;
  } finally {
    const [first] = failures.values();
    status.trouble(first ?? null);
  }
}

function askForToken() {
  stream?.close();
  stream = null;
  status.connection('locked');
  calls.abort();
  calls = new AbortController();
  view = null;
  failures.clear();
  selection.hide();
  if (!byId('login').hidden) return;
  show('login');
  byId('token').focus();
}

async function submitToken() {
  const field = byId('token');
  setText(byId('login-error'), '');
  if (!(await login(field.value))) {
    setText(byId('login-error'), 'This token is not accepted.');
    field.select();
    return;
  }
  field.value = '';
  byId('login').hidden = true;
  start();
}

function show(part) {
  for (const id of ['login', 'empty', 'figures']) byId(id).hidden = id !== part;
}

// Webhooks go to the public listener. Unless the server names its address, the
// host is this one and the port its default.
function showAddresses(now) {
  const origin = now?.public_url ?? `${location.protocol}//${location.hostname}:${DEFAULT_PUBLIC_PORT}`;
  const address = `${origin.replace(/\/$/, '')}/webhooks/shopify`;
  setText(byId('webhook-address'), address);
  setText(byId('simulate-address'), address);
  setText(byId('webhook-note'), now?.public_url
    ? ''
    : `Port ${DEFAULT_PUBLIC_PORT} is the default of [public] listen; the line "public" printed at start has the address in use.`);
}
