// A frame around plots that share their columns: a legend, a line that says
// what the chosen column holds, keys that go from column to column, and the
// same figures as a table.

import { el, setText, table } from './dom.js';
import { createPlot } from './plot.js';

/** A chart in `host` with a plot of each of these heights. `draw` takes
 *  `columns` [{ short, long, partial }], `plots` [{ name, tick, whole, series }]
 *  with series of { name, short, values, texts, kind, color, dashed, silent },
 *  and `legend` [{ name, color, dashed }]. */
export function createChart(host, { label, caption, heights_px }) {
  const legend = el('ul', { class: 'legend', 'aria-hidden': 'true' });
  const readout = el('p', { class: 'readout' });
  const frame = el('div', { class: 'chart', tabindex: 0, role: 'group', 'aria-roledescription': 'chart', 'aria-label': `${label} Left and right arrow keys read the columns.` });
  const body = el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `${caption} as a table` });
  const details = el('details', {}, el('summary', {}, 'Show as a table'), body);
  host.append(legend, readout, frame, details);
  let shown = null;
  let chosen = null;

  const tell = () => setText(readout, shown ? sentence(shown, chosen) : '');
  const choose = (index) => {
    if (!shown || index === chosen) return;
    chosen = index === null ? null : Math.max(0, Math.min(shown.columns.length - 1, index));
    plots.forEach((plot) => plot.mark(chosen));
    tell();
  };
  const plots = heights_px.map((height_px, at) => {
    const place = el('div', { class: 'plot' });
    const name = el('p', { class: 'plot-name', 'aria-hidden': 'true' });
    frame.append(...(heights_px.length > 1 ? [name, place] : [place]));
    const plot = createPlot(place, height_px, choose);
    return { ...plot, draw: (data) => {
      setText(name, data.plots[at].name);
      plot.draw({ labels: data.columns.map((column) => column.short), ...data.plots[at] });
    } };
  });
  // Spoken while someone reads column by column, not at every live update.
  frame.addEventListener('focus', () => readout.setAttribute('aria-live', 'polite'));
  frame.addEventListener('blur', () => {
    readout.removeAttribute('aria-live');
    choose(null);
  });
  frame.addEventListener('keydown', (event) => {
    const target = step(event.key, shown, chosen);
    if (target === undefined) return;
    event.preventDefault();
    choose(target);
  });
  // A closed table costs nothing, however often the figures change.
  const fillTable = () => details.open && shown && body.replaceChildren(asTable(caption, shown));
  details.addEventListener('toggle', fillTable);

  return {
    draw(data) {
      shown = data;
      if (chosen !== null && chosen >= data.columns.length) chosen = null;
      legend.replaceChildren(...data.legend.map((one) => el('li', { class: `swatch ${one.dashed ? 'dashed' : ''} ${one.color.slice(2)}` }, one.name)));
      plots.forEach((plot) => plot.draw(data));
      tell();
      fillTable();
    },
    clear() {
      shown = null;
      chosen = null;
      legend.replaceChildren();
      body.replaceChildren();
      plots.forEach((plot) => plot.clear());
      tell();
    },
  };
}

function step(key, shown, chosen) {
  if (!shown) return undefined;
  const last = shown.columns.length - 1;
  switch (key) {
    case 'ArrowLeft': return (chosen ?? last + 1) - 1;
    case 'ArrowRight': return (chosen ?? last) + 1;
    case 'Home': return 0;
    case 'End': return last;
    case 'Escape': return null;
    default: return undefined;
  }
}

// What is drawn twice, as an unfinished column is, is told once.
const told = (plot) => plot.series.filter((series) => !series.silent);

// Of each plot the first figure, and in brackets what it stands beside. Unless a
// column is chosen it is the newest that is over: part of one says little beside
// a whole one.
function sentence(shown, chosen) {
  const first = told(shown.plots[0])[0];
  const known = shown.columns.map((column, i) => ({ i, partial: column.partial })).filter(({ i }) => first.texts[i] !== null);
  const newest = known.findLast(({ partial }) => !partial) ?? known.at(-1);
  const index = chosen ?? newest?.i;
  const column = shown.columns[index];
  if (!column) return '';
  const figures = shown.plots.map((plot) => {
    const [own, ...others] = told(plot);
    const beside = others.map(({ short, name, texts }) => `${short ?? name} ${texts[index] ?? 'none'}`).join(', ');
    return `${own.name} ${own.texts[index] ?? 'none yet'}${beside ? ` (${beside})` : ''}`;
  });
  return `${column.long}${column.partial ? ' (part)' : ''}: ${figures.join(' · ')}`;
}

function asTable(caption, shown) {
  const series = shown.plots.flatMap(told);
  const head = [{ text: 'Period' }, ...series.map(({ name }) => ({ text: name, number: true }))];
  const lines = shown.columns.map((column, i) => [
    column.partial ? `${column.long} (part)` : column.long,
    ...series.map(({ texts }) => texts[i] ?? '–'),
  ]);
  return table(caption, head, lines.reverse());
}
