// The big numbers. Tiles are built once and only their text changes, so that
// focus, an open definition and a selection survive every update.

import { FEW, TILES, find } from './catalogue.js';
import { byId, el, setText } from './dom.js';
import * as format from './format.js';

// Longest figures, in characters, of the four sizes in the style sheet.
const SIZES = [8, 11, 14];
const ANNOUNCE_MS = 30_000;

/** The tiles in `list`; `show(reply, view)` writes the figures. */
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
    /** Figures of another selection must not stand under the new one. */
    clear() {
      list.classList.add('loading');
      for (const tile of tiles) {
        setText(tile.value, '–');
        tile.fresh = true;
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
  const few = el('span', { class: 'chip', hidden: true }, entry.few ?? '');
  const root = el('li', { class: 'tile' },
    el('div', { class: 'tile-head' },
      el('h3', {}, entry.title),
      el('span', { class: 'tip-anchor' }, button, el('span', { class: 'tip', role: 'tooltip', id }, entry.definition))),
    el('p', { class: 'figure' }, value, ' ', unit),
    el('div', { class: 'tile-foot' }, detail, few));
  value.addEventListener('animationend', () => value.classList.remove('changed'));
  return { entry, root, value, unit, detail, few, fresh: true };
}

function write(tile, kpi, view) {
  const { entry } = tile;
  const text = formatted(kpi?.value ?? null, entry, view.currency);
  const defined = text !== null;
  // Null with something to divide by is a figure that needs more data.
  const enough = !defined && Number(kpi?.denominator ?? 0) > 0;
  const shown = defined ? text : (enough ? 'Too few orders' : 'Not defined');
  if (setText(tile.value, shown) && !tile.fresh) tile.value.classList.add('changed');
  tile.fresh = false;
  tile.value.classList.toggle('undefined', !defined);
  tile.value.dataset.size = SIZES.filter((longest) => shown.length > longest).length;
  setText(tile.unit, defined ? entry.unit(view.currency ?? '') : '');
  setText(tile.detail, defined ? detail(kpi, entry, view.currency) : (enough ? 'More orders are needed' : entry.none));
  tile.few.hidden = !(defined && entry.few && Number(kpi.denominator ?? FEW) < FEW);
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
