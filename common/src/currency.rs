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
        let mut code: [u8; 3] = text.trim().as_bytes().try_into().map_err(|_| BadCurrency)?;
        code.make_ascii_uppercase();
        if !code.iter().all(u8::is_ascii_uppercase) {
            return Err(BadCurrency);
        }
        let currency = Self(code);
        let known = DIGITS.get(usize::from(currency.number())).is_some_and(|of| *of != UNKNOWN);
        known.then_some(currency).ok_or(BadCurrency)
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Digits of the minor unit: 0 for JPY, 2 for USD, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u8 {
        let digits = DIGITS.get(usize::from(self.number())).copied();
        digits.filter(|digits| *digits != UNKNOWN).unwrap_or(2)
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
}

/// Codes there can be.
const CODES: usize = 26 * 26 * 26;
/// Stands for a code that is no currency's.
const UNKNOWN: u8 = u8::MAX;
/// Digits of the minor unit by [`Currency::number`].
static DIGITS: [u8; CODES] = {
    let lists = [
        (NO_DIGITS, 0),
        (THREE_DIGITS, 3),
        (FOUR_DIGITS, 4),
        (TWO_DIGITS, 2),
        (WITHDRAWN_TWO_DIGITS, 2),
    ];
    let mut table = [UNKNOWN; CODES];
    let mut list = 0;
    while list < lists.len() {
        let (codes, digits) = (lists[list].0.as_bytes(), lists[list].1);
        let (mut at, mut number) = (0, 0);
        while at < codes.len() {
            if codes[at] != b' ' {
                number = number * 26 + (codes[at] - b'A') as usize;
            }
            if at + 1 == codes.len() || codes[at + 1] == b' ' {
                if number > 0 {
                    table[number] = digits;
                }
                number = 0;
            }
            at += 1;
        }
        list += 1;
    }
    table
};

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
            return crate::text::parsed(deserializer, "a currency's code", Self::parse);
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
