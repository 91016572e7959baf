// The big numbers: which KPI each one shows, in which unit, and what it means
// in one or two sentences (docs/KPIS.md has the whole definition). A further
// number is a further entry here.

/** One entry a tile. `format` is money, count or ratio; `unit` follows the
 *  value; `window` is set where the KPI exists for one window only; `parts`
 *  names numerator and denominator; `none` says why a value is missing. */
export const TILES = [
  {
    kpi: 'net_sales', title: 'Net sales', format: 'money', unit: (currency) => currency,
    definition: 'Gross sales less discounts and reversals, before tax and shipping. A sale counts on the day it was placed, a refund or cancellation on its own day; the sum can be negative.',
    none: 'No sales in this window',
  },
  {
    kpi: 'orders', title: 'Orders', format: 'count', unit: () => 'orders',
    definition: 'Orders placed in the window. Cancelled, unpaid and free orders count; test and deleted orders do not.',
    none: 'No orders in this window',
  },
  {
    kpi: 'average_order_value', basis: 'placement', title: 'Average order value', format: 'money', unit: (currency) => `${currency} per order`,
    definition: 'Gross sales less discounts, divided by orders, all as placed: later edits, returns and cancellations do not change it. Tax and shipping are not in it.',
    parts: (n, d) => `${n} in ${d} orders`,
    none: 'No orders in this window',
  },
  {
    kpi: 'customers', title: 'Customers', format: 'count', unit: () => 'customers',
    definition: 'Distinct identified customers with a purchase in the window. Anonymous orders, and orders cancelled in full, are not counted.',
    none: 'No identified customers in this window',
  },
  {
    kpi: 'repeat_purchase_ratio', title: 'Repeat purchase rate', format: 'ratio', unit: () => 'of customers',
    definition: 'Customers with two or more purchases in the window, divided by customers with at least one. Over 365 days it is often called retention rate.',
    parts: (n, d) => `${n} of ${d} customers`, few: 'few customers',
    none: 'No identified customers in this window',
  },
  {
    kpi: 'customer_lifetime_value', basis: 'historic', window: 'all', title: 'Customer lifetime value', format: 'money', unit: (currency) => `${currency} per customer, all time`,
    definition: 'Historic, net: the net sales of all purchases so far, divided by all customers so far. It is over all time, whichever window is chosen.',
    parts: (n, d) => `${n} from ${d} customers`,
    none: 'No identified customers yet',
  },
  {
    kpi: 'return_ratio', basis: 'units_period', title: 'Return rate', format: 'ratio', unit: () => 'of units',
    definition: 'Units, period: units that came back in the window, divided by units sold in the same window. It moves when sales move and can pass 100 %.',
    parts: (n, d) => `${n} of ${d} units`, few: 'few units',
    none: 'No units sold in this window',
  },
  {
    kpi: 'checkout_completion_ratio', title: 'Checkout completion', format: 'ratio', unit: () => 'of checkouts',
    definition: 'Checkouts that became an order, divided by checkouts started in the window. The youngest may still complete.',
    parts: (n, d) => `${n} of ${d} checkouts`, few: 'few checkouts',
    none: 'No checkouts in this window',
  },
];

/** A rate over fewer than this many is marked, with what it is too few of. */
export const FEW = 30;

/** The KPI of a reply that an entry shows, or undefined. */
export function find(kpis, entry, window, currency) {
  return kpis.find((kpi) => kpi.kpi === entry.kpi
    && (!entry.basis || kpi.basis === entry.basis)
    && kpi.window === (entry.window ?? window)
    && !kpi.reason
    && (!kpi.currency || entry.format !== 'money' || kpi.currency === currency));
}

/** The currencies of a reply, and the one with the most orders. */
export function currencies(kpis) {
  const orders = new Map();
  for (const kpi of kpis) {
    if (!kpi.currency) continue;
    const placed = kpi.kpi === 'average_order_value' && kpi.basis === 'placement' ? Number(kpi.denominator ?? 0) : 0;
    orders.set(kpi.currency, Math.max(orders.get(kpi.currency) ?? 0, placed));
  }
  const all = [...orders.keys()];
  return { all, main: all.reduce((best, code) => (orders.get(code) > orders.get(best) ? code : best), all[0]) };
}
