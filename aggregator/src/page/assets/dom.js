// Building blocks for the document. Text is only ever set as text, never as
// markup, because shop names and topics come from outside; and nothing sets a
// style attribute, because the page's content policy refuses it.

const SVG = 'http://www.w3.org/2000/svg';

/** The element with this id; the page's own ids always exist. */
export const byId = (id) => document.getElementById(id);

/** An HTML element: `el('p', { class: 'quiet' }, 'text', child)`. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, by the same rules. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Sets text only when it differs, and says whether it did, so that an
 *  unchanged figure neither flashes nor disturbs a selection. */
export function setText(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

/** A bar for a share between 0 and 1, drawn in SVG: a width in CSS would need
 *  an inline style. Its figure stands beside it as text. */
export function shareBar(share) {
  const width = Math.max(0, Math.min(1, share || 0)) * 100;
  return svg('svg', { class: 'share', viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { class: 'share-track', width: 100, height: 8 }),
    svg('rect', { class: 'share-fill', width, height: 8 }));
}

/** A table with a caption for screen readers. `head` cells may be
 *  `{ text, number: true }`; the first cell of a row is its header. */
export function table(caption, head, rows) {
  const classes = head.map((cell) => (cell.number ? { class: 'number' } : {}));
  return el('table', {},
    el('caption', { class: 'sr-only' }, caption),
    el('thead', {}, el('tr', {}, ...head.map((cell, i) => el('th', { scope: 'col', ...classes[i] }, cell.text)))),
    el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((cell, i) => (i === 0
      ? el('th', { scope: 'row', ...classes[i] }, cell)
      : el('td', classes[i], cell)))))));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
