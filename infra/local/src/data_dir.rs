//! The folder of a service: closed to other users, and for one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use edge::lines::Lines;

use embedded::make_private_dir;

const LOG: &str = "log.jsonl";
const DATABASES: [&str; 3] = ["aws.sqlite", "dynamodb.sqlite", "simulator.sqlite3"];
/// What SQLite puts beside a database.
const BESIDE_A_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];
const CLOCK: [&str; 2] = ["clock-ahead-seconds", "clock-ahead-seconds.new"];

/// The log of a folder, added to at its end, and its path. The folder is made if absent.
pub fn open_log(data_dir: &Path) -> anyhow::Result<(Lines, PathBuf)> {
    make_private_dir(data_dir).with_context(|| format!("making the data folder {}", data_dir.display()))?;
    let path = data_dir.join(LOG);
    let file = OpenOptions::new().create(true).append(true).open(&path).with_context(|| format!("opening {}", path.display()))?;
    Ok((Lines::to(file), path))
}

/// Takes the folder for this process until the file is dropped. Nothing in it is touched before it is ours.
pub(crate) fn take(data_dir: &Path, fresh: bool) -> anyhow::Result<File> {
    make_private_dir(data_dir).with_context(|| format!("making the data folder {}", data_dir.display()))?;
    let path = data_dir.join("lock");
    let lock = File::create(&path).with_context(|| format!("making {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another process uses {}: stop it, or choose another folder with --data", data_dir.display())
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
    }
    if fresh {
        forget(data_dir)?;
    }
    Ok(lock)
}

/// Removes what a service of ours leaves there, file by file: a mistyped folder loses nothing of its own.
fn forget(data_dir: &Path) -> anyhow::Result<()> {
    let beside = DATABASES.iter().flat_map(|name| BESIDE_A_DATABASE.iter().map(move |ending| format!("{name}{ending}")));
    let ours = DATABASES.iter().chain(&CLOCK).map(|name| (*name).to_owned()).chain(beside);
    for path in ours.map(|name| data_dir.join(name)) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
    }
    // Emptied and not removed: this process writes to it already.
    match OpenOptions::new().write(true).truncate(true).open(data_dir.join(LOG)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).context("emptying the log"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_start_forgets_a_service_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["aws.sqlite", "dynamodb.sqlite-wal", "clock-ahead-seconds", "mine.sqlite", "notes.txt"] {
            std::fs::write(folder.path().join(name), "kept?").unwrap();
        }
        let (lines, log) = open_log(folder.path()).unwrap();
        lines.write("old".into());
        let _lock = take(folder.path(), true).unwrap();
        lines.write("new".into());
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["lock", "log.jsonl", "mine.sqlite", "notes.txt"]);
        assert_eq!(std::fs::read_to_string(log).unwrap(), "new\n");
    }

    #[test]
    fn a_folder_in_use_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = take(folder.path(), false).unwrap();
        let (lines, log) = open_log(folder.path()).unwrap();
        lines.write("of the other".into());
        let refused = take(folder.path(), true).unwrap_err().to_string();
        assert!(refused.contains("--data"), "{refused}");
        assert_eq!(std::fs::read_to_string(log).unwrap(), "of the other\n");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_we_make_is_closed_to_other_users() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let made = folder.path().join("a/b");
        open_log(&made).unwrap();
        assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
