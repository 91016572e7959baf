//! The golden file of rolling windows: 20,000 events in arrival order, 150 instants, five windows.

use std::io::Read;

use super::shop::{domain, line, order};
use crate::books::{Books, Mode, Settings, Window};
use crate::customer::{CustomerKey, Identity, Pseudonymizer};
use crate::event::{Body, CustomersMerged, Event, OrderSnapshot};
use crate::id::Id;
use crate::time::Timestamp;

const EVENTS: &[u8] = include_bytes!("../../../testdata/rolling/rolling-events.csv.gz");
const EXPECTED: &str = include_str!("../../../testdata/rolling/rolling-expected.csv");

/// Columns: `received_at`, `type`, `order_id`, `customer_id`, `event_time`, `merge_into`. A cancelled
/// order is cancelled when that row arrives and repeats the order's customer and instant.
fn event(row: &str, pseudonyms: &Pseudonymizer) -> Event {
    let columns: Vec<&str> = row.split(',').collect();
    let [received, kind, order_id, buyer, placed, merge_into] = columns[..] else {
        panic!("six columns: {row}")
    };
    let seconds = |text: &str| Timestamp::from_seconds(text.parse().expect("seconds"));
    let customer = |name: &str| -> CustomerKey {
        let id = (number(name) + 1).to_string();
        pseudonyms.key(&domain(), Identity::Id(&id)).expect("a key")
    };
    let received = seconds(received);
    let body = if kind == "merge" {
        let (from, into) = (customer(buyer), customer(merge_into));
        Body::CustomersMerged(CustomersMerged { from, into })
    } else {
        Body::Order(Box::new(OrderSnapshot {
            id: Id::Number(number(order_id) + 1),
            placed_at: seconds(placed),
            cancelled_at: (kind == "cancel").then_some(received),
            customer: Some(customer(buyer)),
            lines: vec![line(1, 1, 1000)],
            ..order(0, 0)
        }))
    };
    Event::new(domain(), "standard", received, None, received, body)
}

/// The number in `o17` or `c17`.
fn number(name: &str) -> u64 {
    name[1..].parse().expect("a letter and a number")
}

fn events() -> Vec<Event> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(EVENTS).read_to_string(&mut text).expect("a gzip file");
    let pseudonyms = Pseudonymizer::new(&[7; 32]);
    text.lines().skip(1).map(|row| event(row, &pseudonyms)).collect()
}

/// The file's columns: distinct, repeat and orders, window by window.
fn figures(books: &Books<'_>, as_of: Timestamp) -> Vec<String> {
    let rows = books.kpis(Mode::AsOf(as_of), &Window::EVERY[..5]);
    let mut figures = Vec::new();
    for window in rows.chunk_by(|a, b| a.window == b.window) {
        for kpi in ["customers", "repeat_customers", "purchases"] {
            let row = window.iter().find(|row| row.kpi == kpi).expect(kpi);
            figures.push(row.value.clone().expect("a count"));
        }
    }
    figures
}

#[test]
fn rolling_windows_equal_the_golden_file() {
    let events = events();
    assert_eq!(events.len(), 20_000);
    let mut checked = 0;
    for row in EXPECTED.lines().skip(1) {
        let mut columns = row.split(',');
        let as_of: i64 = columns.next().and_then(|text| text.parse().ok()).expect("an instant");
        let as_of = Timestamp::from_seconds(as_of);
        let known = events.partition_point(|event| event.received_at < as_of);
        let books = Books::new(&events[..known], &domain(), &Settings::default());
        assert_eq!(figures(&books, as_of), columns.collect::<Vec<_>>(), "as of {as_of}");
        checked += 1;
    }
    assert_eq!(checked, 150);
}
