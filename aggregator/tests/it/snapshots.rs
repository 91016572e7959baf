//! Snapshots of folded shops: what comes back is what was there, and nothing that was tampered with.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aggregator::fold::digest;
use aggregator::snapshots::{SnapshotError, Snapshots};
use common::log::ReadError;
use common::store::{Commit, Manifest, MemoryStore, Store, StoreError, UNFINISHED};
use common::time::Timestamp;
use tempfile::TempDir;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const PARTITIONS: u16 = 4;

fn settings() -> Manifest {
    Manifest {
        partitions: PARTITIONS,
        partitioner: "murmur2".into(),
        fold_version: 1,
        pseudonym_key: "ours".into(),
        shops: String::new(),
    }
}

fn snapshots(dir: &TempDir) -> Snapshots {
    Snapshots::new(dir.path(), KEY, settings())
}

/// Keys of two partitions, of kinds whose values need not be documents.
fn store(value: &str) -> Arc<MemoryStore> {
    let store = MemoryStore::new();
    for (partition, end) in [(1, 7), (3, 9)] {
        let key = |number: u32| [b"shop\0H".as_slice(), &number.to_be_bytes()].concat();
        let writes = (0..3_000).map(|number| (key(number), Some(value.as_bytes().to_vec())));
        let writes = writes.collect();
        store.commit(Commit { partition, base: 0, end, writes }).expect("commits");
    }
    Arc::new(store)
}

fn digest_of(store: &MemoryStore) -> digest::Digest {
    digest::of(&*store.snapshot().expect("a view"), PARTITIONS).expect("digests")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

#[test]
fn a_snapshot_comes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (snapshots, store) = (snapshots(&dir), store("value"));
    let made = snapshots.create(&*store, at(0), 9, |_| ()).expect("made");
    let signed = snapshots.signed(None).expect("signed");
    assert_eq!((&signed.name, &signed.body), (&made.name, &made.body));
    snapshots.verify(&signed, |_| ()).expect("sound");
    let restored = MemoryStore::new();
    snapshots.restore(&signed, &restored, |_| ()).expect("restored");
    assert_eq!(digest_of(&restored), digest_of(&store));
    assert_eq!(signed.body.digest, digest_of(&store).digest);
    for partition in 0..PARTITIONS {
        let (there, here) = (store.position(partition), restored.position(partition));
        assert_eq!(there.expect("reads"), here.expect("reads"));
    }
}

#[test]
fn old_ones_go_and_drafts_are_not_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let (snapshots, store) = (snapshots(&dir), store("value"));
    for seconds in 0..4 {
        // What a crash left is no snapshot, and goes with the next one.
        fs::create_dir(dir.path().join(".draft")).expect("a directory");
        fs::write(dir.path().join(".draft/manifest.json"), "{}").expect("a file");
        assert_eq!(Snapshots::list(dir.path()).expect("a list").len(), seconds.min(2));
        let now = at(i64::try_from(seconds).expect("small"));
        snapshots.create(&*store, now, 2, |_| ()).expect("made");
    }
    let listed = Snapshots::list(dir.path()).expect("a list");
    let made: Vec<&str> = listed.iter().map(|one| one.body.created_at.as_str()).collect();
    assert_eq!(made, [at(3).to_string(), at(2).to_string()]);
    let left = fs::read_dir(dir.path()).expect("a list").count();
    assert_eq!(left, 3, "two snapshots and the lock");
}

/// The error after `change` was made to a snapshot in `dir`.
fn refused(change: impl FnOnce(&Path), key: &[u8], settings: Manifest) -> SnapshotError {
    let dir = tempfile::tempdir().expect("a directory");
    let made = snapshots(&dir).create(&*store("value"), at(0), 9, |_| ()).expect("made");
    change(&dir.path().join(&made.name));
    let snapshots = Snapshots::new(dir.path(), key, settings);
    let restored = snapshots.signed(None).and_then(|signed| {
        snapshots.refuse_other_settings(&signed)?;
        snapshots.verify(&signed, |_| ())
    });
    restored.expect_err("refused")
}

