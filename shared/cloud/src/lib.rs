//! The AWS services beside the database: Scheduler, SQS, Secrets Manager and SNS.
//!
//! The only crate that names their SDKs. Each room holds a real client; the local run and the tests hand it another
//! HTTP connector, so the code that runs in the cloud is the code that is tested.

pub mod call;
mod http_client;
pub mod queue;
pub mod schedules;
pub mod sdk;
pub mod texts;
pub mod timer;
pub mod vault;
