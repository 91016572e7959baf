//! `[alarms]`: how easily an alarm of a return spike is raised.

use super::error::ConfigError;
use super::key::Key;
use super::reader::Reader;

/// `[alarms]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarms {
    /// `alarms.months_between_false`: about how many months pass between two false alarms of the scan
    /// of the last weeks in one series, that is all returns of a shop, or those of one reason. 17 to
    /// 833, default 132.
    pub months_between_false: u16,
}

impl Alarms {
    /// The fewest and the most months that the detector was measured at.
    pub const MONTHS: (u16, u16) = (17, 833);

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let (least, most) = Self::MONTHS;
        let key = Key::dotted("alarms.months_between_false");
        Ok(Self { months_between_false: reader.number(&key, least.into(), most.into())? })
    }
}
