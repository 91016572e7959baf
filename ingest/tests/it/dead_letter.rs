//! Dead letters on disk: sealed, bounded, purged.

use common::time::{DAY_MS, Timestamp};
use ingest::dead_letter::{DeadLetter, DeadLetterDir, Envelope, KeepError, LetterId};
use ingest::outcome::DeadLetterReason;

use crate::support::KEY;

fn letter(day: i64) -> DeadLetter {
    DeadLetter {
        envelope: Envelope {
            received_at: Timestamp::from_ms(day * DAY_MS),
            source: "shopify".to_owned(),
            topic: Some("orders/create".to_owned()),
            shop: Some("a.myshopify.com".to_owned()),
            triggered_at: Some(Timestamp::from_ms(day * DAY_MS - 5)),
            delivery_id: Some("b54557e4".to_owned()),
            reason: DeadLetterReason::incomplete("currency"),
        },
        body: br#"{"email":"ann@x.example"}"#.to_vec(),
    }
}

#[test]
fn kept_listed_shown_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("dead-letters");
    let letters = DeadLetterDir::open(&path, KEY, 1 << 20).expect("opens");
    let second = letters.keep_blocking(&letter(2)).expect("kept");
    let first = letters.keep_blocking(&letter(1)).expect("kept");

    for entry in std::fs::read_dir(&path).expect("files") {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("bytes");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("ann@x") && !text.contains("myshopify"), "sealed");
    }
    // Another process opens the same directory.
    let letters = DeadLetterDir::open(&path, KEY, 1 << 20).expect("opens");
    let list = letters.list().expect("a list");
    assert_eq!(list.iter().map(|summary| &summary.id).collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(list[0].envelope.as_ref(), Some(&letter(1).envelope));
    assert_eq!(letters.show(&first).expect("shown"), Some(letter(1)));
    assert!(letters.remove(&first).expect("removed"));
    assert!(!letters.remove(&first).expect("gone"));
    assert_eq!(letters.show(&first).expect("gone"), None);
}

#[test]
fn another_key_and_a_swapped_file_open_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let letters = DeadLetterDir::open(dir.path(), KEY, 1 << 20).expect("opens");
    let id = letters.keep_blocking(&letter(1)).expect("kept");
    let other = DeadLetterDir::open(dir.path(), b"another key of thirty-two bytes!", 1 << 20)
        .expect("opens");
    assert!(matches!(other.show(&id), Err(KeepError::Unsealed { .. })));
    assert_eq!(other.list().expect("a list")[0].envelope, None);
    let twin = letters.keep_blocking(&letter(1)).expect("kept");
    let file = |id: &LetterId| dir.path().join(format!("{id}.letter"));
    std::fs::copy(file(&id), file(&twin)).expect("copied");
    assert!(matches!(letters.show(&twin), Err(KeepError::Unsealed { .. })));
}

#[test]
fn a_full_directory_refuses() {
    let dir = tempfile::tempdir().expect("a directory");
    let letters = DeadLetterDir::open(dir.path(), KEY, 600).expect("opens");
    let id = letters.keep_blocking(&letter(1)).expect("kept");
    assert!(matches!(letters.keep_blocking(&letter(1)), Err(KeepError::Full { limit_bytes: 600 })));
    letters.remove(&id).expect("removed");
    letters.keep_blocking(&letter(1)).expect("there is room again");
    let reopened = DeadLetterDir::open(dir.path(), KEY, 600).expect("opens");
    assert!(matches!(reopened.keep_blocking(&letter(1)), Err(KeepError::Full { .. })));
}

#[test]
fn thirty_days_at_most() {
    let dir = tempfile::tempdir().expect("a directory");
    let letters = DeadLetterDir::open(dir.path(), KEY, 1 << 20).expect("opens");
    for day in [1, 2, 3] {
        letters.keep_blocking(&letter(day)).expect("kept");
    }
    assert_eq!(letters.purge(Timestamp::from_ms(32 * DAY_MS)).expect("purged"), 1);
    assert_eq!(letters.list().expect("a list").len(), 2);
}

#[test]
fn ids_are_no_paths() {
    for text in ["", "../x", "1-2", "00000000000001-../../../../../../../../../etc/pw"] {
        assert_eq!(LetterId::parse(text), None, "{text}");
    }
}
