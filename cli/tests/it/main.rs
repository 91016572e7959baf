//! The program from its outside: the real binary on loopback, spoken to over HTTP and its commands.

mod alarms;
mod alerting;
mod api;
mod boards;
mod brokers;
mod cli;
mod commands;
mod comparison;
mod deploy;
mod detect;
mod distributed;
mod documents;
mod drain;
mod fixtures;
mod generations;
mod kill;
mod letters;
mod load;
mod members;
mod metrics;
mod must_reproduce;
mod online_retail;
mod outages;
mod page;
mod readiness;
mod refusals;
mod rolling;
mod scale;
mod secure;
#[cfg(feature = "kafka-tls")]
mod secure_kafka;
mod signatures;
mod simulate;
mod snapshots;
mod spool;
mod support;
