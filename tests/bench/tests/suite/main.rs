//! What the cost page says, held to what is counted.

mod cost_page;
