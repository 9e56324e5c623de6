//! What the stack costs: the counted calls and units, times AWS's list prices, under assumptions that are named.

mod model;
mod page;
pub mod prices;

pub use page::{blocks, corrected};
