//! The attack list, the cross-tenant probes, the races and the canaries, over the whole service.

mod bodies;
mod canaries;
mod gates;
mod idempotency;
mod oauth;
mod onboarding;
mod outages;
mod paths;
mod races;
mod sessions;
mod tenants;
