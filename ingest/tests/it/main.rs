//! The tests of the crate from its outside, in one binary.

mod dead_letter;
mod fixtures;
mod http;
mod lines;
mod privacy;
mod properties;
mod shopify;
mod signatures;
mod support;
