//! Whether what `sam build` left starts on Lambda, whatever machine built it.
//!
//! A program asks for versions of the C library's symbols, and one that was linked on a newer Linux may ask for newer ones than
//! `provided.al2023` has. Such a function deploys well, and then ends at each start with `GLIBC_2.38 not found`.

mod needs;

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};

pub use needs::{Glibc, Needs};

/// What `provided.al2023` has (Amazon Linux 2023 release notes).
pub const LAMBDA_HAS: Glibc = Glibc { major: 2, minor: 34 };
/// The libraries that it has, by how their names begin.
const LIBRARIES: [&str; 8] =
    ["ld-linux-", "libc.so.", "libdl.so.", "libgcc_s.so.", "libm.so.", "libpthread.so.", "librt.so.", "linux-vdso.so."];
/// What an operator does about it.
const ADVICE: &str = "Build with zig, which links against an older C library whatever this machine has: \
                      `.venv/bin/pip install ziglang==0.17.1`, then `export CARGO_LAMBDA_COMPILER=cargo-zigbuild`, and build anew \
                      (`sam build`, `.ci/run` or `tests/deployed/run`)";

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    functions: usize,
    processor: &'static str,
    newest: Option<Glibc>,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} functions for {} start on Lambda", self.functions, self.processor)?;
        self.newest.map_or(Ok(()), |newest| write!(f, ": they ask for glibc {newest} at most, and it has {LAMBDA_HAS}"))
    }
}

/// Looks at every function in a folder of `sam build`, for a Lambda that has `glibc`. Every one at fault is named.
pub fn check(folder: &Path, glibc: Glibc) -> anyhow::Result<Built> {
    let mut functions = functions(folder)?;
    functions.sort_by(|(one, _), (other, _)| one.cmp(other));
    let faults: Vec<_> = functions.iter().filter_map(|(name, needs)| fault(name, needs, glibc)).collect();
    if !faults.is_empty() {
        bail!("these would not start on Lambda:\n  {}\n{ADVICE}", faults.join("\n  "));
    }
    let Some((first, needs)) = functions.first() else { bail!("there is no function in {}: run `sam build` first", folder.display()) };
    if let Some((other, _)) = functions.iter().find(|(_, other)| other.processor != needs.processor) {
        bail!("{first} and {other} are for different processors: build all of them anew");
    }
    let newest = functions.iter().filter_map(|(_, needs)| needs.glibc).max();
    Ok(Built { functions: functions.len(), processor: needs.processor, newest })
}

fn functions(folder: &Path) -> anyhow::Result<Vec<(String, Needs)>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("reading {}: run `sam build` first", folder.display()))?;
    let mut functions = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        let (name, program) = (entry.file_name().to_string_lossy().into_owned(), entry.path().join("bootstrap"));
        if program.is_file() {
            let bytes = std::fs::read(&program).with_context(|| format!("reading {}", program.display()))?;
            functions.push((name, Needs::of(&bytes).with_context(|| program.display().to_string())?));
        }
    }
    Ok(functions)
}

fn fault(name: &str, needs: &Needs, glibc: Glibc) -> Option<String> {
    if let Some(newer) = needs.glibc.filter(|needed| *needed > glibc) {
        return Some(format!("{name} asks for glibc {newer}, and Lambda has {glibc}"));
    }
    if let Some(feature) = needs.features.first() {
        return Some(format!("{name} asks for {feature}, which Lambda's glibc {glibc} does not have"));
    }
    let strange = needs.libraries.iter().find(|library| !LIBRARIES.iter().any(|known| library.starts_with(known)))?;
    Some(format!("{name} asks for the library {strange}, which Lambda does not have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYTHING: Glibc = Glibc { major: 2, minor: 999 };
    const NOTHING: Glibc = Glibc { major: 2, minor: 1 };

    /// A folder as `sam build` leaves it, with this test's own program as every function.
    fn folder(functions: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("template.yaml"), "").unwrap();
        for function in functions {
            let own = folder.path().join(function);
            std::fs::create_dir(&own).unwrap();
            std::fs::copy(std::env::current_exe().unwrap(), own.join("bootstrap")).unwrap();
        }
        folder
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_asks_for_a_newer_c_library_is_named_with_what_to_do() {
        let folder = folder(&["PostsFunction", "SweeperFunction"]);
        let built = check(folder.path(), EVERYTHING).unwrap();
        assert_eq!(built.functions, 2);
        assert!(built.newest.is_some_and(|newest| newest > NOTHING), "{built:?}");
        let refused = check(folder.path(), NOTHING).unwrap_err().to_string();
        for part in ["PostsFunction asks for glibc 2.", "SweeperFunction asks", "Lambda has 2.1", ADVICE] {
            assert!(refused.contains(part), "{part}: {refused}");
        }
    }

    #[test]
    fn readme_says_the_same_and_installs_what_the_checks_install() {
        let (readme, tools) = (include_str!("../../../README.md"), include_str!("../../../.ci/tools"));
        for command in ADVICE.split('`').skip(1).step_by(2) {
            assert!(readme.contains(command), "README does not say {command}");
        }
        for package in ["aws-sam-cli", "cargo-lambda", "ziglang"] {
            let variable = format!("{}=", package.replace('-', "_"));
            let version = tools.lines().find_map(|line| line.strip_prefix(variable.as_str())).unwrap();
            let named = format!("{package}==");
            let versions: Vec<_> = [readme, ADVICE].into_iter().flat_map(|text| text.split(named.as_str()).skip(1)).collect();
            assert!(!versions.is_empty(), "README does not install {package}");
            assert!(versions.iter().all(|found| found.starts_with(version)), "{package} is {version} in .ci/tools, and another in README");
        }
    }

    #[test]
    fn what_is_no_program_or_no_build_is_named() {
        let folder = folder(&[]);
        assert!(check(folder.path(), EVERYTHING).unwrap_err().to_string().contains("sam build"));
        assert!(check(&folder.path().join("missing"), EVERYTHING).unwrap_err().to_string().contains("sam build"));
        std::fs::create_dir(folder.path().join("PostsFunction")).unwrap();
        std::fs::write(folder.path().join("PostsFunction/bootstrap"), "#!/bin/sh").unwrap();
        let refused = format!("{:#}", check(folder.path(), EVERYTHING).unwrap_err());
        assert!(refused.contains("PostsFunction/bootstrap") && refused.contains("Linux"), "{refused}");
    }

    #[test]
    fn a_library_or_a_feature_that_lambda_does_not_have_is_named() {
        let plain = Needs { processor: "arm64", glibc: Some(LAMBDA_HAS), features: Vec::new(), libraries: vec!["libc.so.6".to_owned()] };
        assert_eq!(fault("f", &plain, LAMBDA_HAS), None);
        let library = Needs { libraries: vec!["libc.so.6".to_owned(), "libssl.so.3".to_owned()], ..plain.clone() };
        assert!(fault("f", &library, LAMBDA_HAS).unwrap().contains("libssl.so.3"));
        let feature = Needs { features: vec!["GLIBC_ABI_DT_RELR".to_owned()], ..plain.clone() };
        assert!(fault("f", &feature, LAMBDA_HAS).unwrap().contains("GLIBC_ABI_DT_RELR"));
        let newer = Needs { glibc: Some(Glibc { major: 2, minor: 35 }), ..plain };
        assert!(fault("f", &newer, LAMBDA_HAS).unwrap().contains("2.35"));
    }
}
