//! The customers of a simulated shop: accounts and guests, some with two accounts, some to be forgotten.

use super::basket::Ids;
use super::chance::Chance;
use super::order::Contact;
use super::people::Person;
use super::purchases::Buyer;

/// Share of customers who never make an account.
const GUESTS: f64 = 0.08;
/// Share of customers with a second account by mistake.
const SPLIT: f64 = 0.012;
/// Share of customers who ask to be forgotten.
const FORGOTTEN: f64 = 0.004;

/// All customers of one shop by their number.
#[derive(Default)]
pub(super) struct Customers {
    known: Vec<Option<Customer>>,
}

/// One customer.
struct Customer {
    contact: Contact,
    purchases: u32,
    /// The second account, as long as it is not merged.
    second: Option<u64>,
    /// The orders so far of one who will ask to be forgotten.
    orders: Option<Vec<u64>>,
}

/// What a purchase sets off beside the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// Nothing.
    Nothing,
    /// The two accounts will be merged.
    Merge,
    /// The customer will ask to be forgotten.
    Redact,
}

impl Customers {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Who buys this time, and what follows from it.
    pub(super) fn buy(
        &mut self,
        buyer: Buyer,
        ids: &mut Ids,
        chance: &mut Chance,
    ) -> (Contact, Later) {
        let Buyer::Customer(number) = buyer else { return (Contact::Nobody, Later::Nothing) };
        let index = number as usize;
        if index >= self.known.len() {
            self.known.resize_with(index + 1, || None);
        }
        let customer =
            self.known[index].get_or_insert_with(|| Customer::new(Person(number), ids, chance));
        customer.purchases += 1;
        let later = match (customer.purchases, customer.second, &customer.orders) {
            (2, Some(_), _) => Later::Merge,
            (1, _, Some(_)) => Later::Redact,
            _ => Later::Nothing,
        };
        let contact = match (customer.contact, customer.second) {
            (Contact::Account(_, person), Some(second)) if customer.purchases.is_multiple_of(2) => {
                Contact::Account(second, person)
            }
            (contact, _) => contact,
        };
        (contact, later)
    }

    /// Notes an order, for a request that may name it.
    pub(super) fn note(&mut self, number: u32, order: u64) {
        if let Some(orders) = self.get(number).and_then(|customer| customer.orders.as_mut()) {
            orders.push(order);
        }
    }

    /// Account given up and account kept; the second is not used again.
    pub(super) fn merge(&mut self, number: u32) -> Option<(u64, u64)> {
        let customer = self.get(number)?;
        let Contact::Account(kept, _) = customer.contact else { return None };
        Some((customer.second.take()?, kept))
    }

    /// Account, person and orders of one who asks to be forgotten.
    pub(super) fn redact(&mut self, number: u32) -> Option<(Option<u64>, Person, Vec<u64>)> {
        let customer = self.get(number)?;
        let orders = customer.orders.take()?;
        match customer.contact {
            Contact::Account(id, person) => Some((Some(id), person, orders)),
            Contact::Guest(person) => Some((None, person, orders)),
            Contact::Nobody => None,
        }
    }

    fn get(&mut self, number: u32) -> Option<&mut Customer> {
        self.known.get_mut(number as usize)?.as_mut()
    }
}

impl Customer {
    fn new(person: Person, ids: &mut Ids, chance: &mut Chance) -> Self {
        let guest = chance.hit(GUESTS);
        let contact =
            if guest { Contact::Guest(person) } else { Contact::Account(ids.take(), person) };
        let second = (!guest && chance.hit(SPLIT)).then(|| ids.take());
        let orders = chance.hit(FORGOTTEN).then(Vec::new);
        Self { contact, purchases: 0, second, orders }
    }
}
