// The stream of changes. The browser's EventSource reconnects after a broken
// connection by itself, but gives up for good after an HTTP error and never
// notices a connection that died silently; both are handled here.

import { ApiError, getJson } from './api.js';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 15_000;
const SILENCE_MS = 60_000;

/** Opens `/v1/stream` once `follow(shop)` says of which shop it is to tell whoever
 *  folds it, or null: then the server tells of what it folds itself. `on.state`
 *  hears `waiting`, `live` or `reconnecting`; `on.back` that changes may have been
 *  missed; `on.unauthorised` that a token is needed (the stream is then closed);
 *  `on.kpis`, `on.delivery` and `on.status` hear the events' data. */
export function openStream(on) {
  let source = null;
  let followed = null;
  let timer = null;
  let closed = false;
  let missed = false;
  let retry_ms = FIRST_RETRY_MS;
  let heard = performance.now();

  function connect() {
    source?.close();
    source = new EventSource(followed === null ? '/v1/stream' : `/v1/stream?shop=${encodeURIComponent(followed)}`);
    source.onopen = () => {
      heard = performance.now();
      retry_ms = FIRST_RETRY_MS;
      on.state('live');
      if (missed) on.back();
      missed = false;
    };
    source.onerror = () => {
      missed = true;
      on.state('reconnecting');
      if (source.readyState === EventSource.CLOSED) later();
    };
    for (const name of ['kpis', 'delivery', 'status']) {
      source.addEventListener(name, (event) => {
        heard = performance.now();
        const data = parsed(event.data);
        if (data) on[name](data);
      });
    }
  }

  // EventSource hides the HTTP status, so a plain call asks for it.
  function later() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      try {
        on.status(await getJson('/v1/status'));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) {
          close();
          on.unauthorised();
          return;
        }
      }
      if (!closed) connect();
    }, retry_ms * (0.75 + Math.random() / 2));
    retry_ms = Math.min(retry_ms * 2, LONGEST_RETRY_MS);
  }

  const watchdog = setInterval(() => {
    if (source?.readyState !== EventSource.OPEN || performance.now() - heard < SILENCE_MS) return;
    missed = true;
    heard = performance.now();
    connect();
  }, SILENCE_MS / 4);

  function follow(shop) {
    if (source !== null && shop === followed) return;
    // What happens between the two streams is heard by neither.
    missed ||= source !== null;
    followed = shop;
    clearTimeout(timer);
    heard = performance.now();
    connect();
  }

  function close() {
    closed = true;
    clearTimeout(timer);
    clearInterval(watchdog);
    source?.close();
  }

  on.state('waiting');
  return { close, follow };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
