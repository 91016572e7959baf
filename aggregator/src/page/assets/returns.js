// Returned units by reason, most frequent first, and how their rates moved.

import { getJson, shopPath } from './api.js';
import { change, changeMark, compared } from './compare.js';
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
        .filter((row) => Number(row.returned_units ?? 0) > 0)
        .sort((a, b) => Number(b.returned_units) - Number(a.returned_units));
      const sold = format.count(reply.units_sold) ?? '0';
      note.textContent = reasons.length === 0
        ? `No unit came back in this window; ${sold} units were sold.`
        : `Rates are by units sold (${sold}), shares under the reasons by units returned${view.comparison ? ', changes in points of the rate' : ''}.`;
      body.replaceChildren(...(reasons.length === 0 ? [] : [asTable(reasons, view)]));
    },
    clear() {
      note.textContent = '';
      body.replaceChildren();
    },
  };
}

function asTable(reasons, view) {
  const names = ['Units', 'Rate', ...(view.comparison ? ['Change'] : [])];
  const head = [{ text: 'Reason' }, ...names.map((text) => ({ text, number: true }))];
  return table('Returned units by reason', head, reasons.map((row) => [
    el('span', { class: 'reason' }, format.words(row.reason), el('span', { class: 'share-line' }, shareBar(Number(row.share)), format.ratio(row.share) ?? '')),
    format.count(row.returned_units),
    format.ratio(row.ratio) ?? 'not defined',
    ...(view.comparison ? [moved(row.reason, view) ?? ''] : []),
  ]));
}

function moved(reason, view) {
  const entry = { kpi: 'return_reason_ratio', reason, format: 'ratio', better: 'down' };
  const said = change(compared(view.comparison, entry), entry);
  // The note above the table names the unit.
  return changeMark(said && { ...said, text: said.text.replace(/ points$/, '') });
}
