//! The books against hand-made shops, and against the golden file of rolling windows.

mod checkouts;
mod customers;
mod identity;
mod returns;
mod reversals;
mod rolling;
mod sales;
mod shop;
