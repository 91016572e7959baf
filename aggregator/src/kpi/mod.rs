//! KPIs: from counters and documents to the figures of the catalogue. Pure but for reading the store.

pub mod as_of;
pub mod catalogue;
pub mod compared;
pub mod figures;
pub mod lifespan;
pub mod live;
pub mod number;
pub mod periods;
pub mod reader;
pub mod row;

pub use row::Kpi;
