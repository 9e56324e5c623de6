//! The binaries, built as `sam build` does it.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tokio::process::Command;

/// Where `cargo lambda` puts what it has built: beside the folder that this program was built in.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("looking for this program")?;
    Ok(program.ancestors().nth(2).context("this program is in no folder of cargo's")?.join("lambda"))
}

/// Hello by itself, because what it shares with others is built with their features; then the functions, all at once.
pub(super) async fn all(hello: &str) -> anyhow::Result<()> {
    cargo_lambda(&["--package", hello]).await?;
    cargo_lambda(&[]).await
}

/// `cargo lambda build --release`, as the SAM CLI calls it, for this machine's processor and with its own linker.
async fn cargo_lambda(packages: &[&str]) -> anyhow::Result<()> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).canonicalize()?;
    let installed = root.join(".venv/bin/cargo-lambda");
    let mut build = Command::new(if installed.exists() { installed } else { "cargo-lambda".into() });
    build.args(["lambda", "build", "--release", "--locked"]).args(packages);
    if cfg!(target_arch = "aarch64") {
        build.arg("--arm64");
    }
    let ended = build.env("CARGO_LAMBDA_COMPILER", "cargo").current_dir(root).status().await;
    let ended = ended.context("running cargo-lambda: README, \"Deploying\", step 1 installs it")?;
    ensure!(ended.success(), "cargo-lambda could not build: {ended}");
    Ok(())
}
