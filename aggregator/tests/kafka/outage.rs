//! A broker that hangs.

use std::time::{Duration, Instant};

use aggregator::feed::{Fed, Feed as _};
use aggregator::kafka::{KafkaFeed, KafkaTail};
use bytes::Bytes;
use common::log::{Append as _, AppendError, BatchLimit, ReadError, Subscribe as _};

use crate::broker::{Broker, block_on};

#[test]
fn nothing_is_acknowledged_while_the_broker_hangs() {
    // Of its own: other tests would hang with it.
    let broker = Broker::start("outage");
    let topic = broker.topic(1);
    let log = broker.log(&topic, 1);
    let tail = KafkaTail::connect(broker.reading(&topic, 1)).expect("a tail");
    let mut feed = KafkaFeed::connect(broker.reading(&topic, 1)).expect("a feed");
    let append = |text: &'static str| block_on(log.append(0, Bytes::from_static(text.as_bytes())));
    append("before").expect("acknowledged");

    broker.signal("-STOP");
    let begun = Instant::now();
    let refused = append("while it hangs");
    assert!(matches!(refused, Err(AppendError::Unavailable { .. })), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
    let begun = Instant::now();
    feed.end_positions().expect("known from before");
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody is asked");
    assert!(tail.end_positions().is_err(), "and who is asked says that it does not know");
    broker.signal("-CONT");

    let begun = Instant::now();
    while let Err(error) = append("after") {
        assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
    }
    // The refused one may have been written all the same, which is a repetition and no loss.
    let end = loop {
        match tail.end_positions() {
            Ok(ends) => break ends[0],
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(40), "{error}"),
        }
    };
    assert!(end >= 2, "{end}");
    let limit = BatchLimit { max_records: 10, max_bytes: 1 << 20 };
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(40), "the feed came back");
        match feed.next(limit, Duration::from_millis(100)) {
            // The client may not have heard yet that the broker is back.
            Ok(Fed::Assigned(_)) => {
                while let Err(error) = feed.start(&[(0, 0)]) {
                    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
                    assert!(begun.elapsed() < Duration::from_secs(40), "{error}");
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            Ok(Fed::Items(items)) if items.is_empty() => {}
            Ok(Fed::Items(_)) => break,
            Ok(Fed::Revoked(_)) | Err(_) => {}
        }
    }
}
