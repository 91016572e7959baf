// How live and how fresh the page is: the badges and banners of the header,
// and the panel about the instance that answers.

import { byId, el, setText } from './dom.js';
import * as format from './format.js';

const CONNECTION = {
  waiting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
  locked: 'Token needed',
};

/** The header's badges, its banners and the status panel. */
export function createStatus(root) {
  const list = el('dl', { class: 'facts' });
  root.append(list);
  let status = null;
  let lastEvent = null;

  const freshness = () => {
    if (!status) return;
    const lag = byId('lag');
    lag.hidden = false;
    lag.dataset.state = status.lag_events === 0 && !status.halted ? 'fresh' : 'behind';
    const what = howFar(status);
    setText(lag, lastEvent === null ? what : `${what}, last event ${format.ago(lastEvent)}`);
  };

  return {
    connection(state) {
      const badge = byId('connection');
      badge.dataset.state = state;
      setText(badge.querySelector('span'), CONNECTION[state]);
    },
    update(next) {
      status = next;
      freshness();
      replay(status);
      byId('halted').hidden = !status.halted;
      setText(byId('halted-why'), status.halted ?? '');
      facts(list, status);
    },
    /** The instant of the newest event that is known of. */
    event(instant) {
      const time = Date.parse(instant);
      if (Number.isFinite(time)) lastEvent = Math.max(lastEvent ?? time, time);
      freshness();
    },
    forgetEvent() {
      lastEvent = null;
    },
    tick: freshness,
    /** Says what could not be loaded; null when all is well again. */
    trouble(message) {
      byId('trouble').hidden = message === null;
      setText(byId('trouble'), message === null ? '' : `${message} The figures shown may be old; trying again.`);
    },
  };
}

function howFar({ lag_events: behind, halted }) {
  // Log or state do not answer, so nobody knows.
  if (behind === null) return 'Lag unknown';
  if (behind > 0) return `${format.count(behind)} events behind`;
  return halted ? 'Halted' : 'Up to date';
}

function replay(status) {
  const banner = byId('replay');
  banner.hidden = !status.replaying;
  const left = Number(status.lag_events ?? 0);
  setText(byId('replay-left'), left > 0 ? `${format.count(left)} events to go.` : '');
}

function facts(list, status) {
  const rows = [
    ['Version', status.version],
    ['Mode', status.mode],
    ['Fold version', status.fold_version],
    ['Partitions', status.partitions],
    ['Events behind', format.count(status.lag_events)],
    ['Replaying', status.replaying ? 'yes' : 'no'],
    ['Halted', status.halted ?? 'no'],
  ];
  list.replaceChildren(...rows.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, String(value ?? 'unknown')))));
}
