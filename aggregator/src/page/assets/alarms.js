// Return spikes that the detector found: what, since when, how large, and the
// counts that stand for it (docs/ALERTING.md says how it looks).

import { getJson, shopPath } from './api.js';
import { byId, el, setText } from './dom.js';
import * as format from './format.js';

const SHOWN = 6;
const NAMED = 2;
const PRODUCTS = 3;
// An order counts once however many of its units come back.
const SCANS = {
  period: (since) => `came back since ${since}`,
  cohort: (since) => `of those placed since ${since} came back`,
};

/** The alarms panel; `load(view, signal)` fetches and draws. */
export function createAlarms(root) {
  const note = el('p', { class: 'quiet' });
  const list = el('ul', { class: 'alarms' });
  root.append(note, list);

  return {
    interval_ms: 10_000,
    async load(view, signal) {
      const reply = await getJson(shopPath(view.shop, 'alarms', {}), signal);
      const spikes = together(reply.alarms);
      banner(spikes.filter((spike) => spike.active));
      setText(note, explained(reply, spikes, view));
      list.replaceChildren(...spikes.slice(0, SHOWN).map((spike) => item(spike, view)));
    },
    clear() {
      banner([]);
      setText(note, '');
      list.replaceChildren();
    },
  };
}

// What both scans see of a reason or a product at the same time is one spike.
function together(alarms) {
  const spikes = [];
  for (const alarm of alarms) {
    const isSame = (one) => one.active && one.reason === alarm.reason && one.product === alarm.product;
    const spike = alarm.active && spikes.find(isSame);
    if (spike) spike.alarms.push(alarm);
    else spikes.push({ reason: alarm.reason, product: alarm.product, active: alarm.active, alarms: [alarm] });
  }
  for (const spike of spikes) spike.alarms.sort((a, b) => b.ratio - a.ratio);
  const strongest = ({ alarms: all }) => all[0].ratio;
  const latest = ({ alarms: all }) => all[0].raised_at;
  return spikes.sort((a, b) => Number(b.active) - Number(a.active)
    || (a.active ? strongest(b) - strongest(a) : latest(b).localeCompare(latest(a))));
}

function banner(active) {
  const link = byId('alarm');
  link.hidden = active.length === 0;
  const named = active.filter((spike) => spike.reason !== 'all' || spike.product !== null);
  const which = (named.length > 0 ? named : active).map((spike) => (spike.product === null ? title(spike).toLowerCase() : `product ${spike.product}`));
  const more = which.length > NAMED ? ` and ${which.length - NAMED} more` : '';
  setText(link, `Returns spike: ${which.slice(0, NAMED).join(', ')}${more}`);
}

function explained(reply, spikes, view) {
  if (reply.watched_since === null) return 'Not watched yet: it takes ten weeks of orders to know what is usual here.';
  const more = spikes.some((spike) => spike.active) ? 'More' : 'No more';
  return `${more} orders come back than this shop’s own history lets expect, as of ${format.instant(reply.evaluated_to, view.time_zone)}.`;
}

function item(spike, view) {
  const ended = !spike.active && `ended ${format.instant(spike.alarms[0].ended_at, view.time_zone)}`;
  return el('li', { class: spike.active ? 'alarm active' : 'alarm' },
    el('div', { class: 'card-head' },
      el('h3', {}, title(spike)),
      el('span', { class: 'chip' }, spike.active ? 'under way' : ended)),
    ...spike.alarms.flatMap((alarm) => sentences(alarm, view)),
    spike.product === null ? standouts(spike.alarms[0]) : null);
}

function sentences(alarm, view) {
  const since = format.instant(alarm.since, view.time_zone);
  const raised = format.instant(alarm.raised_at, view.time_zone);
  const [low, high] = alarm.interval.map(format.factor);
  const count = `${format.count(alarm.returned_orders)} ${alarm.returned_orders === 1 ? 'order' : 'orders'}`;
  return [
    el('p', {}, el('strong', {}, count), ` ${SCANS[alarm.scan](since)}; ${format.estimate(alarm.expected_orders)} were expected.`),
    el('p', { class: 'quiet' }, `${format.factor(alarm.ratio)} times as many (95% interval ${low} to ${high}), raised ${raised}.`),
  ];
}

// Of both scans' the stronger one's: they name the same products.
function standouts({ products }) {
  if (products.length === 0) return null;
  return el('p', { class: 'quiet' }, `Standing out: ${products.slice(0, PRODUCTS).map(product).join(', ')}.`);
}

const product = (one) => `product ${one.product} (${format.count(one.returned_orders)}, ${format.estimate(one.expected_orders)} due)`;

function title(spike) {
  if (spike.product !== null) return `Product ${spike.product}`;
  return spike.reason === 'all' ? 'All returns' : format.words(spike.reason);
}