fn flip(path: PathBuf, at: usize) {
    let mut bytes = fs::read(&path).expect("a file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
}

#[test]
fn what_was_tampered_with_is_named() {
    let check = |error: SnapshotError, expected: &[&str]| {
        let text = error.to_string();
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    };
    let file = "p0003.snapshot";
    let no_change = |_: &Path| ();
    check(refused(|dir| flip(dir.join(file), 100), KEY, settings()), &[file, "SHA-256"]);
    check(refused(|dir| fs::remove_file(dir.join(file)).expect("gone"), KEY, settings()), &[file]);
    let swap = |dir: &Path| {
        fs::copy(dir.join("p0001.snapshot"), dir.join(file)).expect("copied");
    };
    check(refused(swap, KEY, settings()), &[file, "the signed manifest says"]);
    let forge = |dir: &Path| {
        let text = fs::read_to_string(dir.join("manifest.json")).expect("a file");
        fs::write(dir.join("manifest.json"), text.replace(": 9", ": 8")).expect("written");
    };
    check(refused(forge, KEY, settings()), &["signature", "use another snapshot"]);
    let unsigned = |dir: &Path| {
        fs::remove_file(dir.join("manifest.hmac-sha256")).expect("gone");
    };
    check(refused(unsigned, KEY, settings()), &["manifest.hmac-sha256"]);
    let theirs = Manifest { pseudonym_key: "theirs".into(), ..settings() };
    let key = b"another key of thirty-two bytes.";
    check(refused(no_change, key, theirs), &["another pseudonym key", "ours", "theirs"]);
    check(refused(no_change, key, settings()), &["signature"]);
    let newer = Manifest { fold_version: 2, ..settings() };
    check(refused(no_change, KEY, newer), &["fold version = 1", "says 2"]);
    let format = |dir: &Path| {
        let text = fs::read_to_string(dir.join("manifest.json")).expect("a file");
        let text = text.replace("\"format\": 1", "\"format\": 2");
        fs::write(dir.join("manifest.json"), text).expect("written");
    };
    check(refused(format, KEY, settings()), &["format 2", "newer"]);
}

#[test]
fn a_lost_partition_is_rescued_from_the_newest_that_will_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let snapshots = snapshots(&dir);
    let good = store("value");
    snapshots.create(&*good, at(0), 9, |_| ()).expect("made");
    let newest = snapshots.create(&*store("other"), at(1), 9, |_| ()).expect("made");
    flip(dir.path().join(&newest.name).join("p0003.snapshot"), 100);

    // Something of a restore that was cut off is there already.
    let lost = MemoryStore::new();
    let left = vec![(b"shop\0Hzzz".to_vec(), Some(b"left".to_vec()))];
    lost.commit(Commit { partition: 3, base: 0, end: UNFINISHED + 1, writes: left })
        .expect("commits");
    let unfinished = snapshots.create(&lost, at(2), 9, |_| ()).expect_err("refused").to_string();
    assert!(unfinished.contains("partition 3") && unfinished.contains("not finished"));

    let before = ReadError::BeforeStart { partition: 3, wanted: 0, start: 8 };
    assert_eq!(snapshots.rescue(&lost, &before).expect("rescued"), 9);
    let part = |store: &MemoryStore| {
        let digest = digest_of(store);
        digest.partitions.into_iter().find(|part| part.partition == 3).expect("there")
    };
    assert_eq!(part(&lost), part(&good));

    let check = |refused: ReadError, expected: &str| {
        let error = snapshots.rescue(&MemoryStore::new(), &refused).expect_err("refused");
        assert!(error.to_string().contains(expected), "{error}");
    };
    // The newest one's fault is told: that of 3 is damaged, that of 1 does not reach far enough.
    check(ReadError::BeforeStart { partition: 3, wanted: 0, start: 10 }, "newer");
    check(ReadError::BeforeStart { partition: 1, wanted: 0, start: 8 }, "up to offset 7");
    check(ReadError::BeyondEnd { partition: 3, wanted: 9, end: 5 }, "does not mend that");
    let none = Snapshots::new(&dir.path().join("none"), KEY, settings());
    let error = none.rescue(&MemoryStore::new(), &before).expect_err("refused").to_string();
    assert!(error.contains("there is no snapshot in"), "{error}");
}

/// A store in which another process moves a partition before the third commit.
struct Contested(MemoryStore, std::sync::atomic::AtomicU32);

impl Store for Contested {
    fn position(&self, partition: u16) -> Result<u64, StoreError> {
        self.0.position(partition)
    }

    fn commit(&self, commit: Commit) -> Result<common::store::Committed, StoreError> {
        if self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 2 {
            let (partition, base) = (commit.partition, commit.base);
            let end = UNFINISHED + 5;
            self.0.commit(Commit { partition, base, end, writes: Vec::new() })?;
        }
        self.0.commit(commit)
    }

    fn snapshot(&self) -> Result<Box<dyn common::store::Snapshot>, StoreError> {
        self.0.snapshot()
    }

    fn persist(&self) -> Result<(), StoreError> {
        self.0.persist()
    }
}

#[test]
fn of_two_that_restore_one_notices() {
    let dir = tempfile::tempdir().expect("a directory");
    let snapshots = snapshots(&dir);
    let signed = snapshots.create(&*store("value"), at(0), 9, |_| ()).expect("made");
    let contested = Contested(MemoryStore::new(), std::sync::atomic::AtomicU32::new(0));
    let error = snapshots.restore(&signed, &contested, |_| ()).expect_err("noticed");
    assert!(matches!(error, SnapshotError::Moved { partition: 1 }), "{error}");
}
