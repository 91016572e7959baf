// A figure's course in a line without axes; its figures stand in the charts
// and in the API.

import { svg } from './dom.js';

const WIDTH = 100;
const HEIGHT = 28;
const EDGE = 2;

/** A line through these values, of which null is a gap. */
export function sparkline(values) {
  const known = values.filter((value) => value !== null);
  const root = svg('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  if (known.length < 2) return root;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (i) => (i / (values.length - 1)) * WIDTH;
  const y = (value) => (high === low ? HEIGHT / 2 : HEIGHT - EDGE - ((value - low) / (high - low)) * (HEIGHT - 2 * EDGE));
  let path = '';
  values.forEach((value, i) => {
    if (value !== null) path += `${i === 0 || values[i - 1] === null ? 'M' : 'L'}${x(i).toFixed(2)} ${y(value).toFixed(2)}`;
  });
  root.append(svg('path', { d: path, 'vector-effect': 'non-scaling-stroke' }));
  return root;
}
