// The big numbers. Tiles are built once and only their text changes, so that
// focus, an open definition and a selection survive every update.

import { FEW, TILES, find } from './catalogue.js';
import { change, changeMark, compared } from './compare.js';
import { byId, el, setText } from './dom.js';
import * as format from './format.js';
import { sparkline } from './spark.js';

// Longest figures, in characters, of the four sizes in the style sheet.
const SIZES = [8, 11, 14];
const ANNOUNCE_MS = 30_000;
const AGAINST = { '24h': 'the 24 hours before', '7d': 'the 7 days before', '30d': 'the 30 days before', '90d': 'the 90 days before', '365d': 'the 365 days before' };

/** The tiles in `list`; `show(reply, view)` writes the figures, `compare(view)`
 *  how they moved. */
export function createTiles(list) {
  const tiles = TILES.map(build);
  list.replaceChildren(...tiles.map((tile) => tile.root));
  closeOnEscape(list);
  const announce = announcer(tiles);

  return {
    show(reply, view) {
      list.classList.remove('loading');
      for (const tile of tiles) write(tile, find(reply.kpis, tile.entry, view.window, view.currency), view);
      announce(view);
    },
    compare(view) {
      for (const tile of tiles) writeChange(tile, view);
    },
    /** Figures of another selection must not stand under the new one. */
    clear() {
      list.classList.add('loading');
      for (const tile of tiles) {
        setText(tile.value, '–');
        tile.fresh = true;
        tile.moved.replaceChildren();
        tile.course.replaceChildren();
      }
    },
  };
}

function build(entry) {
  const id = `def-${entry.kpi}`;
  const button = el('button', { type: 'button', class: 'info', 'aria-label': `What is ${entry.title}?`, 'aria-describedby': id }, 'i');
  const value = el('span', { class: 'value' }, '–');
  const unit = el('span', { class: 'unit' });
  const detail = el('p', { class: 'detail' });
  const few = el('span', { class: 'chip', hidden: true }, `few ${entry.few ?? ''}`);
  const moved = el('p', { class: 'moved' });
  const course = el('div', { class: 'course' });
  const against = el('span', { class: 'tip-part quiet' });
  const root = el('li', { class: 'tile', 'data-kpi': entry.kpi },
    el('div', { class: 'tile-head' },
      el('h3', {}, entry.title),
      el('span', { class: 'tip-anchor' }, button, el('span', { class: 'tip', role: 'tooltip', id },
        el('span', { class: 'tip-part' }, entry.definition),
        el('span', { class: 'tip-part' }, el('strong', {}, 'What it does not tell you: '), entry.blind),
        against))),
    el('p', { class: 'figure' }, value, ' ', unit),
    moved,
    course,
    el('div', { class: 'tile-foot' }, detail, few));
  value.addEventListener('animationend', () => value.classList.remove('changed'));
  return { entry, root, value, unit, detail, few, moved, course, against, fresh: true };
}

function write(tile, kpi, view) {
  const { entry } = tile;
  const text = formatted(kpi?.value ?? null, entry, view.currency);
  const of = Number(kpi?.denominator ?? 0);
  const isFew = Boolean(entry.few) && of < FEW;
  // Nought of a handful says nothing, and looks as if it did.
  const tooFew = isFew && (text === null || Number(kpi.numerator) === 0);
  const defined = text !== null && !tooFew;
  const shown = defined ? text : (tooFew ? `Too few ${entry.few}` : 'Not defined');
  if (setText(tile.value, shown) && !tile.fresh) tile.value.classList.add('changed');
  tile.fresh = false;
  tile.value.classList.toggle('undefined', !defined);
  tile.value.dataset.size = SIZES.filter((longest) => shown.length > longest).length;
  setText(tile.unit, defined ? entry.unit(view.currency ?? '') : '');
  setText(tile.detail, of > 0 || defined ? detail(kpi, entry, view.currency) : entry.none);
  tile.few.hidden = !(defined && isFew);
}

function writeChange(tile, view) {
  const { entry } = tile;
  const row = compared(view.comparison, entry, view.currency);
  const against = AGAINST[view.window];
  // Within a day the younger of two days has had less time, which is neither good nor bad.
  const judged = entry.ripens && view.window === '24h' ? { ...entry, better: undefined } : entry;
  tile.moved.replaceChildren(...[changeMark(change(row, judged), `on ${against}`)].filter(Boolean));
  tile.course.replaceChildren(...(row ? [sparkline(row.current.steps.map((value) => (value === null ? null : Number(value))))] : []));
  setText(tile.against, row ? inFull(row, entry, view, against) : '');
}

// Whole hours only, so that both periods are equally long; hence these figures
// and not the tile's, which runs on to now.
function inFull(row, entry, view, against) {
  const text = (figure) => formatted(figure.value, entry, view.currency) ?? 'not defined';
  const until = format.instant(view.comparison.current.to, view.time_zone);
  return `Until ${until}: ${text(row.current)}; ${against}: ${text(row.preceding)}.`;
}

function formatted(value, entry, currency) {
  switch (entry.format) {
    case 'money': return format.money(value, currency);
    case 'ratio': return format.ratio(value);
    default: return format.count(value);
  }
}

function detail(kpi, entry, currency) {
  if (!entry.parts || kpi.numerator === null || kpi.denominator === null) return '';
  const top = entry.format === 'money' ? format.money(kpi.numerator, currency) : format.count(kpi.numerator);
  const parts = entry.parts(top, format.count(kpi.denominator));
  if (!Array.isArray(kpi.interval)) return parts;
  const [low, high] = kpi.interval.map(format.ratio);
  return `${parts}\n95% interval ${low} to ${high}`;
}

// A live region for each number would talk without end; one summary, at most
// twice a minute and only when it changed, can be listened to.
function announcer(tiles) {
  let last = -Infinity;
  let said = '';
  return (view) => {
    const figures = tiles.map((tile) => `${tile.entry.title} ${tile.value.textContent}`).join(', ');
    const text = `${view.shop}, ${view.window}: ${figures}`;
    if (text === said || performance.now() - last < ANNOUNCE_MS) return;
    last = performance.now();
    said = text;
    setText(byId('announce'), text);
  };
}

function closeOnEscape(list) {
  list.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') event.target.closest('.tip-anchor')?.classList.add('closed');
  });
  const reopen = (event) => event.target.closest?.('.tip-anchor')?.classList.remove('closed');
  list.addEventListener('focusout', reopen);
  list.addEventListener('pointerenter', reopen, true);
  list.addEventListener('click', reopen);
}
