//! What a buyer puts into an order: lines, discounts, shipping and tax.

use common::time::Timestamp;

use super::chance::Chance;
use super::order::{Channel, Contact, Discount, Line, Order, Shipping, tax_of};
use super::shop::{Kind, Place, Profile};

/// Discounts of a whole order, with their weights.
const DISCOUNTS: [(Option<&str>, i64, u32); 5] = [
    (Some("WELCOME10"), 10, 6),
    (Some("SPRING15"), 15, 4),
    (Some("VIP20"), 20, 3),
    (None, 10, 3),
    (Some("Sorry-Anna"), 25, 1),
];
/// Landing pages.
const LANDINGS: [&str; 8] = [
    "/",
    "/?utm_source=google&utm_medium=cpc&utm_campaign=brand",
    "/collections/new?utm_source=newsletter&utm_medium=email&utm_campaign=weekly",
    "/products/linen-shirt?utm_source=instagram&utm_medium=paid_social&utm_campaign=summer",
    "/products/trail-sneaker?gclid=Cj0KCQ&utm_source=google&utm_medium=cpc",
    "/?ref=friend42",
    "/pages/about",
    "/collections/sale?utm_source=affiliate&utm_medium=referral&utm_campaign=blog",
];
/// Notes that buyers write; none of them may pass the door.
const NOTES: [&str; 3] = [
    "Please ring at Anna's door, the bell says \"Müller\"",
    "Gift for my mother, no invoice please",
    "Livraison après 18 h svp ❤",
];
/// Texts on personalised goods.
const ENGRAVINGS: [&str; 3] = ["For Zoë", "M & J, 12/06", "Happy Birthday Paul"];

/// Draws ids, one after another, all of one shop.
pub(super) struct Ids {
    /// The next id.
    pub(super) next: u64,
}

impl Ids {
    /// A new id.
    pub(super) fn take(&mut self) -> u64 {
        let id = self.next;
        // Uneven steps, as on a platform where all shops share one sequence.
        self.next += 31 + id % 7;
        id
    }
}

/// A new order of `buyer`, its checkout started at `at`.
pub(super) fn fill(
    profile: &Profile,
    buyer: Contact,
    at: Timestamp,
    ids: &mut Ids,
    chance: &mut Chance,
) -> Order {
    let place = profile.place;
    let channel = channel(buyer, chance);
    let gifts_only = chance.hit(0.008);
    let replacement = !gifts_only && chance.hit(0.004);
    let mut lines: Vec<Line> = Vec::new();
    loop {
        let line = choose(profile, gifts_only, ids, chance);
        if !lines.iter().any(|known| (known.product, known.variant) == (line.product, line.variant))
        {
            lines.push(line);
        }
        if lines.len() >= 6 || !chance.hit(0.38) {
            break;
        }
    }
    if replacement {
        for line in &mut lines {
            line.price = 0;
        }
    }
    let discount = chance.hit(0.2).then(|| {
        let weights = DISCOUNTS.map(|(_, _, weight)| weight);
        let (code, percent, _) = DISCOUNTS[chance.weighted(&weights)];
        Discount { code, percent }
    });
    for line in &mut lines {
        if let Some(discount) = discount.filter(|_| !line.gift_card) {
            line.discount = line.total() * discount.percent / 100;
        }
        line.set_tax(place);
    }
    let goods = lines.iter().map(Line::discounted).sum();
    let shipping = ship(place, channel, gifts_only, goods, ids, chance);
    let presentment = (channel == Channel::Web && chance.hit(0.05))
        .then(|| place.presentments.get(chance.below(place.presentments.len())).copied());
    let presentment = presentment.flatten();
    Order {
        id: 0,
        number: 0,
        token: chance.bits(),
        channel,
        buyer,
        started_at: at,
        placed_at: at,
        updated_at: at,
        cancelled: None,
        test: chance.hit(0.004),
        paid: false,
        fulfilled_at: None,
        duties: if presentment.is_some() && chance.hit(0.3) { goods * 7 / 100 } else { 0 },
        lines,
        shipping,
        discount,
        presentment,
        landing: (channel == Channel::Web).then(|| (*chance.pick(&LANDINGS)).to_owned()),
        note: chance.hit(0.03).then(|| *chance.pick(&NOTES)),
        tags: "",
        refunds: Vec::new(),
        returns: Vec::new(),
    }
}

/// Where this buyer buys.
fn channel(buyer: Contact, chance: &mut Chance) -> Channel {
    match buyer {
        Contact::Nobody => Channel::Pos,
        Contact::Guest(_) => Channel::Web,
        Contact::Account(..) => match chance.weighted(&[93, 5, 2]) {
            0 => Channel::Web,
            1 => Channel::Pos,
            _ => Channel::Draft,
        },
    }
}

/// One line, by the products' popularity.
pub(super) fn choose(profile: &Profile, gifts: bool, ids: &mut Ids, chance: &mut Chance) -> Line {
    let mut product = chance.weighted(&profile.popularity);
    let gift_card = |product: usize| profile.products[product].kind == Kind::GiftCard;
    if gifts != gift_card(product) {
        let fallback = profile.products.iter().position(|p| (p.kind == Kind::GiftCard) == gifts);
        product = fallback.unwrap_or(product);
    }
    let goods = &profile.products[product];
    Line {
        id: ids.take(),
        product,
        variant: chance.below(goods.variants.len()),
        quantity: [1, 2, 3, 6][chance.weighted(&[86, 10, 3, 1])],
        refunded: 0,
        claimed: 0,
        price: goods.price,
        discount: 0,
        tax: 0,
        gift_card: gifts,
        engraving: (goods.kind == Kind::Home && chance.hit(0.05))
            .then(|| *chance.pick(&ENGRAVINGS)),
    }
}

/// Standard, express or free shipping.
fn ship(
    place: &Place,
    channel: Channel,
    gifts_only: bool,
    goods: i64,
    ids: &mut Ids,
    chance: &mut Chance,
) -> Shipping {
    if gifts_only || channel == Channel::Pos {
        return Shipping::default();
    }
    let minor = |cents: i64| cents * place.price_level / 100;
    let (title, price) =
        if chance.hit(0.08) { ("Express", minor(1_495)) } else { ("Standard", minor(595)) };
    let free = title == "Standard" && goods >= minor(12_000);
    let mut shipping = Shipping { id: ids.take(), title, price, ..Shipping::default() };
    if free {
        shipping.price = 0;
    } else if chance.hit(0.03) {
        shipping.discount = shipping.price;
    }
    shipping.tax = tax_of(shipping.net(), place);
    shipping
}
