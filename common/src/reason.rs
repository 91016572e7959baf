//! The closed list of return reasons, and how the platform's codes map to it.

use serde::{Deserialize, Serialize};

/// Why goods came back (KPI definitions, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Too small.
    SizeTooSmall,
    /// Too large.
    SizeTooLarge,
    /// Fit or comfort.
    Fit,
    /// Colour.
    Color,
    /// Style.
    Style,
    /// Not as described.
    NotAsDescribed,
    /// Another item than ordered.
    WrongItem,
    /// Defective.
    Defective,
    /// Quality.
    Quality,
    /// Damaged on the way.
    DamagedInTransit,
    /// Late or failed delivery.
    Delivery,
    /// Changed their mind.
    Unwanted,
    /// A reason outside this list.
    Other,
    /// No reason given.
    Unknown,
}

impl Reason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::SizeTooSmall,
        Self::SizeTooLarge,
        Self::Fit,
        Self::Color,
        Self::Style,
        Self::NotAsDescribed,
        Self::WrongItem,
        Self::Defective,
        Self::Quality,
        Self::DamagedInTransit,
        Self::Delivery,
        Self::Unwanted,
        Self::Other,
        Self::Unknown,
    ];

    /// The name used in events, the API and metric labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SizeTooSmall => "size_too_small",
            Self::SizeTooLarge => "size_too_large",
            Self::Fit => "fit",
            Self::Color => "color",
            Self::Style => "style",
            Self::NotAsDescribed => "not_as_described",
            Self::WrongItem => "wrong_item",
            Self::Defective => "defective",
            Self::Quality => "quality",
            Self::DamagedInTransit => "damaged_in_transit",
            Self::Delivery => "delivery",
            Self::Unwanted => "unwanted",
            Self::Other => "other",
            Self::Unknown => "unknown",
        }
    }

    /// Maps a platform's code, old enum or new handle in any case, to the closed list; what is not
    /// known becomes [`Reason::Other`], an empty text [`Reason::Unknown`].
    #[must_use]
    pub fn from_code(code: &str) -> Self {
        let code = code.trim().to_ascii_lowercase().replace('_', "-");
        match code.as_str() {
            "size-too-small" | "too-small" => Self::SizeTooSmall,
            "size-too-large" | "too-big" | "too-large" => Self::SizeTooLarge,
            "fit" | "comfort" => Self::Fit,
            "color" => Self::Color,
            "style" => Self::Style,
            "not-as-described" | "item-not-as-described" => Self::NotAsDescribed,
            "wrong-item" | "received-the-wrong-item" => Self::WrongItem,
            "defective" | "damaged-or-defective" => Self::Defective,
            "quality" | "pilling" => Self::Quality,
            "damaged-in-transit" => Self::DamagedInTransit,
            "delivery" | "arrived-late" | "delivery-issue" => Self::Delivery,
            "unwanted" | "changed-my-mind" => Self::Unwanted,
            "" | "unknown" => Self::Unknown,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_maps_to_itself() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.name()), reason);
            let json = serde_json::to_string(&reason).expect("encodes");
            assert_eq!(json, format!("\"{}\"", reason.name()));
        }
    }

    #[test]
    fn maps_both_spellings() {
        assert_eq!(Reason::from_code("UNWANTED"), Reason::Unwanted);
        assert_eq!(Reason::from_code("changed-my-mind"), Reason::Unwanted);
        assert_eq!(Reason::from_code("too-big"), Reason::SizeTooLarge);
        assert_eq!(Reason::from_code("other-reason"), Reason::Other);
        assert_eq!(Reason::from_code("sun-faded"), Reason::Other);
        assert_eq!(Reason::from_code(" "), Reason::Unknown);
    }
}
