//! Many at once.

use futures::future::join_all;

use crate::wire::{Answer, Request};

/// How many calls a rush makes, unless a test says otherwise.
pub const RUSH: usize = 30;

/// The answers of a rush, with how to count them.
#[derive(Debug)]
pub struct Rush(pub Vec<Answer>);

/// Sends all requests at the same moment.
pub async fn rush(base_url: &str, requests: Vec<Request>) -> anyhow::Result<Rush> {
    let answers = join_all(requests.iter().map(|request| request.send(base_url))).await;
    Ok(Rush(answers.into_iter().collect::<anyhow::Result<_>>()?))
}

impl Rush {
    /// How many came with this status.
    pub fn count(&self, status: u16) -> usize {
        self.0.iter().filter(|answer| answer.status == status).count()
    }

    /// Whether every answer is one of these, a status with its code (empty for none).
    pub fn only(&self, allowed: &[(u16, &str)]) -> anyhow::Result<()> {
        match self.0.iter().find(|answer| !allowed.contains(&(answer.status, answer.code()))) {
            None => Ok(()),
            Some(odd) => anyhow::bail!("not among {allowed:?}: {}", odd.told()),
        }
    }
}
