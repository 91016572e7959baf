// Columns over time in SVG: one or more rows that share their time axis, each
// with a scale of its own (two scales in one row would invent crossings).
// Drawn in pixels and redrawn on resize, so that text keeps its size.

import { el, setText, svg } from './dom.js';

const LEFT = 58;
const RIGHT = 6;
const TOP = 10;
const GAP = 30;
const AXIS = 22;
const LABEL_PX = 74;
const ROOMY_PX = 560;
const ROOMY = 1.4;

/** A chart in `host`. `draw` takes `columns` [{ short, long, partial }] and
 *  `rows` [{ name, values, texts, tick, height_px, whole }]; null is a gap. */
export function createChart(host, label) {
  const readout = el('p', { class: 'readout' });
  const frame = el('div', { class: 'chart', tabindex: 0, role: 'group', 'aria-roledescription': 'chart', 'aria-label': label });
  host.append(readout, frame);
  const state = { data: null, chosen: null };

  const render = () => {
    if (!state.data || frame.clientWidth === 0) return;
    frame.replaceChildren(picture(state, frame.clientWidth));
    tell(readout, state);
  };
  const choose = (index) => {
    if (!state.data || index === state.chosen) return;
    state.chosen = index === null ? null : Math.max(0, Math.min(state.data.columns.length - 1, index));
    mark(frame, state);
    tell(readout, state);
  };
  frame.addEventListener('pointermove', (event) => choose(columnAt(frame, state, event.clientX)));
  frame.addEventListener('pointerleave', () => choose(null));
  // Spoken while someone reads column by column, not at every live update.
  frame.addEventListener('focus', () => readout.setAttribute('aria-live', 'polite'));
  frame.addEventListener('blur', () => {
    readout.removeAttribute('aria-live');
    choose(null);
  });
  frame.addEventListener('keydown', (event) => {
    const target = step(event.key, state);
    if (target === undefined) return;
    event.preventDefault();
    choose(target);
  });
  new ResizeObserver(render).observe(frame);

  return {
    draw(data) {
      if (state.chosen !== null && state.chosen >= data.columns.length) state.chosen = null;
      state.data = data;
      render();
    },
  };
}

function step(key, { data, chosen }) {
  if (!data) return undefined;
  const last = data.columns.length - 1;
  switch (key) {
    case 'ArrowLeft': return (chosen ?? last + 1) - 1;
    case 'ArrowRight': return (chosen ?? last) + 1;
    case 'Home': return 0;
    case 'End': return last;
    case 'Escape': return null;
    default: return undefined;
  }
}

function columnAt(frame, { data }, clientX) {
  if (!data) return null;
  const box = frame.getBoundingClientRect();
  const width = (box.width - LEFT - RIGHT) / data.columns.length;
  const index = Math.floor((clientX - box.left - LEFT) / width);
  return index < 0 || index >= data.columns.length ? null : index;
}

function tell(readout, { data, chosen }) {
  const index = chosen ?? data.columns.length - 1;
  const column = data.columns[index];
  if (!column) {
    setText(readout, '');
    return;
  }
  const figures = data.rows.map((row) => `${row.name} ${row.texts[index] ?? 'not defined'}`).join(' · ');
  setText(readout, `${column.long}${column.partial ? ' (part)' : ''}: ${figures}`);
}

function mark(frame, { chosen }) {
  for (const node of frame.querySelectorAll('[data-i]')) {
    node.classList.toggle('chosen', Number(node.dataset.i) === chosen);
  }
}

function picture(state, width) {
  const { columns } = state.data;
  const stretch = width < ROOMY_PX ? 1 : ROOMY;
  const rows = state.data.rows.map((row) => ({ ...row, height_px: row.height_px * stretch }));
  const slot = (width - LEFT - RIGHT) / Math.max(1, columns.length);
  const drawing = svg('g');
  let top = TOP;
  const bottom = rows.reduce((end, row) => end + row.height_px + GAP, TOP) - GAP;
  columns.forEach((_, i) => drawing.append(svg('rect', {
    class: state.chosen === i ? 'cursor chosen' : 'cursor', 'data-i': i, x: LEFT + i * slot, y: 0, width: slot, height: bottom,
  })));
  rows.forEach((row, r) => {
    drawing.append(drawRow(row, columns, { r, top, width, slot }));
    top += row.height_px + GAP;
  });
  drawing.append(timeAxis(columns, slot, bottom));
  const height = bottom + AXIS;
  // The picture is silent: the readout and the table say what it shows.
  return svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' }, drawing);
}

function drawRow(row, columns, { r, top, width, slot }) {
  const scale = ticks(row.values, row.height_px, row.whole);
  const y = (value) => top + row.height_px * (1 - (value - scale.low) / (scale.high - scale.low));
  const group = svg('g', { class: `row-${r}` });
  for (const tick of scale.ticks) {
    group.append(
      svg('line', { class: tick === 0 ? 'zero' : 'grid', x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      svg('text', { class: 'tick', x: LEFT - 8, y: y(tick) + 4, 'text-anchor': 'end' }, row.tick(tick)));
  }
  const gap = slot > 6 ? Math.min(6, slot * 0.28) : 0.5;
  row.values.forEach((value, i) => {
    if (value === null) return;
    const edge = Math.min(y(0), y(value));
    const height = Math.abs(y(0) - y(value));
    group.append(svg('rect', {
      class: columns[i].partial ? 'bar partial' : 'bar', x: LEFT + i * slot + gap / 2, y: edge,
      width: Math.max(1, slot - gap), height: value === 0 ? 0 : Math.max(1, height), rx: Math.min(2, slot / 6),
    }));
  });
  return group;
}

function timeAxis(columns, slot, bottom) {
  const every = Math.max(1, Math.ceil(LABEL_PX / slot));
  const group = svg('g');
  for (let i = columns.length - 1; i >= 0; i -= every) {
    const x = LEFT + (i + 0.5) * slot;
    if (x < LEFT + 16) continue;
    const last = i === columns.length - 1 && slot < LABEL_PX;
    group.append(svg('text', { class: 'tick', x: last ? x + slot / 2 : x, y: bottom + 17, 'text-anchor': last ? 'end' : 'middle' }, columns[i].short));
  }
  return group;
}

// Round steps of 1, 2 or 5 times a power of ten, always with zero in view.
function ticks(values, height_px, whole) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const high = Math.max(0, ...known);
  const wanted = Math.max(2, Math.floor(height_px / 44));
  const raw = (high - low || wanted) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  let size = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
  if (whole) size = Math.max(1, Math.round(size));
  const first = Math.floor(low / size);
  const last = Math.max(Math.ceil(high / size), first + 1);
  const marks = [];
  for (let k = first; k <= last; k += 1) marks.push(k === 0 ? 0 : k * size);
  return { low: first * size, high: last * size, ticks: marks };
}
