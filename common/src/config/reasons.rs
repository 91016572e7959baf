//! `[reasons]`: words in the notes of refunds that tell why something came back.

use std::collections::BTreeMap;

use super::error::{ConfigError, Problem};
use super::key::Key;
use super::parse;
use super::reader::Reader;
use crate::reason::Reason;

/// `[reasons]`: by reason the words or phrases, in lower case, which mean it; they go before the
/// built-in rules. `defective = ["broken", "ne marche pas"]`. Default none.
/// `TALLYHOOK_REASONS__DEFECTIVE=broken,torn`.
pub type Reasons = BTreeMap<Reason, Vec<String>>;

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Reasons, ConfigError> {
    let section = Key::dotted("reasons");
    let mut reasons = Reasons::new();
    for name in reader.names_below("reasons") {
        let (reason, words) = reader.list(&section.child(&name), |texts| {
            let reason = reason(&name)?;
            let words = parse::names(texts)?.iter().map(|word| word.to_lowercase()).collect();
            Ok((reason, words))
        })?;
        reasons.insert(reason, words);
    }
    Ok(reasons)
}

/// `unknown` is what remains when no rule fits, so no rule leads to it.
fn reason(name: &str) -> Result<Reason, Problem> {
    let mut reasons = Reason::ALL.into_iter().filter(|reason| *reason != Reason::Unknown);
    reasons.clone().find(|reason| reason.name() == name).ok_or_else(|| {
        let names: Vec<&str> = reasons.by_ref().map(Reason::name).collect();
        Problem::new("not a reason", format!("use one of {}", names.join(", ")))
    })
}
