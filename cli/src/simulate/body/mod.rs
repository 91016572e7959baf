//! The bodies of the simulated platform's deliveries, in the shapes of its API version 2026-07.

mod checkout;
mod customer;
mod json;
mod lines;
mod order;
mod refund;
mod returns;

pub(super) use checkout::checkout;
pub(super) use customer::{merged, redacted};
pub(super) use order::{deleted, edited, order};
pub(super) use refund::refund;
pub(super) use returns::{ReturnTopic, removed, returned};
