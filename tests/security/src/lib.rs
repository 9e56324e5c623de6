//! What an attacker does, and the proof that it brought nothing.
//!
//! Black box over the local service: requests go out byte for byte over a socket ([`wire`]), and everything that is stored is
//! compared before and after ([`state`]). A row of an attack table is an [`attack::Attack`]; the people in it are a
//! [`scene::Scene`]'s; [`operations`] are read from the contract, so that a new route is attacked without being asked.

pub mod attack;
pub mod canary;
pub mod copies;
pub mod operations;
pub mod rush;
pub mod scene;
pub mod state;
pub mod wire;

/// Says how much was tried, for whoever runs the tests with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the counts are quoted where the tests are reported")]
pub fn tell(count: usize, what: &str) {
    println!("security: {count} {what}");
}
