//! Simulated shops: currency, taxes, place and catalogue.

use common::shop::ShopDomain;

use super::chance::Chance;

/// A buyer's currency and its rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presentment {
    /// The currency's code.
    pub(super) currency: &'static str,
    /// Digits of its minor unit.
    pub(super) digits: u8,
    /// Ten-thousandths of the buyer's currency for one of the shop's.
    pub(super) rate: i64,
}

/// A country as shops in it fill their documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The shop's currency.
    pub(super) currency: &'static str,
    /// Digits of its minor unit.
    pub(super) digits: u8,
    /// Whether prices include tax.
    pub(super) taxes_included: bool,
    /// The tax rate in ten-thousandths.
    pub(super) tax_rate: i64,
    /// The tax's name.
    pub(super) tax_name: &'static str,
    /// The shop's offset from UTC.
    pub(super) offset_minutes: i32,
    /// Minor units for one US cent, in hundredths.
    pub(super) price_level: i64,
    /// Prices are multiples of this many minor units, less `price_end`.
    pub(super) price_step: i64,
    /// What prices end below their step.
    pub(super) price_end: i64,
    /// Country and its code, province and its code, city.
    pub(super) address: [&'static str; 5],
    /// Language of the buyers.
    pub(super) locale: &'static str,
    /// Currencies that some buyers pay in.
    pub(super) presentments: &'static [Presentment],
}

const UNITED_STATES: Place = Place {
    currency: "USD",
    digits: 2,
    taxes_included: false,
    tax_rate: 825,
    tax_name: "State Tax",
    offset_minutes: -300,
    price_level: 100,
    price_step: 100,
    price_end: 0,
    address: ["United States", "US", "New York", "NY", "Brooklyn"],
    locale: "en-US",
    presentments: &[
        Presentment { currency: "CAD", digits: 2, rate: 13_921 },
        Presentment { currency: "JPY", digits: 0, rate: 1_503_250 },
    ],
};

const GERMANY: Place = Place {
    currency: "EUR",
    digits: 2,
    taxes_included: true,
    tax_rate: 1900,
    tax_name: "MwSt",
    offset_minutes: 60,
    price_level: 95,
    price_step: 100,
    price_end: 10,
    address: ["Germany", "DE", "Berlin", "BE", "Berlin"],
    locale: "de-DE",
    presentments: &[Presentment { currency: "CHF", digits: 2, rate: 9_402 }],
};

const JAPAN: Place = Place {
    currency: "JPY",
    digits: 0,
    taxes_included: true,
    tax_rate: 1000,
    tax_name: "消費税",
    offset_minutes: 540,
    price_level: 150,
    price_step: 100,
    price_end: 20,
    address: ["Japan", "JP", "Tōkyō", "JP-13", "Shibuya-ku"],
    locale: "ja-JP",
    presentments: &[Presentment { currency: "USD", digits: 2, rate: 67 }],
};

const BRITAIN: Place = Place {
    currency: "GBP",
    digits: 2,
    taxes_included: true,
    tax_rate: 2000,
    tax_name: "VAT",
    offset_minutes: 0,
    price_level: 80,
    price_step: 50,
    price_end: 1,
    address: ["United Kingdom", "GB", "England", "ENG", "Leeds"],
    locale: "en-GB",
    presentments: &[],
};

/// Where the shop with this number is; the first is in the United States.
const PLACES: [&Place; 6] =
    [&UNITED_STATES, &GERMANY, &UNITED_STATES, &JAPAN, &BRITAIN, &UNITED_STATES];

/// What kind of goods a product is, which decides its options and why it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Worn, in letter sizes.
    Apparel,
    /// Worn, in numbered sizes.
    Shoes,
    /// For the home, in colours only.
    Home,
    /// A gift card.
    GiftCard,
}

/// A product.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub(super) id: u64,
    pub(super) title: &'static str,
    pub(super) vendor: &'static str,
    pub(super) kind: Kind,
    /// Unit price in minor units.
    pub(super) price: i64,
    /// Tendency to come back, in thousandths a unit.
    pub(super) returns: u32,
    pub(super) variants: Vec<Variant>,
}

/// A size and colour of a product.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) id: u64,
    pub(super) sku: String,
    /// For example `M / Navy`.
    pub(super) options: String,
}

/// A shop as it stands all through the simulation.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) domain: ShopDomain,
    pub(super) place: &'static Place,
    /// The platform's number of the shop.
    pub(super) shop_id: u64,
    /// The smallest id of its documents.
    pub(super) first_id: u64,
    /// Whether return lines name the platform's newer reason definitions too.
    pub(super) reason_definitions: bool,
    pub(super) products: Vec<Product>,
    /// How often each product is chosen.
    pub(super) popularity: Vec<u32>,
}

