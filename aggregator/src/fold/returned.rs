//! Returned units: which units of a line came back, when, of what value and why.
//!
//! Two sequences of units exist, those of refunds that took goods back and those of closed returns;
//! the longer counts, and the k-th unit at the earlier of its two instants (KPI definitions, section 5).

use std::collections::BTreeSet;

use common::currency::Currency;
use common::event::{Refund, RefundLine, Restock, ReturnStatus};
use common::id::Id;
use common::reason::Reason;
use common::time::Timestamp;

use super::additions::{Addition, share};
use super::book::Terms;
use super::carried::greatest;
use super::content::Content;
use super::order::OrderDoc;
use super::parts::{currency_alone, scale};

/// A run of returned units of one line that share everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnedUnits {
    /// When they count as returned.
    pub at: Timestamp,
    /// How many.
    pub count: u32,
    /// Why.
    pub reason: Reason,
    /// Their value net of discounts.
    pub value: i128,
    /// The value's currency.
    pub currency: Currency,
    /// What names the product, where the order is known and says so.
    pub product: Option<Id>,
}

/// The returned units of a document; `known` holds the first and the last snapshot of a known order.
#[must_use]
pub fn of(
    doc: &OrderDoc,
    known: Option<(&Content, &Content)>,
    additions: &[Addition],
    terms: Terms,
) -> Vec<ReturnedUnits> {
    if doc.refunds.is_empty() && doc.returns.is_empty() {
        return Vec::new();
    }
    let facts = Facts::collect(doc, terms);
    let mut found = Vec::new();
    for line in facts.lines() {
        let ordered = known.map(|(first, last)| Ordered::of(line, first, last, additions, terms));
        facts.units_of(line, ordered.as_ref(), terms, &mut found);
    }
    found
}

/// What a known order says of a line.
struct Ordered {
    product: Option<Id>,
    units: u32,
    net: i128,
    quantity: u32,
    currency: Currency,
    taxes_included: bool,
}

impl Ordered {
    fn of(
        line: &Id,
        first: &Content,
        last: &Content,
        additions: &[Addition],
        terms: Terms,
    ) -> Self {
        let find = |content: &'_ Content| content.lines.iter().position(|known| known.id == *line);
        let placed = find(first).map(|at| &first.lines[at]);
        let standing = find(last).map(|at| &last.lines[at]);
        let gift = standing.or(placed).is_some_and(|line| line.gift_card);
        let later =
            additions.iter().filter(|addition| addition.line == *line && addition.at <= terms.at);
        let added: u32 = later.map(|addition| addition.units).sum();
        let units = if gift { 0 } else { placed.map_or(0, |line| line.quantity) + added };
        let net = standing
            .map_or(0, |line| i128::from(line.gross_minor) - i128::from(line.discount_minor));
        let quantity = standing.map_or(0, |line| line.quantity);
        let (currency, taxes_included) = (last.currency, last.taxes_included);
        let product = standing.or(placed).and_then(|line| line.product.clone());
        Self { product, units, net, quantity, currency, taxes_included }
    }
}

/// Units of refund lines, of closed returns and of reasons, in their order.
struct Facts<'a> {
    refunded: Vec<(&'a Refund, &'a RefundLine)>,
    closed: Vec<Unit<'a>>,
    reasons: Vec<Unit<'a>>,
}

/// Units of a return line at the instant that orders them.
struct Unit<'a> {
    line: &'a Id,
    count: u32,
    at: Timestamp,
    reason: Reason,
}

impl<'a> Facts<'a> {
    fn collect(doc: &'a OrderDoc, terms: Terms) -> Self {
        let mut refunds: Vec<&Refund> = greatest(&doc.refunds, |refund| &refund.id)
            .map(|copy| &copy.item)
            .filter(|refund| refund.at <= terms.at)
            .collect();
        refunds.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let back = |line: &&RefundLine| {
            line.restock == Restock::Return && !line.gift_card && line.quantity > 0
        };
        let lines =
            |refund: &'a Refund| refund.lines.iter().filter(back).map(move |line| (refund, line));
        let refunded = refunds.into_iter().flat_map(lines).collect();

        let (mut closed, mut reasons) = (Vec::new(), Vec::new());
        for shown in &doc.returns {
            let Some(standing) = shown.standing(terms.at) else { continue };
            for line in shown.lines(terms.at).filter(|line| line.quantity > 0) {
                let unit = |at| Unit {
                    line: &line.line.line,
                    count: line.quantity,
                    at,
                    reason: line.line.reason,
                };
                if standing.status == ReturnStatus::Closed {
                    closed.push((
                        (standing.closed_at, &shown.id, &line.line.id),
                        unit(standing.closed_at),
                    ));
                }
                if !matches!(standing.status, ReturnStatus::Declined | ReturnStatus::Canceled) {
                    reasons
                        .push(((line.first_seen, &shown.id, &line.line.id), unit(line.first_seen)));
                }
            }
        }
        closed.sort_by(|a, b| a.0.cmp(&b.0));
        reasons.sort_by(|a, b| a.0.cmp(&b.0));
        let units = |sorted: Vec<(_, Unit<'a>)>| sorted.into_iter().map(|(_, unit)| unit).collect();
        Self { refunded, closed: units(closed), reasons: units(reasons) }
    }

    fn lines(&self) -> BTreeSet<&'a Id> {
        let refunded = self.refunded.iter().map(|(_, line)| &line.line);
        refunded.chain(self.closed.iter().map(|unit| unit.line)).collect()
    }

