//! ISO 4217 currencies and the digits of their minor unit.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Currencies without a minor unit; the second line holds withdrawn ones.
const NO_DIGITS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF \
    ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE ROL TPE TRL";
/// Currencies with three digits.
const THREE_DIGITS: &str = "BHD IQD JOD KWD LYD OMR TND";
/// Currencies with four digits.
const FOUR_DIGITS: &str = "CLF UYW";
/// Currencies with two digits, in use.
const TWO_DIGITS: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL \
    BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR \
    FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
    LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD \
    PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL \
    THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG \
    XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";
/// Currencies with two digits, withdrawn; old orders still name them.
const WITHDRAWN_TWO_DIGITS: &str = "ATS AZM BGL CSD CYP DEM EEK FIM FRF GHC HRK IEP LTL LVL MRO MTL MZM \
    NLG SDD SIT SKK SLL SRG STD TMM USS VEB VEF YUM ZMK ZWD ZWL ZWN ZWR";

/// A currency by its three-letter code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that is no currency.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("not an ISO 4217 currency code, for example USD")]
pub struct BadCurrency;

impl Currency {
    /// The US dollar, the default of the configuration.
    pub const USD: Self = Self(*b"USD");

    /// Parses a code in any letter case.
    pub fn parse(text: &str) -> Result<Self, BadCurrency> {
        let code: [u8; 3] =
            text.trim().to_ascii_uppercase().into_bytes().try_into().map_err(|_| BadCurrency)?;
        let currency = Self(code);
        currency.known_exponent().map(|_| currency).ok_or(BadCurrency)
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits of the minor unit: 0 for JPY, 2 for USD, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u8 {
        self.known_exponent().unwrap_or(2)
    }

    /// A number below 2^15 that stands for the code in counters' keys.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0.iter().fold(0, |number, letter| number * 26 + u16::from(letter - b'A'))
    }

    /// The currency that [`Currency::number`] made `number` of.
    #[must_use]
    pub fn from_number(number: u16) -> Self {
        let letter = |value: u16| b'A' + (value % 26) as u8;
        Self([letter(number / 676), letter(number / 26), letter(number)])
    }

    fn known_exponent(self) -> Option<u8> {
        let code = self.code();
        // The commonest shop currencies are settled before the lists are searched.
        if matches!(code, "USD" | "EUR" | "GBP" | "CAD" | "AUD") {
            return Some(2);
        }
        let listed = |list: &str| list.split_ascii_whitespace().any(|known| known == code);
        let lists = [(NO_DIGITS, 0), (THREE_DIGITS, 3), (FOUR_DIGITS, 4), (TWO_DIGITS, 2)];
        let exponent = lists.into_iter().find(|(list, _)| listed(list)).map(|(_, digits)| digits);
        exponent.or_else(|| listed(WITHDRAWN_TWO_DIGITS).then_some(2))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(self.code());
        }
        self.number().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            return Self::parse(&text).map_err(serde::de::Error::custom);
        }
        u16::deserialize(deserializer).map(Self::from_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_exponents() {
        let check = |code: &str, digits: u8| {
            let currency = Currency::parse(code).expect(code);
            assert_eq!(currency.exponent(), digits, "{code}");
            assert_eq!(Currency::from_number(currency.number()), currency);
        };
        for (code, digits) in
            [("usd", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("DEM", 2), ("ITL", 0), ("XXX", 2)]
        {
            check(code, digits);
        }
    }

    #[test]
    fn refuses_unknown_codes() {
        for code in ["", "US", "USDX", "QQQ", "12A", "€"] {
            assert_eq!(Currency::parse(code), Err(BadCurrency), "{code}");
        }
    }
}
