//! What both halves of Tallyhook share: events, money, time, configuration, and the log and store
//! ports with their embedded adapters. Knows no HTTP server, no Kafka and no Redis.

pub mod books;
pub mod clock;
pub mod config;
pub mod currency;
pub mod customer;
pub mod decimal;
pub mod event;
pub mod id;
pub mod log;
pub mod partition;
pub mod reason;
pub mod refusal;
pub mod shop;
pub mod store;
pub mod stranded;
mod text;
pub mod time;
pub mod topic;
pub mod version;
