//! The store port's contract, on a server alone and on a cluster.

use common::store::conformance;

use super::server::{Cluster, Server};
use super::support::{manifest, open, options};

#[test]
fn a_server_alone_conforms() {
    let server = Server::alone();
    let mut number = 0;
    conformance::run(|| {
        number += 1;
        open(&server.url(), &format!("alone{number}"))
    });
}

#[test]
fn a_cluster_conforms() {
    let cluster = Cluster::start();
    let mut number = 0;
    conformance::run(|| {
        number += 1;
        open(&cluster.url(), &format!("cluster{number}"))
    });
    let keys: Vec<i64> = cluster.nodes().iter().map(|node| node.ask(&["DBSIZE"])).collect();
    assert!(keys.iter().filter(|keys| **keys > 0).count() > 1, "all on one node: {keys:?}");
}

#[test]
fn a_store_without_a_cache_conforms() {
    let server = Server::alone();
    let mut number = 0;
    conformance::run(|| {
        number += 1;
        let options = aggregator::redis::RedisOptions { cache_bytes: 0, ..options(&server.url()) };
        let prefix = format!("bare{number}");
        aggregator::redis::RedisStore::open(&options, &prefix, &manifest()).expect("opens")
    });
}
