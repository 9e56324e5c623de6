//! The proof in small, at each change; the long one is the command's.

mod cases;
mod interruptions;
mod machine;
mod planted;