    fn units_of(
        &self,
        line: &Id,
        ordered: Option<&Ordered>,
        terms: Terms,
        found: &mut Vec<ReturnedUnits>,
    ) {
        let refunded = self.refunded.iter().filter(|(_, refunded)| refunded.line == *line);
        let of_line = |unit: &&Unit<'a>| unit.line == line;
        let mut refunded = Cursor::new(refunded.map(|both| (*both, both.1.quantity)));
        let mut closed =
            Cursor::new(self.closed.iter().filter(of_line).map(|unit| (unit, unit.count)));
        let mut reasons =
            Cursor::new(self.reasons.iter().filter(of_line).map(|unit| (unit, unit.count)));
        let mut left = ordered.map_or(u32::MAX, |ordered| ordered.units);
        let mut position = 0;
        while left > 0 {
            let sides = [refunded.left(), closed.left()];
            let Some(mut count) = sides.into_iter().flatten().min() else { break };
            count = count.min(left).min(reasons.left().unwrap_or(u32::MAX));
            let (refund, close) = (refunded.take(count), closed.take(count));
            let reason = reasons.take(count).map(|(unit, _)| unit.reason);
            let by_refund = refund.map(|((refund, _), _)| refund.at);
            let by_close = close.map(|(unit, _)| unit.at);
            let Some(at) = by_refund.into_iter().chain(by_close).min() else { break };
            let (value, currency) = value_of(refund, ordered, position, count, terms);
            let reason = reason.or_else(|| {
                refund.and_then(|((refund, line), _)| line.reason.or(refund.note_reason))
            });
            found.push(ReturnedUnits {
                at,
                count,
                reason: reason.unwrap_or(Reason::Unknown),
                value,
                currency,
                product: ordered.and_then(|ordered| ordered.product.clone()),
            });
            position += count;
            left -= count;
        }
    }
}

type RefundedRun<'a> = ((&'a Refund, &'a RefundLine), u32);

/// The value of `count` units: the refund line's where there is one, else the order line's.
fn value_of(
    refund: Option<RefundedRun<'_>>,
    ordered: Option<&Ordered>,
    position: u32,
    count: u32,
    terms: Terms,
) -> (i128, Currency) {
    if let Some(((refund, line), offset)) = refund {
        let alone = || currency_alone(refund, terms.shop_currency);
        let own = ordered.map_or_else(alone, |ordered| ordered.currency);
        let currency = refund.currency.unwrap_or(own);
        let included = ordered.is_some_and(|ordered| ordered.taxes_included);
        let amount = scale(refund, refund.goods_minor(line, included).into(), currency);
        return (share(amount, offset, offset + count, line.quantity), currency);
    }
    let Some(ordered) = ordered else { return (0, terms.shop_currency) };
    if ordered.quantity == 0 {
        return (0, ordered.currency);
    }
    (share(ordered.net, position, position + count, ordered.quantity), ordered.currency)
}

/// Walks a sequence of runs of units side by side with others.
struct Cursor<T, I: Iterator<Item = (T, u32)>> {
    runs: I,
    run: Option<(T, u32)>,
    offset: u32,
}

impl<T: Copy, I: Iterator<Item = (T, u32)>> Cursor<T, I> {
    fn new(mut runs: I) -> Self {
        let run = runs.next();
        Self { runs, run, offset: 0 }
    }

    /// Units left in the run at hand.
    fn left(&self) -> Option<u32> {
        self.run.as_ref().map(|(_, count)| count - self.offset)
    }

    /// Takes units off the run at hand, at most as many as are left; the run and the units taken before.
    fn take(&mut self, count: u32) -> Option<(T, u32)> {
        let (item, size) = self.run?;
        let offset = self.offset;
        self.offset += count;
        if self.offset >= size {
            self.run = self.runs.next();
            self.offset = 0;
        }
        Some((item, offset))
    }
}
