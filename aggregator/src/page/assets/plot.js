// One plot of columns over time, drawn by uPlot: bars, lines or both, with one
// scale that always holds zero. The picture is silent; its frame (chart.js)
// says in words and in a table what it shows.

import uPlot from './uplot.js';

const LABEL_PX = 78;
const LEFT_PX = 60;
const PADDING_PX = [8, 22, 0, 0];
const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Helvetica, Arial, sans-serif';
const WHOLE_STEPS = [1, 2, 5].flatMap((digit) => Array.from({ length: 10 }, (_, power) => digit * 10 ** power)).sort((a, b) => a - b);
const BARS = uPlot.paths.bars({ size: [0.74, 48], radius: 0.12 });

/** A plot in `host`. `chosen` hears the column under the pointer, or null.
 *  `draw` takes `labels`, `tick`, `whole` and `series` of { values, kind, color,
 *  dashed }; a value of null is a gap, a color the name of a CSS variable. */
export function createPlot(host, height_px, chosen) {
  let shown = null;
  let plot = null;
  let marked = null;
  // Only the pointer chooses: drawing and `mark` move the cursor as well.
  let pointed = false;
  const point = (index) => pointed && chosen(index);
  host.addEventListener('pointermove', () => { pointed = true; }, true);
  host.addEventListener('pointerleave', () => {
    point(null);
    pointed = false;
  });

  const build = () => {
    plot?.destroy();
    plot = null;
    marked = null;
    if (!shown || host.clientWidth === 0) return;
    plot = new uPlot(options(() => shown, host, height_px, point), data(shown), host);
    plot.root.setAttribute('aria-hidden', 'true');
  };
  // Colours are the page's own, which follow the reader's preference.
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) matchMedia(query).addEventListener('change', build);
  new ResizeObserver(() => {
    if (plot && host.clientWidth > 0) plot.setSize({ width: host.clientWidth, height: height_px });
    else build();
  }).observe(host);

  return {
    draw(next) {
      const isSame = plot && shape(next) === shape(shown);
      shown = next;
      if (isSame) plot.setData(data(next));
      else build();
    },
    /** Figures of another selection must not stand under the new one. */
    clear() {
      shown = null;
      build();
    },
    /** Shows which column is being read. */
    mark(index) {
      if (!plot || index === marked) return;
      marked = index;
      plot.setCursor(index === null ? { left: -10, top: -10 } : { left: plot.valToPos(index, 'x'), top: 0 }, false);
    },
  };
}

const shape = ({ labels, series }) => JSON.stringify([labels.length, series.map(({ kind, color, dashed }) => [kind, color, dashed])]);

const data = ({ labels, series }) => [labels.map((_, i) => i), ...series.map(({ values }) => values)];

function options(shown, host, height_px, point) {
  const color = (name) => getComputedStyle(host).getPropertyValue(name).trim();
  const axis = { stroke: color('--quiet'), font: FONT, ticks: { show: false } };
  return {
    width: host.clientWidth,
    height: height_px,
    padding: PADDING_PX,
    legend: { show: false },
    select: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: {
      x: { time: false, range: () => [-0.5, Math.max(0.5, shown().labels.length - 0.5)] },
      y: { range: (_, low, high) => withZero(low, high) },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 26, gap: 6, splits: (plot) => every(shown().labels.length, plot.bbox.width / devicePixelRatio), values: (_, at) => at.map((i) => shown().labels[i] ?? '') },
      {
        ...axis, size: LEFT_PX, gap: 6, grid: { stroke: color('--line'), width: 1 }, space: 40,
        values: (_, at) => at.map((value) => shown().tick(value)), ...(shown().whole ? { incrs: WHOLE_STEPS } : {}),
      },
    ],
    series: [{}, ...shown().series.map((one) => line(one, color))],
    hooks: { setCursor: [(plot) => point(plot.cursor.left < 0 ? null : plot.cursor.idx ?? null)] },
  };
}

function line({ kind, color: name, dashed }, color) {
  const stroke = color(name);
  if (kind === 'bars') return { paths: BARS, fill: stroke, width: 0, points: { show: false } };
  return { stroke, width: dashed ? 1.5 : 2.25, dash: dashed ? [5, 4] : undefined, points: { show: false } };
}

function withZero(low, high) {
  const [from, to] = [Math.min(0, low ?? 0), Math.max(0, high ?? 0)];
  const soft = { pad: 0.08, soft: 0, mode: 1 };
  return from === to ? [0, 1] : uPlot.rangeNum(from, to, { min: soft, max: soft });
}

// From the last column back, so that the newest one always has its label.
function every(columns, width_px) {
  const step = Math.max(1, Math.ceil(columns / Math.max(1, Math.floor(width_px / LABEL_PX))));
  const found = [];
  for (let i = columns - 1; i >= 0; i -= step) found.unshift(i);
  return found;
}
