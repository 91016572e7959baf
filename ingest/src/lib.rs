//! The door: a signed webhook comes in, is verified on its raw bytes, translated into
//! platform-neutral events, appended durably, and only then answered.
//!
//! [`verify`], [`shopify`], [`lines`] and [`notes`] are pure; [`receiver`], [`kafka`], [`spool`] and
//! [`dead_letter`] do the input and output. Personal data ends here: no event carries a name, an address or a note.

pub mod context;
pub mod dead_letter;
pub mod kafka;
pub mod lines;
pub mod metrics;
pub mod notes;
pub mod outcome;
pub mod receiver;
pub mod shopify;
pub mod spool;
pub mod verify;
