//! Tallyhook's aggregator: folds events into exact rolling KPIs and shows them.

pub mod alarms;
pub mod api;
pub mod batch;
pub mod calendar;
pub mod comparison;
pub mod customer;
pub mod detect;
pub mod feed;
pub mod fold;
pub mod health;
pub mod kafka;
mod kept;
pub mod kpi;
pub mod metrics;
pub mod progress;
pub mod query;
pub mod redis;
pub mod run;
pub mod snapshots;
pub mod tenure;
pub mod views;
pub mod window;
