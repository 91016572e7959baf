//! What a snapshot says of an order, as far as any KPI of this fold needs it.

use common::currency::Currency;
use common::customer::CustomerKey;
use common::event::{Line, OrderSnapshot, Presentment};
use common::id::Id;
use common::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a snapshot says, as far as any KPI of this fold needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The shop's currency.
    pub currency: Currency,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was cancelled.
    pub cancelled_at: Option<Timestamp>,
    /// A test order.
    pub test: bool,
    /// Prices hold their tax.
    pub taxes_included: bool,
    /// The customer's pseudonym.
    pub customer: Option<CustomerKey>,
    /// The lines.
    pub lines: Vec<ContentLine>,
    /// Shipping.
    pub shipping_minor: i64,
    /// Tax.
    pub tax_minor: i64,
    /// Duties.
    pub duties_minor: i64,
    /// Fees.
    pub fees_minor: i64,
    /// The rate of refunds in the buyer's currency.
    pub presentment: Option<Presentment>,
    /// The checkout.
    pub checkout: Option<Id>,
}

/// A line of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContentLine {
    /// The line's id.
    pub id: Id,
    /// Units.
    pub quantity: u32,
    /// Whether its price before discounts is above zero.
    pub priced: bool,
    /// A gift card.
    pub gift_card: bool,
    /// Price times quantity without tax.
    pub gross_minor: i64,
    /// Discounts.
    pub discount_minor: i64,
    /// Tax.
    pub tax_minor: i64,
    /// The product's id, or the article number where there is none.
    pub product: Option<Id>,
}

impl Content {
    /// Whether it is what `order` says.
    #[must_use]
    pub fn is_of(&self, order: &OrderSnapshot) -> bool {
        let amounts = |order: &OrderSnapshot| {
            (order.shipping_minor, order.tax_minor, order.duties_minor, order.fees_minor)
        };
        (self.currency, self.placed_at, self.cancelled_at, self.test, self.taxes_included)
            == (
                order.currency,
                order.placed_at,
                order.cancelled_at,
                order.test,
                order.taxes_included,
            )
            && (self.shipping_minor, self.tax_minor, self.duties_minor, self.fees_minor)
                == amounts(order)
            && (self.customer, self.presentment, &self.checkout)
                == (order.customer, order.presentment, &order.checkout)
            && self.lines.len() == order.lines.len()
            && self.lines.iter().zip(&order.lines).all(|(line, shown)| line.is_of(shown))
    }
}

impl ContentLine {
    /// Whether it is what `line` says.
    fn is_of(&self, line: &Line) -> bool {
        self.id == line.id
            && (self.quantity, self.priced, self.gift_card)
                == (line.quantity, line.price_minor > 0, line.gift_card)
            && (self.gross_minor, self.discount_minor, self.tax_minor)
                == (line.gross_minor, line.discount_minor, line.tax_minor)
            && self.product == product_of(line)
    }
}

impl From<OrderSnapshot> for Content {
    fn from(order: OrderSnapshot) -> Self {
        Self {
            currency: order.currency,
            placed_at: order.placed_at,
            cancelled_at: order.cancelled_at,
            test: order.test,
            taxes_included: order.taxes_included,
            customer: order.customer,
            lines: order.lines.into_iter().map(ContentLine::from).collect(),
            shipping_minor: order.shipping_minor,
            tax_minor: order.tax_minor,
            duties_minor: order.duties_minor,
            fees_minor: order.fees_minor,
            presentment: order.presentment,
            checkout: order.checkout,
        }
    }
}

impl From<Line> for ContentLine {
    fn from(line: Line) -> Self {
        let product = product_of(&line);
        Self {
            id: line.id,
            quantity: line.quantity,
            priced: line.price_minor > 0,
            gift_card: line.gift_card,
            gross_minor: line.gross_minor,
            discount_minor: line.discount_minor,
            tax_minor: line.tax_minor,
            product,
        }
    }
}

/// What names a line's product.
fn product_of(line: &Line) -> Option<Id> {
    let sku = || line.sku.as_deref().and_then(|sku| Id::parse(sku).ok());
    line.product.clone().or_else(sku)
}