/// Title, vendor, kind, price in US cents, returns in thousandths a unit.
const GOODS: [(&str, &str, Kind, i64, u32); 18] = [
    ("Linen Shirt", "Northwind", Kind::Apparel, 5_900, 110),
    ("Organic T-Shirt", "Northwind", Kind::Apparel, 2_400, 60),
    ("Merino Sweater", "Fjell", Kind::Apparel, 9_800, 120),
    ("Slim Jeans", "Northwind", Kind::Apparel, 7_900, 170),
    ("Summer Dress", "Atelier Lune", Kind::Apparel, 8_900, 190),
    ("Rain Jacket", "Fjell", Kind::Apparel, 12_900, 130),
    ("Wool Socks", "Fjell", Kind::Apparel, 1_600, 20),
    ("Trail Sneaker", "Fjell", Kind::Shoes, 11_500, 160),
    ("Leather Boot", "Calzado", Kind::Shoes, 14_900, 170),
    ("Canvas Slip-On", "Calzado", Kind::Shoes, 4_900, 120),
    ("Stoneware Mug", "Kiln & Co", Kind::Home, 1_800, 25),
    ("Linen Cushion", "Kiln & Co", Kind::Home, 3_600, 40),
    ("Desk Lamp", "Lumen", Kind::Home, 6_900, 70),
    ("Scented Candle", "Kiln & Co", Kind::Home, 2_200, 20),
    ("Wool Blanket", "Fjell", Kind::Home, 8_500, 50),
    ("Canvas Tote", "Northwind", Kind::Home, 2_800, 20),
    ("Wall Print", "Atelier Lune", Kind::Home, 3_900, 60),
    ("Gift Card", "House", Kind::GiftCard, 5_000, 0),
];
const LETTERS: [&str; 5] = ["XS", "S", "M", "L", "XL"];
const NUMBERS: [&str; 6] = ["38", "39", "40", "41", "42", "43"];
const COLOURS: [&str; 4] = ["Black", "Bordeaux", "Navy", "Écru"];

impl Profile {
    /// The shop with this number and domain.
    pub(super) fn new(domain: ShopDomain, number: usize, chance: &mut Chance) -> Self {
        let place = PLACES[number % PLACES.len()];
        // Real ids are exact above 2^53, where a parser that goes through f64 loses digits.
        let first_id =
            if number.is_multiple_of(2) { 6_820_982_911_946_154_508 } else { 5_431_880_000_101 };
        let step = if number.is_multiple_of(2) { 32_769 } else { 17 };
        let products = GOODS.iter().enumerate().map(|(index, goods)| {
            product(index, *goods, place, 7_120_000_000_000 + step * index as u64)
        });
        let products: Vec<Product> = products.collect();
        let shop_id = 54_000_000 + u64::try_from(chance.range(0, 1_000_000)).unwrap_or(0);
        // Which products sell best differs from shop to shop.
        let popularity = (0_u32..).zip(&products).map(|(rank, _)| {
            let turn = u32::try_from(number % 18).unwrap_or(0);
            1000 / (3 + (rank * 7 + turn) % 18)
        });
        let popularity = popularity.collect();
        Self {
            domain,
            place,
            shop_id,
            first_id,
            reason_definitions: number % 3 == 1,
            products,
            popularity,
        }
    }
}

/// One product of the catalogue at a place's prices.
fn product(
    index: usize,
    (title, vendor, kind, cents, returns): (&'static str, &'static str, Kind, i64, u32),
    place: &Place,
    id: u64,
) -> Product {
    let raw = cents * place.price_level / 100;
    let price = (raw / place.price_step).max(1) * place.price_step - place.price_end;
    let sizes: &[&str] = match kind {
        Kind::Apparel => &LETTERS,
        Kind::Shoes => &NUMBERS,
        Kind::Home | Kind::GiftCard => &[],
    };
    let code: String = title.chars().filter(char::is_ascii_uppercase).collect();
    let colours = &COLOURS[..2 + index % 3];
    let mut names: Vec<String> = Vec::new();
    for colour in colours {
        if sizes.is_empty() {
            names.push((*colour).to_owned());
        }
        names.extend(sizes.iter().map(|size| format!("{size} / {colour}")));
    }
    let variants = names.into_iter().zip(1..).map(|(options, number)| Variant {
        id: id + 40_000_000_000 + number,
        sku: format!("{code}{index:02}-{number:02}"),
        options,
    });
    Product { id, title, vendor, kind, price, returns, variants: variants.collect() }
}
