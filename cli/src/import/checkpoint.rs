//! How far an import is, so that one that was interrupted goes on where it stopped.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use common::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::chunks::Mark;
use super::{Import, Totals};

/// How much of a file's beginning tells it from others.
const HEAD_BYTES: u64 = 64 * 1024;

/// The place of an import's checkpoint.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
}

/// How far an import is. Everything before the mark is durable in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// When the import began.
    #[serde(rename = "imported_at_ms")]
    pub imported_at: Timestamp,
    /// Up to where the file is done.
    pub mark: Mark,
    /// What became of the lines until there.
    pub totals: Totals,
}

impl Checkpoint {
    /// Of an import of `file`, in the directory of imports. Another file, another state of the same
    /// file and another target have other checkpoints.
    pub fn of(directory: &Path, file: &Path, import: &Import) -> io::Result<Self> {
        let path = fs::canonicalize(file)?;
        let metadata = fs::metadata(&path)?;
        let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut head = Vec::new();
        File::open(&path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
        let shop = import.shop.as_ref().map_or("", |shop| shop.as_str());
        let mut hash = Sha256::new();
        for part in [
            path.as_os_str().as_encoded_bytes(),
            &metadata.len().to_be_bytes(),
            &modified.as_nanos().to_be_bytes(),
            &head,
            import.kind.name().as_bytes(),
            shop.as_bytes(),
            import.source.as_bytes(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let name = digest.iter().take(8).fold(0, |name: u64, byte| name << 8 | u64::from(*byte));
        Ok(Self { path: directory.join(format!("{name:016x}.json")) })
    }

    /// How far the import was, if it was interrupted.
    pub fn load(&self) -> Option<Saved> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Notes how far it is.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let draft = self.path.with_extension("draft");
        fs::write(&draft, serde_json::to_vec(saved)?)?;
        fs::rename(&draft, &self.path)
    }

    /// Forgets an import that is done: the next one of the same file begins anew, which changes
    /// nothing where nothing was changed since.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use common::shop::ShopDomain;

    use super::*;
    use crate::import::Kind;

    #[test]
    fn tells_files_and_targets_apart() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("orders.jsonl");
        fs::write(&file, "{}\n{}\n").expect("a file");
        let imported_at = Timestamp::from_ms(7);
        let shop = ShopDomain::parse("a.example").ok();
        let import = Import { kind: Kind::EventsJsonl, shop, source: "import".into(), imported_at };
        let at =
            |import: &Import| Checkpoint::of(directory.path(), &file, import).expect("a place");
        assert_eq!(at(&import).load(), None);
        let totals = Totals { lines: 1, imported: 0, errors: 1 };
        let saved = Saved { imported_at, mark: Mark { offset: 3, lines: 1 }, totals };
        at(&import).save(&saved).expect("saved");
        assert_eq!(at(&import).load(), Some(saved));
        assert_eq!(at(&Import { shop: None, ..import.clone() }).load(), None);
        fs::write(&file, "[]\n{}\n").expect("a file");
        assert_eq!(at(&import).load(), None);
        fs::write(&file, "{}\n{}\n").expect("a file");
        at(&import).remove();
        assert_eq!(at(&import).load(), None);
    }
}
