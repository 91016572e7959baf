// The big numbers: which KPI each one shows, in which unit, what it means in one
// or two sentences and what it does not tell (docs/KPIS.md has the whole
// definition). A further number is a further entry here.

/** One entry a tile. `format` is money, count or ratio; `unit` follows the
 *  value; `window` is set where the KPI exists for one window only; `parts`
 *  names numerator and denominator; `few` is what a share or an average may be
 *  over too few of; `none` says why a value is missing; `better` is the
 *  direction that most shops hope for, left out where there is none; `ripens`
 *  is set where a figure of the last day still moves by itself. */
export const TILES = [
  {
    kpi: 'net_sales', title: 'Net sales', format: 'money', better: 'up', unit: (currency) => currency,
    definition: 'Gross sales less discounts and reversals, before tax and shipping. A sale counts on the day it was placed, a refund or cancellation on its own day; the sum can be negative.',
    blind: 'Profit: what goods, shipping and payment cost is not in it. Returns that are still to come will lower it.',
    none: 'No sales in this window',
  },
  {
    kpi: 'orders', title: 'Orders', format: 'count', better: 'up', unit: () => 'orders',
    definition: 'Orders placed in the window. Cancelled, unpaid and free orders count; test and deleted orders do not.',
    blind: 'How many of them were paid, shipped or kept.',
    none: 'No orders in this window',
  },
  {
    kpi: 'average_order_value', basis: 'placement', title: 'Average order value', format: 'money', better: 'up', unit: (currency) => `${currency} per order`,
    definition: 'Gross sales less discounts, divided by orders, all as placed: later edits, returns and cancellations do not change it. Tax and shipping are not in it.',
    parts: (n, d) => `${n} in ${d} orders`, few: 'orders',
    blind: 'What an ordinary order is: a few large ones lift an average. Nor what comes back of it.',
    none: 'No orders in this window',
  },
  {
    kpi: 'customers', title: 'Customers', format: 'count', better: 'up', unit: () => 'customers',
    definition: 'Distinct identified customers with a purchase in the window. Anonymous orders, and orders cancelled in full, are not counted.',
    blind: 'Whether they are new. Guests without id, e-mail and phone are not among them.',
    none: 'No identified customers in this window',
  },
  {
    kpi: 'repeat_purchase_ratio', title: 'Repeat purchase rate', format: 'ratio', better: 'up', unit: () => 'of customers',
    definition: 'Customers with two or more purchases in the window, divided by customers with at least one. Over 365 days it is often called retention rate.',
    parts: (n, d) => `${n} of ${d} customers`, few: 'customers',
    blind: 'Who will come back later: the shorter the window, the fewer have had the time. Compare windows of one length only.',
    none: 'No identified customers in this window',
  },
  {
    kpi: 'customer_lifetime_value', basis: 'historic', window: 'all', title: 'Customer lifetime value', format: 'money', better: 'up', unit: (currency) => `${currency} per customer, all time`,
    definition: 'Historic, net: the net sales of all purchases so far, divided by all customers so far. It is over all time, whichever window is chosen.',
    parts: (n, d) => `${n} from ${d} customers`, few: 'customers',
    blind: 'What customers will still buy. It is about the past, and every new customer pulls it down at first.',
    none: 'No identified customers yet',
  },
  {
    kpi: 'return_ratio', basis: 'units_period', title: 'Return rate', format: 'ratio', better: 'down', unit: () => 'of units',
    definition: 'Units, period: units that came back in the window, divided by units sold in the same window. It moves when sales move and can pass 100 %.',
    parts: (n, d) => `${n} of ${d} units`, few: 'units',
    blind: 'How many of this window’s orders will come back: most of what is returned now was bought before.',
    none: 'No units sold in this window',
  },
  {
    kpi: 'checkout_completion_ratio', title: 'Checkout completion', format: 'ratio', better: 'up', ripens: true, unit: () => 'of checkouts',
    definition: 'Checkouts that became an order, divided by checkouts started in the window. The youngest may still complete.',
    parts: (n, d) => `${n} of ${d} checkouts`, few: 'checkouts',
    blind: 'Who left before a checkout began, and whether the youngest checkouts will still complete.',
    none: 'No checkouts in this window',
  },
];

/** A share or an average over fewer than this many is marked, and not compared. */
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
