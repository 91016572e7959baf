// Figures and instants as people read them. Values arrive as decimal strings
// and reach Intl.NumberFormat as strings, so that no sum of money passes
// through a float. Numbers follow the browser's language; the page's words,
// and so its dates, are English.

const DATES = 'en-GB';
const cache = new Map();

/** Money in the currency's own digits, rounded half to even; null is null. */
export function money(value, currency) {
  if (value === null || value === undefined) return null;
  if (!currency) return decimal(value, 2);
  return byCurrency(currency, {}).format(value);
}

/** Money for an axis: short, from a drawn (float) value. */
export function shortMoney(value, currency) {
  return byCurrency(currency, { notation: 'compact', minimumFractionDigits: 0, maximumFractionDigits: 1 }).format(value);
}

/** A whole number with grouping; null is null. */
export const count = (value) => (value === null || value === undefined ? null : decimal(value, 0));

/** A number for an axis. */
export const shortCount = (value) => numbers({ notation: 'compact', maximumFractionDigits: 1 }).format(value);

/** A fraction as a percentage with one digit; null is null. */
export function ratio(value) {
  if (value === null || value === undefined) return null;
  return numbers({ style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value);
}

/** A relative change as a percentage with its sign. */
export const change = (value) => signed({ style: 'percent' }).format(value);

/** A difference of two fractions in points of a percentage, with its sign. */
export function points(value) {
  const parts = signed({ style: 'percent' }).formatToParts(value);
  return `${parts.filter((part) => part.type !== 'percentSign' && part.type !== 'literal').map((part) => part.value).join('')} points`;
}

/** -1, 0 or 1: which way a signed text points once it is rounded. */
export function signOf(text) {
  if (!/[1-9]/.test(text)) return 0;
  return /^[-−]/.test(text) ? -1 : 1;
}

/** A factor with two digits. */
export const factor = (value) => numbers({ maximumSignificantDigits: 2 }).format(value);

/** An estimated number of things, with one digit. */
export const estimate = (value) => numbers({ maximumFractionDigits: 1 }).format(value);

/** `3 s ago`; clocks that disagree by a little never show the future. */
export function ago(instant, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - instant) / 1000));
  if (seconds < 2) return 'just now';
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

/** A date and a time to the minute in the shop's zone. */
export function instant(value, zone) {
  return dates({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' }, zone).format(new Date(value));
}

/** The time of day in the shop's zone. */
export const clock = (value, zone) => dates({ hour: '2-digit', minute: '2-digit' }, zone).format(new Date(value));

/** `last Thursday`, in the shop's zone. */
export const weekday = (value, zone) => `last ${dates({ weekday: 'long' }, zone).format(new Date(value))}`;

/** Names of one point of a series: short for the axis, long for the reader. */
export function bucket(from, step, zone) {
  const date = new Date(from);
  const day = { day: 'numeric', month: 'short' };
  switch (step) {
    case '1h': {
      const hour = dates({ hour: '2-digit', minute: '2-digit' }, zone).format(date);
      return { short: hour, long: `${dates({ weekday: 'short', ...day }, zone).format(date)}, ${hour}` };
    }
    case '1mo': {
      const month = dates({ month: 'short', year: 'numeric' }, zone).format(date);
      return { short: month, long: month };
    }
    case '1w':
      return { short: dates(day, zone).format(date), long: `Week of ${dates({ ...day, year: 'numeric' }, zone).format(date)}` };
    default:
      return { short: dates(day, zone).format(date), long: dates({ weekday: 'short', ...day, year: 'numeric' }, zone).format(date) };
  }
}

/** `last Thursday` as `Last Thursday`. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** `size_too_small` as `Size too small`. */
export const words = (code) => capital(String(code).replaceAll('_', ' '));

const signed = (options) => numbers({ signDisplay: 'exceptZero', minimumFractionDigits: 1, maximumFractionDigits: 1, ...options });

const decimal = (value, digits) => numbers({ maximumFractionDigits: digits }).format(value);

function numbers(options) {
  return remembered(`n${JSON.stringify(options)}`, () => new Intl.NumberFormat(undefined, { roundingMode: 'halfEven', ...options }));
}

function byCurrency(currency, options) {
  return remembered(`c${currency}${JSON.stringify(options)}`, () => {
    try {
      return new Intl.NumberFormat(undefined, { style: 'currency', currency, roundingMode: 'halfEven', ...options });
    } catch {
      // A code that Intl refuses still shows its figure, with the code beside it.
      const plain = numbers({ maximumFractionDigits: 2, ...options });
      return { format: (value) => `${plain.format(value)} ${currency}` };
    }
  });
}

function dates(options, zone) {
  return remembered(`d${zone}${JSON.stringify(options)}`, () => {
    try {
      return new Intl.DateTimeFormat(DATES, { ...options, timeZone: zone || 'UTC' });
    } catch {
      // The browser's zone list may be older than the server's.
      return new Intl.DateTimeFormat(DATES, { ...options, timeZone: 'UTC' });
    }
  });
}

function remembered(key, make) {
  if (!cache.has(key)) cache.set(key, make());
  return cache.get(key);
}
