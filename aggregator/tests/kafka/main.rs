//! The adapters of both halves, against a real broker that each test process starts for itself.

mod broker;
mod feed;
mod log;
mod outage;
mod topics;
