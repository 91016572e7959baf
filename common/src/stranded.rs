//! Whether a client of Kafka has lost all brokers, and with them any way to hear of new ones.
//!
//! librdkafka forgets every broker that a broker's answer does not name, the one it was configured
//! with included. Where a cluster has just come back, an answer may name none at all; then the client
//! has nobody left to ask, and waits for ever (confluentinc/librdkafka#5301). The statistics that it
//! tells of itself show that, and whoever holds it makes another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

/// What a client says of its brokers. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Stranded(Arc<AtomicBool>);

/// What is read of the statistics.
#[derive(Deserialize)]
struct Statistics {
    brokers: HashMap<String, Broker>,
}

#[derive(Deserialize)]
struct Broker {
    source: String,
}

impl Broker {
    /// Whether it is a machine that can be asked, rather than a name for work inside the client.
    fn is_real(&self) -> bool {
        matches!(self.source.as_str(), "learned" | "configured")
    }
}

impl Stranded {
    /// Takes in the statistics of a client, in librdkafka's JSON.
    pub fn read_statistics(&self, statistics: &[u8]) {
        match serde_json::from_slice::<Statistics>(statistics) {
            Ok(told) => {
                let stranded = !told.brokers.values().any(Broker::is_real);
                self.0.store(stranded, Ordering::Release);
            }
            Err(error) => {
                tracing::warn!(%error, "the statistics of a Kafka client are not understood");
            }
        }
    }

    /// Whether it has none left.
    #[must_use]
    pub fn has_no_brokers(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_stranded_when_nobody_is_left_to_ask() {
        let check = |brokers: &str, expected: bool| {
            let stranded = Stranded::default();
            stranded.read_statistics(
                format!("{{\"name\":\"rdkafka\",\"brokers\":{{{brokers}}}}}").as_bytes(),
            );
            assert_eq!(stranded.has_no_brokers(), expected, "{brokers}");
        };
        let inside =
            r#"":0/internal":{"source":"internal"},"GroupCoordinator":{"source":"logical"}"#;
        check("", true);
        check(inside, true);
        check(&format!(r#"{inside},"b:1/bootstrap":{{"source":"configured"}}"#), false);
        check(r#""b:1/1":{"source":"learned","state":"DOWN"}"#, false);
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        let stranded = Stranded::default();
        stranded.read_statistics(b"{}");
        assert!(!stranded.has_no_brokers());
    }
}
