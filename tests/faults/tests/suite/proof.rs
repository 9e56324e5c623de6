//! The proof in small; the long one is the command's. All of it runs in virtual time, so a machine that is busy makes it slow, never wrong.

mod interruptions;
mod machine;
mod planted;

use std::io::Write;

/// `PROOF=whole` plays all of the proof, some ten minutes on two cores.
const WHOLE: &str = "whole";
/// Of what is many runs, a sample plays every so many-th.
const SAMPLE_EVERY: usize = 20;

/// Every so many-th run of a part of the proof is to be played. A sample says so, past the harness, which shows no output of tests that pass.
fn every(part: &str) -> usize {
    if std::env::var_os("PROOF").is_some_and(|proof| proof == WHOLE) {
        return 1;
    }
    let said = writeln!(std::io::stderr(), "{part}: only every {SAMPLE_EVERY}th run is played; all of them with PROOF={WHOLE}");
    said.expect("standard error takes a line");
    SAMPLE_EVERY
}
