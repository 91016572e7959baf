// How a figure stands to that of the period before: in words, with an arrow and
// a sign, so that colour is never all that tells.

import { FEW } from './catalogue.js';
import { el } from './dom.js';
import * as format from './format.js';

const HOUR_MS = 3_600_000;

/** Whether an hour ended since: the server's own present is in another one. */
export function isOver(comparison, view) {
  const hour = (instant) => Math.floor(Date.parse(instant) / HOUR_MS);
  return hour(view.reply.kpis[0].to) !== hour(comparison.current.to);
}

/** The row of a comparison that an entry of the catalogue shows. */
export function compared(comparison, entry, currency) {
  return comparison?.kpis.find((row) => row.kpi === entry.kpi
    && row.basis === (entry.basis ?? null)
    && (row.reason ?? null) === (entry.reason ?? null)
    && (entry.format !== 'money' || row.currency === currency)) ?? null;
}

/** What to say of a change: `{ text, arrow, tone }`, or null where nothing was
 *  compared. Shares change by points, everything else by percent. */
export function change(row, entry) {
  if (!row) return null;
  const { current, preceding } = row;
  const isShare = entry.format === 'ratio';
  if ((isShare || entry.few) && [current, preceding].some(({ denominator }) => Number(denominator ?? 0) < FEW)) return { text: 'too few to compare', tone: 'flat' };
  if (preceding.value === null || (!isShare && Number(preceding.value) === 0)) return { text: 'nothing before', tone: 'flat' };
  const by = isShare ? row.difference : row.change;
  if (by === null || current.value === null) return { text: 'not comparable', tone: 'flat' };
  const text = isShare ? format.points(by) : format.change(by);
  const sign = format.signOf(text);
  if (sign === 0) return { text: 'no change', tone: 'flat' };
  return { text, arrow: sign > 0 ? '▲' : '▼', tone: entry.better === undefined ? 'flat' : (sign > 0) === (entry.better === 'up') ? 'good' : 'bad' };
}

/** The change as an element, of which `against` says what it is against. */
export function changeMark(said, against) {
  if (!said) return null;
  return el('span', { class: `change ${said.tone}` },
    said.arrow ? el('span', { 'aria-hidden': 'true' }, `${said.arrow} `) : null,
    said.text,
    said.arrow && against ? el('span', { class: 'against' }, ` ${against}`) : null);
}
