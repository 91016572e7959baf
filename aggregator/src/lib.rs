//! Tallyhook's aggregator: folds events into exact rolling KPIs and shows them.

pub mod fold;
pub mod kpi;
pub mod window;
