// The latest deliveries, newest first. Drawn at most twice a second from a
// short memory, because a sale weekend brings thousands a second.

import { el } from './dom.js';
import * as format from './format.js';
import { atMostEvery } from './schedule.js';

const KEPT = 30;
const DRAW_MS = 500;

/** The ticker; `add` takes a `delivery` event's data. */
export function createActivity(root) {
  const pause = el('button', { type: 'button', class: 'plain', 'aria-pressed': 'false' }, 'Pause');
  const note = el('p', { class: 'quiet' }, 'Waiting for the next delivery.');
  const list = el('ol', { class: 'ticker', tabindex: 0, 'aria-label': 'Recent deliveries, newest first' });
  const title = root.querySelector('h2');
  const head = el('div', { class: 'card-head' });
  title.replaceWith(head);
  head.append(title, pause);
  root.append(note, list);
  const recent = [];
  let paused = false;

  const drawing = atMostEvery(DRAW_MS, () => {
    if (!paused) draw(list, note, recent);
  });
  pause.addEventListener('click', () => {
    paused = !paused;
    pause.setAttribute('aria-pressed', String(paused));
    pause.textContent = paused ? 'Resume' : 'Pause';
    drawing.now();
  });

  return {
    add(delivery) {
      recent.unshift(delivery);
      recent.length = Math.min(recent.length, KEPT);
      drawing.wake();
    },
    /** Lets the relative times grow. */
    tick: () => recent.length > 0 && drawing.wake(),
  };
}

function draw(list, note, recent) {
  note.hidden = recent.length > 0;
  const now = Date.now();
  list.replaceChildren(...recent.map((delivery) => el('li', { class: delivery.effect === 'unchanged' ? 'unchanged' : '' },
    el('span', { class: 'what' }, format.words(delivery.kind ?? 'delivery')),
    el('span', { class: 'where' }, el('code', {}, delivery.topic ?? ''), ` ${delivery.shop ?? ''}`),
    el('span', { class: 'effect', title: delivery.effect === 'unchanged' ? 'A repetition or an older state: the figures stay' : 'The figures changed' },
      delivery.effect === 'unchanged' ? 'no change' : delivery.effect ?? ''),
    el('time', { datetime: delivery.at }, format.ago(Date.parse(delivery.at), now)))));
}
