//! The proof in small, at each change, and what it leaves to other tests.

mod cases;
mod numbers;
mod proof;
