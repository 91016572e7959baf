//! The stream of what changes, as whoever listens slowly hears it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::{App, test, web};
use aggregator::api::{Api, configure};
use aggregator::fold::{Counted, Report};
use aggregator::metrics::AggregatorMetrics;
use aggregator::progress::Progress;
use aggregator::query::{Parts, Query};
use aggregator::views::Views;
use common::clock::FixedClock;
use common::customer::Pseudonymizer;
use common::event::{Body, Event, OrderDeleted};
use common::log::Log;
use common::log::memory::MemoryLog;
use common::shop::ShopDomain;
use common::time::Timestamp;
use prometheus::Registry;

use crate::shops::shop;
use crate::support::{folded, settings};

const AT: Timestamp = Timestamp::from_seconds(1_767_607_200);

/// More changes than the stream holds for whoever does not keep up.
const CHANGES: u32 = 20_000;

#[tokio::test]
async fn who_missed_something_is_told_of_every_shop() {
    let body = Body::OrderDeleted(OrderDeleted { order: 1_u64.into() });
    let store = folded([&[Event::new(shop(), "shopify", AT, None, AT, body)][..]]);
    let (views, registry) = (Arc::new(Views::default()), Registry::new());
    let query = Query::new(Parts {
        store,
        ends: Arc::new(Log::Memory(MemoryLog::new(32))),
        settings: settings(),
        partitions: 32,
        clock: Arc::new(FixedClock::at(AT)),
        pseudonyms: Pseudonymizer::new(b"0123456789abcdef0123456789abcdef"),
        views: views.clone(),
        progress: Arc::new(Progress::new(32)),
        mode: "embedded",
    });
    let metrics = Arc::new(AggregatorMetrics::register(&registry).expect("registers"));
    let api = web::Data::new(Api::new(Arc::new(query), registry, metrics, None, None));
    let app = App::new().configure(|config| configure(config, api, |_| {}));
    let app = test::init_service(app).await;
    let asked = test::TestRequest::get().uri("/v1/stream").to_request();
    let mut stream = pin!(test::call_service(&app, asked).await.into_body());
    let mut hear = async || {
        let piece = poll_fn(|context| stream.as_mut().poll_next(context)).await;
        let Some(Ok(piece)) = piece else { panic!("it ended") };
        String::from_utf8(piece.to_vec()).expect("text")
    };
    let told_of = |piece: &str, shop: &ShopDomain| piece.contains(&format!("\"shop\":\"{shop}\""));

    let tell = |names: std::ops::Range<u32>| {
        let other = |number| ShopDomain::parse(&format!("{number}.example")).expect("a shop");
        let counted = names.map(|number| (other(number), Some(Counted::default())));
        views.tell(&Report { applied: Vec::new(), counted: counted.collect() });
    };
    tell(0..1);
    assert!(!told_of(&hear().await, &shop()), "of nothing that did not change");
    let changed = (shop(), Some(Counted::default()));
    views.tell(&Report { applied: Vec::new(), counted: vec![changed] });
    tell(0..CHANGES);
    assert!(told_of(&hear().await, &shop()), "of what was lost as well");
}
