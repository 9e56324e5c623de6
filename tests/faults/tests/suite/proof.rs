//! The proof in small; the long one is the command's. All of it runs in virtual time, so a machine that is busy makes it slow, never wrong.

mod interruptions;
mod machine;
mod planted;
