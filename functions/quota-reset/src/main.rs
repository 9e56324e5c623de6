//! The cycle job's Lambda.

use edge::schedule::run_scheduled_as;
use quota_reset::{Asked, Deps, Job};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::start::worker(
        async |host| Deps::new(host, &cloud::sdk::on_lambda()),
        async |_, deps| {
            let job = async |asked: Asked| match asked.job {
                Job::Cycles => quota_reset::run(&deps).await.map(drop),
                Job::Audit => quota_reset::audit(&deps).await.map(drop),
            };
            run_scheduled_as(|asked: Option<Asked>| job(asked.unwrap_or_default())).await
        },
    )
    .await
}
