// Returned units by reason, most frequent first.

import { getJson, shopPath } from './api.js';
import { el, shareBar, table } from './dom.js';
import * as format from './format.js';

/** The return reasons panel; `load(view, signal)` fetches and draws. */
export function createReturns(root) {
  const note = el('p', { class: 'quiet' });
  const body = el('div', { class: 'scroll' });
  root.append(note, body);

  return {
    interval_ms: 2_000,
    async load(view, signal) {
      const reply = await getJson(shopPath(view.shop, 'returns', { window: view.window }), signal);
      const reasons = reply.reasons
        .filter((row) => row.reason !== 'all' && Number(row.returned_units ?? 0) > 0)
        .sort((a, b) => Number(b.returned_units) - Number(a.returned_units));
      const sold = format.count(reply.units_sold) ?? '0';
      note.textContent = reasons.length === 0
        ? `No unit came back in this window; ${sold} units were sold.`
        : `Rate is by units sold (${sold}), share is by units returned.`;
      body.replaceChildren(...(reasons.length === 0 ? [] : [asTable(reasons)]));
    },
    clear() {
      note.textContent = '';
      body.replaceChildren();
    },
  };
}

function asTable(reasons) {
  const head = [{ text: 'Reason' }, { text: 'Units', number: true }, { text: 'Rate', number: true }, { text: 'Share', number: true }];
  return table('Returned units by reason', head, reasons.map((row) => [
    el('span', { class: 'reason' }, format.words(row.reason), shareBar(Number(row.share))),
    format.count(row.returned_units),
    format.ratio(row.ratio) ?? 'not defined',
    format.ratio(row.share) ?? 'not defined',
  ]));
}
