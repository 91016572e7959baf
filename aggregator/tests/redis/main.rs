//! The store on Redis, against real servers: one alone, and a cluster of three masters.

mod conformance;
mod faults;
mod fold;
mod generations;
mod layout;
mod model;
mod proxy;
mod server;
#[expect(dead_code, reason = "the laws of the fold ask for more than this suite does")]
#[path = "../it/shops.rs"]
mod shops;
mod support;
