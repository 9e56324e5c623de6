//! The journeys, in one program: each file is a part of what people live through, and may be run alone by its name.

mod advice;
mod analytics;
mod audit;
mod billing;
mod connections;
mod cycles;
mod doubts;
mod failing_parts;
mod front_door;
mod gifts;
mod held;
mod idempotency;
mod moves;
mod onboarding;
mod people;
mod posting;
mod sessions;
mod sweeping;
mod versions;
mod year;
