// What the reader looks at: shop, window, currency. It lives in the address,
// so that a view can be bookmarked and shared.

import { byId, el } from './dom.js';

const WINDOWS = ['24h', '7d', '30d', '90d', '365d', 'all'];
const DEFAULT_WINDOW = '30d';

/** The pickers. `changed` is called after each choice of the reader. */
export function createSelection(changed) {
  const form = byId('pickers');
  const asked = new URLSearchParams(location.search);
  const selection = {
    shop: asked.get('shop'),
    window: WINDOWS.includes(asked.get('window')) ? asked.get('window') : DEFAULT_WINDOW,
    currency: asked.get('currency'),
  };

  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', () => {
    const chosen = new FormData(form);
    const shop = chosen.get('shop');
    // Another shop may not have the currency; its own main one is better.
    selection.currency = shop === selection.shop ? chosen.get('currency') || selection.currency : null;
    selection.shop = shop;
    selection.window = chosen.get('window');
    remember(selection);
    changed();
  });
  form.querySelector(`[name=window][value="${selection.window}"]`).checked = true;

  return {
    get: () => selection,
    /** Offers these shops; an unknown choice falls to the busiest one. */
    offerShops(shops) {
      const names = shops.map((shop) => shop.shop);
      if (!names.includes(selection.shop)) {
        selection.shop = shops.reduce((best, shop) => (Number(shop.orders) > Number(best.orders) ? shop : best), shops[0]).shop;
        selection.currency = null;
      }
      options(byId('shop'), names, selection.shop);
      form.hidden = false;
    },
    /** Offers these currencies, `main` where none of them is chosen. */
    offerCurrencies(currencies, main) {
      if (!currencies.includes(selection.currency)) selection.currency = main;
      options(byId('currency'), currencies, selection.currency);
      byId('currency-field').hidden = currencies.length < 2;
    },
    hide() {
      form.hidden = true;
    },
  };
}

// An open list closes when its options are replaced, so equal lists stay.
function options(select, values, chosen) {
  const now = [...select.options].map((option) => option.value);
  if (now.length !== values.length || now.some((value, i) => value !== values[i])) {
    select.replaceChildren(...values.map((value) => el('option', { value }, value)));
  }
  select.value = chosen;
}

function remember(selection) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(selection)) if (value) query.set(name, value);
  history.replaceState(null, '', `?${query}`);
}
