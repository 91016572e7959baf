//! What the tests share.

mod browser;
mod client;
mod home;
mod kpis;
mod load;
mod monitoring;
mod proxy;
mod scrapes;
mod secured;
mod server;
mod services;
mod shape;
mod shopify;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use browser::Browser;
pub use client::{Client, Delivery, Reply, SECRET, heard, hex, mac, sign};
pub use home::Home;
pub use kpis::Kpis;
pub use load::{Load, numbered};
pub use monitoring::Monitoring;
pub use proxy::Proxy;
pub use scrapes::Scrapes;
pub use secured::{Certificates, SecuredCluster, SecuredKafka, SecuredRedis};
pub use server::Server;
pub use services::{Kafka, Redis, RedisCluster};
pub use shape::{
    KEY, Shape, alone, alone_with, converges, digest, embedded, readiness, wait_for_readiness,
};
pub use shopify::{Clock, deliveries, line, order, with};

/// How many rounds or seconds of something a test goes through: more where `make soak` asks for them.
pub fn asked_for(variable: &str, otherwise: u32) -> u32 {
    #[expect(clippy::disallowed_methods, reason = "`make soak` asks for more")]
    let asked = std::env::var(variable);
    asked.map_or(otherwise, |number| number.parse().expect("a number"))
}

/// The directory of the tools that `make setup` brings.
pub fn tools() -> PathBuf {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/dev/setup.sh");
    let output = std::process::Command::new("bash").arg(setup).arg("path").output();
    let output = output.expect("bash runs");
    PathBuf::from(String::from_utf8(output.stdout).expect("text").trim_end())
}

/// The directory of the golden files.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/testdata")
}

/// The text of a golden file; one that ends in `.gz` is unpacked.
pub fn golden(path: &str) -> String {
    let path = testdata().join(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return String::from_utf8(bytes).expect("text");
    }
    let mut text = String::new();
    let mut unpacked = flate2::read::MultiGzDecoder::new(&*bytes);
    std::io::Read::read_to_string(&mut unpacked, &mut text).expect("a packed text");
    text
}

/// Waits for the next hour where this one is nearly over: figures of whole hours move when it is.
pub fn within_an_hour() {
    const NEED_S: i64 = 100;
    let left_s = 3_600 - jiff::Timestamp::now().as_second().rem_euclid(3_600);
    if left_s < NEED_S {
        std::thread::sleep(Duration::from_secs(left_s.unsigned_abs() + 1));
    }
}

/// Waits until `done` says so; panics with `what` after `timeout`.
pub fn wait_until(what: &str, timeout: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + timeout;
    while !done() {
        assert!(Instant::now() < deadline, "waited {timeout:?} for: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}
