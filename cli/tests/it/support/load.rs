//! A platform that goes on posting webhooks while things fail: what is not answered with 200 it posts
//! again, to whichever receiver answers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{Client, Delivery};
use super::shopify::{line, order, with};
use super::wait_until;

/// Enough to fill both receivers' connections, few enough for a small machine.
const SENDERS: u64 = 4;
/// Shops, spread over the partitions.
const SHOPS: u64 = 24;
/// Every so many-th webhook is posted twice.
const TWICE: u64 = 10;
/// Before a webhook that was refused is posted again.
const PAUSE: Duration = Duration::from_millis(200);

/// The `number`th webhook: each order comes changed, some of them cancelled, and then late as it was
/// placed.
pub fn numbered(number: u64) -> Delivery {
    let (id, later) = (1 + number / 2, number.is_multiple_of(2));
    let seconds = i64::try_from(id * 60).expect("small");
    let placed_at = jiff::Timestamp::from_second(1_700_000_000 + seconds).expect("an instant");
    let changed_at = placed_at.saturating_add(jiff::SignedDuration::from_hours(30));
    let changed_at = changed_at.expect("an instant").to_string();
    let quantity = 1 + id % 3;
    let body = order(id, 1 + id % 97, &placed_at.to_string(), &[line(id, quantity, "12.50")]);
    let shop = format!("load-{}.example", id % SHOPS);
    if !later {
        return Delivery::new(&shop, "orders/create", &body).id(format!("load-{number}"));
    }
    let cancelled_at = id.is_multiple_of(5).then_some(&changed_at);
    let more = json!({"updated_at": &changed_at, "cancelled_at": cancelled_at});
    Delivery::new(&shop, "orders/updated", &with(body, &more)).id(format!("load-{number}"))
}

/// Threads that post until they are told to stop.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    receivers: Vec<String>,
    pause: Duration,
    next: AtomicU64,
    stop: AtomicBool,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    answers: Mutex<Vec<Duration>>,
}

/// What became of a load.
#[derive(Debug)]
pub struct Posted {
    /// Every webhook; each was answered with 200 in the end.
    pub deliveries: Vec<Delivery>,
    /// How often the answer was 503.
    pub refused: u64,
    /// The longest time to an answer of 200.
    pub slowest: Duration,
}

impl Load {
    /// Posts to receivers, each sender pausing after each webhook.
    pub fn start(receivers: &[&str], pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            receivers: receivers.iter().map(|one| (*one).to_owned()).collect(),
            pause,
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            answers: Mutex::default(),
        });
        let threads = (0..SENDERS).map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.post())
        });
        Self { threads: threads.collect(), shared }
    }

    /// How many webhooks were answered with 200.
    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    /// How often the answer was 503.
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// Waits until so many more were answered with 200.
    pub fn goes_on(&self, more: u64) {
        let before = self.acknowledged();
        let what = format!("{more} more webhooks to be taken");
        wait_until(&what, Duration::from_mins(2), || self.acknowledged() >= before + more);
    }

    /// Ends once every webhook that was begun is answered with 200.
    pub fn stop(mut self) -> Posted {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic");
        }
        let sent = self.shared.next.load(Ordering::SeqCst);
        let answers = self.shared.answers.lock().expect("no panic");
        Posted {
            deliveries: (0..sent).map(numbered).collect(),
            refused: self.refused(),
            slowest: answers.iter().max().copied().unwrap_or_default(),
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
    }
}

impl Shared {
    fn post(&self) {
        let client = Client::new();
        let deadline = || Instant::now() + Duration::from_mins(3);
        while !self.stop.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let delivery = numbered(number);
            let copies = if number.is_multiple_of(TWICE) { 2 } else { 1 };
            for copy in 0..copies {
                self.post_until_taken(&client, &delivery, number + copy, deadline());
            }
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(self.pause);
        }
    }

    fn post_until_taken(&self, client: &Client, delivery: &Delivery, turn: u64, deadline: Instant) {
        let count = u64::try_from(self.receivers.len()).expect("few");
        for attempt in turn.. {
            assert!(Instant::now() < deadline, "never taken: {delivery:?}");
            let receiver = usize::try_from(attempt % count).expect("small");
            let begun = Instant::now();
            match client.deliver(&self.receivers[receiver], delivery) {
                Ok(reply) if reply.status == 200 => {
                    self.answers.lock().expect("no panic").push(begun.elapsed());
                    return;
                }
                Ok(reply) => {
                    assert_eq!(reply.status, 503, "{reply:?}");
                    self.refused.fetch_add(1, Ordering::SeqCst);
                }
                // No answer means perhaps taken: posted again, which must change nothing.
                Err(_) => {}
            }
            std::thread::sleep(PAUSE);
        }
    }
}
