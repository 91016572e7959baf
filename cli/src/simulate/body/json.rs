//! A writer of JSON as the platform writes it: `\/`, `\u0026` and raw UTF-8, money as decimal text,
//! instants in the shop's offset. Ours, because those escapes are part of what receivers stumble on.

use common::time::Timestamp;

use super::super::shop::{Place, Presentment};

/// A JSON document in the making.
pub(super) struct Json {
    bytes: Vec<u8>,
    place: &'static Place,
    presentment: Option<Presentment>,
}

impl Json {
    /// One object, filled by `fill`.
    pub(super) fn object(
        place: &'static Place,
        presentment: Option<Presentment>,
        fill: impl FnOnce(&mut Self),
    ) -> Vec<u8> {
        let mut json = Self { bytes: Vec::with_capacity(6 * 1024), place, presentment };
        json.braced(fill);
        json.bytes
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quoted(value);
    }

    /// A text or null.
    pub(super) fn maybe(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.nulls(&[key]),
        }
    }

    /// A text that formats itself and needs no escapes but the platform's own.
    pub(super) fn shown(&mut self, key: &str, value: impl std::fmt::Display) {
        self.text(key, &value.to_string());
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.key(key);
        self.digits(value.into());
    }

    /// A bare whole number in a list.
    pub(super) fn element(&mut self, value: u64) {
        self.comma();
        self.digits(value);
    }

    /// True or false.
    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.key(key);
        self.raw(if value { "true" } else { "false" });
    }

    /// Fields that hold null.
    pub(super) fn nulls(&mut self, keys: &[&str]) {
        for key in keys {
            self.key(key);
            self.raw("null");
        }
    }

    /// `id` and the global id that names it.
    pub(super) fn id(&mut self, kind: &str, id: u64) {
        self.number("id", id);
        self.gid("admin_graphql_api_id", kind, id);
    }

    /// A global id.
    pub(super) fn gid(&mut self, key: &str, kind: &str, id: u64) {
        self.key(key);
        self.raw("\"gid:\\/\\/shopify\\/");
        self.raw(kind);
        self.raw("\\/");
        self.digits(id);
        self.raw("\"");
    }

    /// An instant in the shop's offset, to the second.
    pub(super) fn time(&mut self, key: &str, at: Timestamp) {
        self.key(key);
        let minutes = self.place.offset_minutes;
        let local = at.plus_ms(i64::from(minutes) * 60_000);
        let instant = jiff::Timestamp::from_millisecond(local.ms()).unwrap_or_default();
        let civil = jiff::tz::Offset::UTC.to_datetime(instant);
        let pair = |value: i8| u64::from(value.unsigned_abs());
        self.raw("\"");
        self.padded(u64::from(civil.year().unsigned_abs()), 4);
        for (before, value) in [
            ("-", civil.month()),
            ("-", civil.day()),
            ("T", civil.hour()),
            (":", civil.minute()),
            (":", civil.second()),
        ] {
            self.raw(before);
            self.padded(pair(value), 2);
        }
        self.raw(if minutes < 0 { "-" } else { "+" });
        let offset = u64::from(minutes.unsigned_abs());
        self.padded(offset / 60, 2);
        self.raw(":");
        self.padded(offset % 60, 2);
        self.raw("\"");
    }

    /// An instant or null.
    pub(super) fn maybe_time(&mut self, key: &str, at: Option<Timestamp>) {
        match at {
            Some(at) => self.time(key, at),
            None => self.nulls(&[key]),
        }
    }

    /// Money as decimal text in the shop's currency.
    pub(super) fn money(&mut self, key: &str, minor: i64) {
        self.key(key);
        self.decimal(minor, self.place.digits);
    }

    /// Money as a JSON number, never below zero, which the platform has in two fields of refund lines.
    pub(super) fn bare_money(&mut self, key: &str, minor: i64) {
        self.key(key);
        let minor = minor.unsigned_abs();
        let scale = 10_u64.pow(u32::from(self.place.digits));
        self.digits(minor / scale);
        let cents = minor % scale;
        if cents != 0 {
            let text = format!(".{cents:0width$}", width = usize::from(self.place.digits));
            self.raw(text.trim_end_matches('0'));
        }
    }

    /// A rate in ten-thousandths as a JSON number.
    pub(super) fn rate(&mut self, key: &str, ten_thousandths: i64) {
        self.key(key);
        let text = format!("0.{ten_thousandths:04}");
        self.raw(text.trim_end_matches('0'));
    }

    /// Money in the shop's and the buyer's currency.
    pub(super) fn set(&mut self, key: &str, minor: i64) {
        self.key(key);
        let place = self.place;
        let (currency, digits, amount) = self.presented(minor);
        self.raw("{\"shop_money\":{\"amount\":");
        self.decimal(minor, place.digits);
        self.raw(",\"currency_code\":\"");
        self.raw(place.currency);
        self.raw("\"},\"presentment_money\":{\"amount\":");
        self.decimal(amount, digits);
        self.raw(",\"currency_code\":\"");
        self.raw(currency);
        self.raw("\"}}");
    }

    /// Money and, beside it, its set.
    pub(super) fn both(&mut self, key: &str, minor: i64) {
        self.money(key, minor);
        self.set(&format!("{key}_set"), minor);
    }

    /// Money in the buyer's currency: a transaction's amount and currency.
    pub(super) fn paid(&mut self, minor: i64) {
        let (currency, digits, amount) = self.presented(minor);
        self.key("amount");
        self.decimal(amount, digits);
        self.text("currency", currency);
    }

    /// The code of the buyer's currency.
    pub(super) fn buyers_currency(&self) -> &'static str {
        self.presentment.map_or(self.place.currency, |presentment| presentment.currency)
    }

    /// An object.
    pub(super) fn nest(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.braced(fill);
    }

    /// A list of objects.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) {
        self.array(key, |json| {
            for item in items {
                json.comma();
                json.braced(|json| fill(json, item));
            }
        });
    }

    /// A list of anything.
    pub(super) fn array(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.raw("[");
        fill(self);
        self.raw("]");
    }

    /// Lists without elements.
    pub(super) fn empty(&mut self, keys: &[&str]) {
        for key in keys {
            self.key(key);
            self.raw("[]");
        }
    }

    /// Currency, digits and amount as the buyer sees them; half up.
    fn presented(&self, minor: i64) -> (&'static str, u8, i64) {
        let Some(buyer) = self.presentment else {
            return (self.place.currency, self.place.digits, minor);
        };
        let up = minor * buyer.rate * 10_i64.pow(u32::from(buyer.digits));
        let down = 10_000 * 10_i64.pow(u32::from(self.place.digits));
        (buyer.currency, buyer.digits, (2 * up + down).div_euclid(2 * down))
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.raw("\"");
        self.raw(key);
        self.raw("\":");
    }

    /// A comma, unless this is the first of its object or list.
    fn comma(&mut self) {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }

    fn braced(&mut self, fill: impl FnOnce(&mut Self)) {
        self.raw("{");
        fill(self);
        self.raw("}");
    }

    fn raw(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn quoted(&mut self, text: &str) {
        self.raw("\"");
        for byte in text.bytes() {
            match byte {
                b'/' => self.raw("\\/"),
                b'&' => self.raw("\\u0026"),
                b'<' => self.raw("\\u003c"),
                b'>' => self.raw("\\u003e"),
                b'"' => self.raw("\\\""),
                b'\\' => self.raw("\\\\"),
                0..0x20 => self.raw("\\u0020"),
                _ => self.bytes.push(byte),
            }
        }
        self.raw("\"");
    }

    fn decimal(&mut self, minor: i64, digits: u8) {
        self.raw("\"");
        if minor < 0 {
            self.raw("-");
        }
        let scale = 10_u64.pow(u32::from(digits));
        let minor = minor.unsigned_abs();
        self.digits(minor / scale);
        if digits > 0 {
            self.raw(".");
            self.padded(minor % scale, usize::from(digits));
        }
        self.raw("\"");
    }

    fn digits(&mut self, value: u64) {
        self.padded(value, 1);
    }

    /// At least `width` digits. Formatting machinery would take most of a body's time here.
    fn padded(&mut self, mut value: u64, width: usize) {
        let mut text = [b'0'; 20];
        let mut start = text.len();
        while value > 0 {
            start -= 1;
            text[start] = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
        self.bytes.extend_from_slice(&text[start.min(text.len() - width)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::shop::Profile;

    fn profile(number: usize) -> Profile {
        let domain = common::shop::ShopDomain::parse("a.example").expect("a domain");
        Profile::new(domain, number, &mut crate::simulate::chance::Chance::new(1, 1))
    }

    #[test]
    fn writes_like_the_platform() {
        let place = profile(0).place;
        let json = Json::object(place, None, |json| {
            json.text("url", "https://x/?a=1&b=\"é\"");
            json.money("price", -5);
            json.bare_money("subtotal", 19_590);
            json.bare_money("tax", 0);
            json.time("at", Timestamp::from_ms(1_999));
            json.gid("gid", "Order", 7);
            json.list("items", [1_u64, 2], |json, item| json.number("id", item));
            json.empty(&["none"]);
            json.flag("test", false);
        });
        let expected = r#"{"url":"https:\/\/x\/?a=1\u0026b=\"é\"","price":"-0.05","subtotal":195.9,"tax":0,"at":"1969-12-31T19:00:01-05:00","gid":"gid:\/\/shopify\/Order\/7","items":[{"id":1},{"id":2}],"none":[],"test":false}"#;
        assert_eq!(String::from_utf8(json).expect("UTF-8"), expected);
    }

    #[test]
    fn converts_to_the_buyers_currency() {
        let place = profile(0).place;
        let yen = place.presentments.iter().find(|p| p.currency == "JPY").copied();
        let json = Json::object(place, yen, |json| json.set("total_set", 1_000));
        let text = String::from_utf8(json).expect("UTF-8");
        assert!(text.contains(r#""amount":"1503","currency_code":"JPY""#), "{text}");
        assert!(text.contains(r#""amount":"10.00","currency_code":"USD""#), "{text}");
    }
}
