//! A shop's redaction: what no later delivery carries is erased, the rest is booked anew.

use common::id::Id;
use common::store::StoreError;
use common::time::Timestamp;

use super::checkout::CheckoutDoc;
use super::customer::{CustomerDoc, Merge, Redaction};
use super::docs::{Source, decode};
use super::keys::{Keys, Kind, split};
use super::order::OrderDoc;
use super::report::Seen;
use super::return_index::ReturnIndexDoc;
use super::work::Work;

/// What is left of a shop after its redaction.
#[derive(Default)]
pub struct Survivors {
    orders: Vec<(Id, OrderDoc)>,
    checkouts: Vec<(Id, CheckoutDoc)>,
    returns: Vec<(Id, ReturnIndexDoc)>,
    merges: Vec<Merge>,
    redactions: Vec<Redaction>,
    /// Every key that the shop had.
    pub keys: Vec<Vec<u8>>,
}

impl Survivors {
    /// Reads a shop and keeps what deliveries later than `until` carried.
    pub fn of(keys: &Keys, source: Source<'_>, until: Timestamp) -> Result<Self, StoreError> {
        let mut survivors = Self::default();
        let (from, to) = keys.everything();
        let mut failed = Ok(());
        source.snapshot.scan(source.partition, &from, &to, &mut |key, value| {
            survivors.keys.push(key.to_vec());
            match survivors.keep(key, value, until) {
                Ok(()) => std::ops::ControlFlow::Continue(()),
                Err(error) => {
                    failed = Err(error);
                    std::ops::ControlFlow::Break(())
                }
            }
        })?;
        failed.map(|()| survivors)
    }

    fn keep(&mut self, key: &[u8], value: &[u8], until: Timestamp) -> Result<(), StoreError> {
        let Some((_, kind, tail)) = split(key) else { return Ok(()) };
        let id = || Id::decode_key(tail);
        if kind == Kind::Order as u8 {
            let mut doc: OrderDoc = decode(key, value)?;
            doc.forget(until);
            self.orders.extend(id().filter(|_| !doc.is_empty()).map(|id| (id, doc)));
        } else if kind == Kind::Checkout as u8 {
            let mut doc: CheckoutDoc = decode(key, value)?;
            doc.forget(until);
            self.checkouts.extend(id().filter(|_| !doc.is_empty()).map(|id| (id, doc)));
        } else if kind == Kind::Return as u8 {
            let mut doc: ReturnIndexDoc = decode(key, value)?;
            doc.forget(until);
            self.returns.extend(id().filter(|_| !doc.is_empty()).map(|id| (id, doc)));
        } else if kind == Kind::Customer as u8
            && let CustomerDoc::Class(class) = decode(key, value)?
        {
            self.merges.extend(class.merges.into_iter().filter(|merge| merge.delivered > until));
            let later = |redaction: &Redaction| redaction.delivered > until;
            self.redactions.extend(class.redactions.into_iter().filter(later));
        }
        Ok(())
    }

    /// Puts what is left into a shop that holds nothing.
    pub fn put_into(self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut seen = Seen::default();
        for (id, doc) in self.returns {
            work.caches.returns.put(work.keys.document(Kind::Return, &id), Some(doc));
        }
        for merge in self.merges {
            work.merge_again(&merge)?;
        }
        for redaction in self.redactions {
            work.redact_again(redaction)?;
        }
        for (id, kept) in self.checkouts {
            work.checkout(&id, |doc| *doc = kept)?;
        }
        for (id, kept) in self.orders {
            work.order(&id, &mut seen, |doc| *doc = kept)?;
        }
        Ok(())
    }
}
