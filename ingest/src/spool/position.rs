//! How far the spool is drained, in a small file beside its segments.
//!
//! It is only ever behind the truth: what was drained after it was written is sent once more after a
//! crash, which changes nothing. A file that cannot be read counts as none.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use common::log::file::Disk;
use serde::{Deserialize, Serialize};

const FILE: &str = "drained.json";
const DRAFT: &str = "drained.json.tmp";

/// The offset that is to be drained next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Drained {
    position: u64,
}

/// Where the file lies.
pub(super) struct PositionFile {
    directory: PathBuf,
}

impl PositionFile {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// The position last written, held to what the log has, from `start` to `end`.
    pub(super) fn load(&self, start: u64, end: u64) -> u64 {
        let text = match fs::read(self.directory.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return start,
            Err(error) => {
                tracing::warn!(%error, "cannot read how far the spool is drained: all is sent again");
                return start;
            }
        };
        match serde_json::from_slice::<Drained>(&text) {
            // Beyond the end it belongs to another log.
            Ok(Drained { position }) if position <= end => position.max(start),
            Ok(_) | Err(_) => {
                tracing::warn!("the spool's {FILE} does not fit: all is sent again");
                start
            }
        }
    }

    /// Writes the position, whole or not at all.
    pub(super) fn save(&self, disk: &dyn Disk, position: u64) -> io::Result<()> {
        let draft = self.directory.join(DRAFT);
        let file = disk.create(&draft)?;
        disk.write_at(&file, &serde_json::to_vec(&Drained { position })?, 0)?;
        disk.sync_data(&file)?;
        disk.rename(&draft, &self.directory.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use common::log::file::SystemDisk;

    use super::*;

    #[test]
    fn a_position_survives_and_is_held_to_the_log() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = PositionFile::new(directory.path());
        assert_eq!(file.load(3, 9), 3, "nothing was written yet");
        file.save(&SystemDisk, 7).expect("saved");
        let check = |start, end, expected| assert_eq!(file.load(start, end), expected);
        check(0, 9, 7);
        check(0, 7, 7);
        check(8, 9, 8);
        check(2, 6, 2);
        fs::write(directory.path().join(FILE), "{\"posi").expect("written");
        check(2, 9, 2);
    }
}
