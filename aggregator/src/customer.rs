//! A customer of a shop as the API tells of it.

use common::customer::CustomerKey;
use common::shop::ShopDomain;
use common::store::{Snapshot, Store};
use serde::Serialize;

use crate::fold::book::{Terms, book};
use crate::fold::field::{Counter, Field};
use crate::kpi::figures::Whole;
use crate::kpi::number::money;
use crate::kpi::reader::{ReadError, ShopReader};
use crate::query::Query;

/// The reply of `.../customers/{key}`.
#[derive(Debug, Serialize)]
pub struct CustomerReply {
    key: String,
    orders: u64,
    first_order_at: Option<String>,
    last_order_at: Option<String>,
    historic: Option<String>,
    currency: Option<String>,
}

impl<S: Store> Query<S> {
    /// A customer by any of its keys.
    pub fn customer(
        &self,
        shop: &ShopDomain,
        key: CustomerKey,
    ) -> Result<Option<CustomerReply>, ReadError> {
        self.viewed(|snapshot| self.customer_from(snapshot, shop, key))
    }

    fn customer_from(
        &self,
        snapshot: &dyn Snapshot,
        shop: &ShopDomain,
        key: CustomerKey,
    ) -> Result<Option<CustomerReply>, ReadError> {
        let reader = ShopReader::new(snapshot, self.partition(shop), shop);
        let setting = self.settings().of(shop);
        let doc = reader.shop()?.ok_or(ReadError::UnknownShop)?;
        let Some((root, class)) = reader.class(key)? else { return Ok(None) };
        let now = doc.present(self.now());
        let mut entries = class.purchases.entries(&mut reader.chunks())?;
        entries.retain(|entry| entry.placed_at <= now);
        let currencies = ShopReader::currencies(&doc);
        let whole = Whole::new(currencies, setting.currency);
        let currency = whole.value_currency.unwrap_or(setting.currency);
        let mut historic = 0;
        for entry in &entries {
            let Some(order) = reader.order(&entry.order)? else { continue };
            let terms = Terms {
                at: now,
                customer_redacted: class.redacted(),
                shop_currency: setting.currency,
            };
            let net = Field::money(Counter::PurchaseNet, currency);
            let bookings = book(&order, terms).bookings;
            historic +=
                bookings.iter().filter(|booking| booking.1 == net).map(|b| b.2).sum::<i128>();
        }
        Ok(Some(CustomerReply {
            key: root.to_string(),
            orders: entries.len() as u64,
            first_order_at: entries.first().map(|entry| entry.placed_at.to_string()),
            last_order_at: entries.last().map(|entry| entry.placed_at.to_string()),
            historic: Some(money(historic, currency)),
            currency: Some(currency.to_string()),
        }))
    }
}
