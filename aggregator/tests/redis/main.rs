//! The store on Redis, against real servers: one alone, and a cluster of three masters.

mod conformance;
mod faults;
mod layout;
mod model;
mod server;
mod support;
