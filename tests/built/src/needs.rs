//! What a program asks of the system that it is started on, as its ELF headers say (System V ABI, symbol versioning of GNU).

use std::fmt;

use anyhow::{Context, bail, ensure};
use object::LittleEndian;
use object::elf::{DT_NEEDED, EM_AARCH64, EM_X86_64, FileHeader64};
use object::read::elf::{Dyn, FileHeader, SectionTable};

/// Versions of the GNU C library's symbols are named so.
const GLIBC: &str = "GLIBC_";

/// A version of the GNU C library. The third number is left out: no release since 2.3 has added symbols under one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
}

impl Glibc {
    /// Reads `2.34` or `2.2.5`; anything else is the name of a feature.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        numbers.all(|number| number.is_ok()).then_some(Self { major, minor })
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What one program asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The processor, as Lambda names it.
    pub processor: &'static str,
    /// The newest version of the C library; none if it is linked into the program.
    pub glibc: Option<Glibc>,
    /// What it asks of the C library by another name than a version.
    pub features: Vec<String>,
    /// The libraries that are loaded with it.
    pub libraries: Vec<String>,
}

impl Needs {
    /// Reads them from a program's bytes.
    pub fn of(program: &[u8]) -> anyhow::Result<Self> {
        let header = FileHeader64::<LittleEndian>::parse(program).context("this is no program for Linux on a 64-bit processor")?;
        let processor = match header.e_machine(LittleEndian) {
            EM_AARCH64 => "arm64",
            EM_X86_64 => "x86_64",
            other => bail!("Lambda has no processor of ELF's number {other}"),
        };
        let sections = header.sections(LittleEndian, program).context("reading its sections")?;
        ensure!(!sections.is_empty(), "its sections are stripped, so that nobody sees what it asks for");
        let versions = versions(&sections, program).context("reading the versions that it asks for")?;
        let of_glibc = versions.iter().filter_map(|version| version.strip_prefix(GLIBC));
        let (mut glibc, mut features) = (None, Vec::new());
        for version in of_glibc {
            match Glibc::parse(version) {
                Some(version) => glibc = glibc.max(Some(version)),
                None => features.push(format!("{GLIBC}{version}")),
            }
        }
        let libraries = libraries(&sections, program).context("reading the libraries that it asks for")?;
        Ok(Self { processor, glibc, features, libraries })
    }
}

type Sections<'a> = SectionTable<'a, FileHeader64<LittleEndian>, &'a [u8]>;

fn versions<'a>(sections: &Sections<'a>, program: &'a [u8]) -> object::read::Result<Vec<String>> {
    let Some((mut files, strings)) = sections.gnu_verneed(LittleEndian, program)? else { return Ok(Vec::new()) };
    let strings = sections.strings(LittleEndian, program, strings)?;
    let mut names = Vec::new();
    while let Some((_, mut versions)) = files.next()? {
        while let Some(version) = versions.next()? {
            names.push(text(version.name(LittleEndian, strings)?));
        }
    }
    Ok(names)
}

fn libraries<'a>(sections: &Sections<'a>, program: &'a [u8]) -> object::read::Result<Vec<String>> {
    let Some((entries, strings)) = sections.dynamic(LittleEndian, program)? else { return Ok(Vec::new()) };
    let strings = sections.strings(LittleEndian, program, strings)?;
    let needed = entries.iter().filter(|entry| entry.tag(LittleEndian) == DT_NEEDED);
    needed.map(|entry| Ok(text(entry.string(LittleEndian, strings)?))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let glibc = |text| Glibc::parse(text);
        assert!(glibc("2.4") < glibc("2.34") && glibc("2.34") < glibc("2.38") && glibc("2.2.5") < glibc("2.3"));
        for other in ["PRIVATE", "ABI_DT_RELR", "2", "", "2.x", "2.34.x"] {
            assert_eq!(glibc(other), None, "{other}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_program_asks_for_its_own_processor_and_for_the_c_library() {
        let needs = Needs::of(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        let own = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        assert_eq!(needs.processor, own);
        assert!(needs.glibc.is_some() && needs.libraries.iter().any(|library| library.starts_with("libc.so.")), "{needs:?}");
    }
}
