//! What the functions' own code says of what they need.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use aws_config::{Region, SdkConfig};
use edge::clock::Clock;
use edge::config::{self, Source};
use edge::host::Host;
use edge::lines::Lines;
use edge::random::Random;

/// One function.
pub struct Function {
    /// Its binary.
    pub name: &'static str,
    /// The paths that it answers.
    pub paths: &'static [&'static str],
    /// Why it would not start.
    refusal: fn(&Host, &SdkConfig) -> Option<anyhow::Error>,
}

/// All functions, and the folders that they should be in.
pub struct Product {
    /// The functions.
    pub functions: Vec<Function>,
    /// The folders in `functions/`.
    pub folders: BTreeSet<String>,
}

impl Product {
    /// The product whose checkout is at `root`.
    pub fn at(root: &Path) -> anyhow::Result<Self> {
        let folders = std::fs::read_dir(root.join("functions")).context("listing functions/")?;
        let folders = folders.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<anyhow::Result<_>>()?;
        let functions = vec![
            Function { name: "account", paths: account::PATHS, refusal: |host, sdk| account::Deps::new(host, sdk).err().map(Into::into) },
            Function {
                name: "analytics-sync",
                paths: &[],
                refusal: |host, sdk| analytics_sync::Deps::new(host, sdk).err().map(Into::into),
            },
            Function {
                name: "billing-webhook",
                paths: billing_webhook::PATHS,
                refusal: |host, sdk| billing_webhook::Deps::new(host, sdk).err().map(Into::into),
            },
            Function {
                name: "oauth-callback",
                paths: oauth_callback::PATHS,
                refusal: |host, sdk| oauth_callback::Deps::new(host, sdk).err().map(Into::into),
            },
            Function {
                name: "oauth-start",
                paths: oauth_start::PATHS,
                refusal: |host, sdk| oauth_start::Deps::new(host, sdk).err().map(Into::into),
            },
            Function {
                name: "onboarding",
                paths: onboarding::PATHS,
                refusal: |host, sdk| onboarding::Deps::new(host, sdk).err().map(Into::into),
            },
            Function { name: "posts", paths: posts::PATHS, refusal: |host, sdk| posts::Deps::new(host, sdk).err().map(Into::into) },
            Function { name: "publisher", paths: &[], refusal: |host, sdk| publisher::Deps::new(host, sdk).err().map(Into::into) },
            Function { name: "quota-reset", paths: &[], refusal: |host, sdk| quota_reset::Deps::new(host, sdk).err().map(Into::into) },
            Function { name: "renewals", paths: &[], refusal: |host, sdk| renewals::Deps::new(host, sdk).err().map(Into::into) },
            Function { name: "sweeper", paths: &[], refusal: |host, sdk| sweeper::Deps::new(host, sdk).err().map(Into::into) },
        ];
        Ok(Self { functions, folders })
    }
}

impl Function {
    /// Starts the function's code on `value_of` a variable, as its `main` does, and tells which variables it asked for.
    pub fn variables_read(
        &self,
        value_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> (BTreeSet<String>, Option<anyhow::Error>) {
        let asked = Arc::new(Mutex::new(BTreeSet::new()));
        let note = asked.clone();
        let variables = Source::from_fn(move |name| {
            note.lock().expect("nothing panics under it").insert(name.to_owned());
            value_of(name)
        });
        let host = Host { variables, clock: Clock::system(), random: Random::system(), lines: Lines::silent() };
        // Every main starts its logs first.
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is not general enough over lifetimes")]
        let level = config::read(&host.variables, |variables| variables.log_level());
        let sdk = SdkConfig::builder().behavior_version(cloud::sdk::behavior()).region(Region::from_static("us-east-1")).build();
        let refusal = level.err().map(anyhow::Error::from).or_else(|| (self.refusal)(&host, &sdk));
        drop(host);
        let asked = asked.lock().expect("nothing panics under it").clone();
        (asked, refusal)
    }
}
