//! The fold's laws, on random shops and against the naive books.

mod batches;
mod detector;
mod detector_as_shipped;
mod laws;
mod run;
mod shops;
mod snapshots;
mod stream;
mod support;
