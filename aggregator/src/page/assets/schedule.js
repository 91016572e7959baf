// When work runs. A busy shop reports changes hundreds of times a second; the
// page answers at most once an interval, one call at a time, and not at all
// while nobody looks.

const RETRY_MS = 5_000;

/** Runs `task` now or, if it ran within `interval_ms`, at the interval's end;
 *  requests in between are one. A failed task is repeated after a pause. */
export function atMostEvery(interval_ms, task) {
  let started = -Infinity;
  let timer = null;
  let running = false;
  let again = false;

  async function run() {
    timer = null;
    if (document.hidden) {
      again = true;
      return;
    }
    running = true;
    again = false;
    started = performance.now();
    let done = false;
    try {
      done = await task();
    } finally {
      running = false;
    }
    if (done === false) wake(RETRY_MS);
    else if (again) wake();
  }

  function wake(least_ms = 0) {
    if (running) {
      again = true;
      return;
    }
    if (timer !== null) return;
    timer = setTimeout(run, Math.max(least_ms, started + interval_ms - performance.now(), 0));
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && again && !running) wake();
  });

  return {
    wake: () => wake(),
    /** Runs without waiting for the interval, for what a person asked for. */
    now() {
      clearTimeout(timer);
      timer = null;
      started = -Infinity;
      wake();
    },
  };
}
