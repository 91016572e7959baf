//! Return-spike detection: how many orders come back, against how many the orders of the days before
//! let expect. Pure: a function of counts by UTC hour and an instant, nothing is latched.
//!
//! Two scans, each a generalised likelihood ratio with a gamma prior ([`glr`]): of the returns of the
//! last hours to weeks ([`period`]), and of the returns so far of the orders of the last days
//! ([`cohort`]). What is to be expected follows from [`laws`] that the shop's own history teaches.

pub mod alarm;
pub mod budget;
pub mod by_product;
pub mod came_back;
pub mod cohort;
pub mod counts;
pub mod detection;
pub mod episode;
pub mod glr;
pub mod laws;
pub mod period;
pub mod products;
mod shop;
