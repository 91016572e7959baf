//! What lies where in a data directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::remote::reachable;

/// A data directory.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// What a running `serve` tells other processes of the same machine.
#[derive(Serialize, Deserialize)]
struct Instance {
    admin: String,
    pid: u32,
}

impl Layout {
    /// The data directory `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The embedded log: the truth.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Whether there is a log.
    pub fn has_log(&self) -> bool {
        self.log().join("log.json").exists()
    }

    /// The state, which can always be built from the log.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// What Kafka has not taken yet.
    pub fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    /// What could not be translated, sealed.
    pub fn dead_letters(&self) -> PathBuf {
        self.root.join("dead-letters")
    }

    /// How far unfinished imports are.
    pub fn imports(&self) -> PathBuf {
        self.root.join("imports")
    }

    /// Writes down where the admin listener of this process is, for its owner's eyes only.
    pub fn write_instance(&self, admin: SocketAddr) -> io::Result<()> {
        let admin = format!("http://{}", reachable(admin));
        let instance = Instance { admin, pid: std::process::id() };
        let draft = self.root.join(".instance.json.draft");
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec(&instance)?)?;
        fs::rename(&draft, self.instance())
    }

    /// Where the running instance's admin listener is, if one wrote it down.
    pub fn instance_address(&self) -> Option<String> {
        let text = fs::read(self.instance()).ok()?;
        serde_json::from_slice::<Instance>(&text).ok().map(|instance| instance.admin)
    }

    /// Forgets the address: nobody listens there any more.
    pub fn remove_instance(&self) {
        // A file that stays names an address where nobody answers, which is found out then.
        let _ = fs::remove_file(self.instance());
    }

    fn instance(&self) -> PathBuf {
        self.root.join("instance.json")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn tells_where_the_instance_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let layout = Layout::new(directory.path());
        assert_eq!(layout.instance_address(), None);
        layout.write_instance("0.0.0.0:8081".parse().expect("an address")).expect("written");
        assert_eq!(layout.instance_address().as_deref(), Some("http://127.0.0.1:8081"));
        let mode = fs::metadata(layout.instance()).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        layout.remove_instance();
        assert_eq!(layout.instance_address(), None);
    }
}
