//! Why goods come back: reasons with their shares, by kind of product, and what staff write instead.

use super::chance::Chance;
use super::order::Reason;
use super::shop::Kind;

const fn reason(code: &'static str, handle: &'static str, name: &'static str) -> Reason {
    Reason { code, handle, name }
}

/// Every reason that buyers may choose.
static REASONS: [Reason; 14] = [
    reason("size_too_small", "too-small", "Too small"),
    reason("size_too_large", "too-big", "Too big"),
    reason("unwanted", "changed-my-mind", "Changed my mind"),
    reason("style", "style", "Style"),
    reason("color", "color", "Color"),
    reason("not_as_described", "item-not-as-described", "Item not as described"),
    reason("defective", "damaged-or-defective", "Damaged or defective"),
    reason("wrong_item", "received-the-wrong-item", "Received the wrong item"),
    reason("other", "other-reason", "Other"),
    reason("unknown", "unknown", "Unknown"),
    reason("other", "fit", "Fit"),
    reason("other", "quality", "Quality"),
    reason("other", "arrived-late", "Arrived late"),
    reason("other", "comfort", "Comfort"),
];
/// The reason of what was sold spoilt.
pub(super) fn defective() -> &'static Reason {
    &REASONS[6]
}

/// Shares for what is worn.
const WORN: [u32; 14] = [26, 18, 17, 7, 5, 6, 6, 3, 3, 2, 3, 2, 1, 1];
/// Shares for what is not.
const NOT_WORN: [u32; 14] = [0, 0, 24, 8, 10, 16, 24, 6, 4, 3, 0, 4, 1, 0];

/// Notes on refunds that settle no return; most are empty, none may pass the door as text.
const NOTES: [Option<&str>; 9] = [
    None,
    None,
    None,
    Some("Too small, Anna wants her money back"),
    Some("Wrong size"),
    Some("Arrived damaged, photo from zoe@example.com"),
    Some("Article défectueux"),
    Some("Changed her mind"),
    Some("see ticket 4711"),
];

/// Why one line of a return comes back.
pub(super) fn choose(kind: Kind, chance: &mut Chance) -> &'static Reason {
    let weights = match kind {
        Kind::Apparel | Kind::Shoes => &WORN,
        Kind::Home | Kind::GiftCard => &NOT_WORN,
    };
    &REASONS[chance.weighted(weights)]
}

/// What staff write on a refund.
pub(super) fn note(chance: &mut Chance) -> Option<&'static str> {
    *chance.pick(&NOTES)
}
