//! A steady load of signed webhooks that costs little itself, and how long each answer took.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::kill::numbered;
use crate::support::Client;

/// Connections, each with one webhook on its way.
const CONNECTIONS: u32 = 16;

/// Sends numbered webhooks from 1 on, each once, until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    public: String,
    begun: Instant,
    interval: Duration,
    next: AtomicU64,
    stop: AtomicBool,
    answers: Mutex<Vec<Answer>>,
}

#[derive(Clone, Copy)]
struct Answer {
    at: Duration,
    took: Duration,
    status: u16,
}

/// What was sent.
pub struct Sent(Vec<Answer>);

impl Load {
    /// So many a second, at even distances.
    pub fn start(public: &str, rate: u32) -> Self {
        let shared = Arc::new(Shared {
            public: public.to_owned(),
            begun: Instant::now(),
            interval: Duration::from_secs(1) / rate,
            next: AtomicU64::new(1),
            stop: AtomicBool::new(false),
            answers: Mutex::default(),
        });
        let sender = |_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.send())
        };
        let senders = (0..CONNECTIONS).map(sender).collect();
        Self { shared, senders }
    }

    /// Now, as [`Self::times`] counts.
    pub fn mark(&self) -> Duration {
        self.shared.begun.elapsed()
    }

    /// How long each took that was sent in a span of time.
    pub fn times(&self, from: Duration, to: Duration) -> Vec<Duration> {
        times(&self.shared.answers.lock().expect("no panic"), from, to)
    }

    /// Waits for the last answers.
    pub fn stop(self) -> Sent {
        self.shared.stop.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.join().expect("every webhook was answered");
        }
        let answers = std::mem::take(&mut *self.shared.answers.lock().expect("no panic"));
        Sent(answers)
    }
}

impl Shared {
    fn send(&self) {
        let client = Client::new();
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let delivery = numbered(number);
            let due = self.interval * u32::try_from(number).expect("small");
            std::thread::sleep(due.saturating_sub(self.begun.elapsed()));
            let at = self.begun.elapsed();
            let reply = client.deliver(&self.public, &delivery).expect("an answer");
            let took = self.begun.elapsed().saturating_sub(at);
            let answer = Answer { at, took, status: reply.status };
            self.answers.lock().expect("no panic").push(answer);
        }
    }
}

impl Sent {
    /// How many there are, numbered from 1.
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// What was answered otherwise than with 200.
    pub fn other_statuses(&self) -> Vec<u16> {
        self.0.iter().map(|answer| answer.status).filter(|&status| status != 200).collect()
    }

    /// How long each took that was sent in a span of time.
    pub fn times(&self, from: Duration, to: Duration) -> Vec<Duration> {
        times(&self.0, from, to)
    }
}

fn times(answers: &[Answer], from: Duration, to: Duration) -> Vec<Duration> {
    let within = answers.iter().filter(|answer| (from..to).contains(&answer.at));
    within.map(|answer| answer.took).collect()
}

/// The time that one of a hundred exceeds.
pub fn p99(mut times: Vec<Duration>) -> Duration {
    assert!(times.len() > 100, "{} answers tell nothing", times.len());
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
