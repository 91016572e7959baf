//! A Prometheus of its own kind: it scrapes each fold again and again, and knows afterwards which
//! shops each of them showed when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two scrapes of a fold.
const EVERY: Duration = Duration::from_millis(100);
/// How long a scrape may take; a fold that stands still answers none.
const PATIENCE: Duration = Duration::from_secs(1);
/// Scrapes further apart than this say nothing of what was in between.
const APART: Duration = Duration::from_secs(2);
/// The series that stands for all of a shop.
const SERIES: &str = "tallyhook_orders{";

/// One answer.
#[derive(Debug)]
struct Scrape {
    begun: Instant,
    ended: Instant,
    /// `None` for no answer.
    shops: Option<BTreeSet<String>>,
}

/// Scrapes folds on threads of their own until it is asked what it saw.
#[derive(Debug, Default)]
pub struct Scrapes {
    stop: Arc<AtomicBool>,
    threads: Vec<(String, JoinHandle<Vec<Scrape>>)>,
}

/// From the end of a fold's first scrape with a shop to the beginning of its last one in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: Instant,
    to: Instant,
}

impl Scrapes {
    /// Begins to scrape a fold.
    pub fn of(&mut self, name: &str, admin: &str) {
        let (stop, url) = (self.stop.clone(), format!("{admin}/metrics"));
        let thread = std::thread::spawn(move || {
            let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build();
            let agent = config.new_agent();
            let mut scrapes = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let begun = Instant::now();
                let answer = agent.get(&url).call().and_then(|mut r| r.body_mut().read_to_string());
                let shops = answer.ok().map(|text| shops(&text));
                scrapes.push(Scrape { begun, ended: Instant::now(), shops });
                std::thread::sleep(EVERY);
            }
            scrapes
        });
        self.threads.push((name.to_owned(), thread));
    }

    /// Ends. Panics if a fold showed a shop while another one did; the longest time for which a shop
    /// was shown by none.
    pub fn assert_never_twice(self) -> Duration {
        self.stop.store(true, Ordering::SeqCst);
        let mut by_shop: BTreeMap<String, Vec<(String, Run)>> = BTreeMap::new();
        let mut all: BTreeMap<String, Vec<(String, Instant, Instant)>> = BTreeMap::new();
        for (name, thread) in self.threads {
            let scrapes = thread.join().expect("no panic");
            for scrape in &scrapes {
                for shop in scrape.shops.iter().flatten() {
                    let shown = (name.clone(), scrape.begun, scrape.ended);
                    all.entry(shop.clone()).or_default().push(shown);
                }
            }
            for (shop, runs) in runs(&scrapes) {
                let named = runs.into_iter().map(|run| (name.clone(), run));
                by_shop.entry(shop).or_default().extend(named);
            }
        }
        assert!(!all.is_empty(), "no shop was ever shown");
        let mut longest = Duration::ZERO;
        for (shop, mut shown) in all {
            shown.sort_by_key(|(_, begun, _)| *begun);
            for (name, begun, ended) in &shown {
                let runs = by_shop.get(&shop).map_or(&[][..], Vec::as_slice);
                let twice = runs
                    .iter()
                    .find(|(other, run)| other != name && run.from < *begun && *ended < run.to);
                assert!(twice.is_none(), "{shop}: shown by {name} and by {twice:?}");
            }
            for pair in shown.windows(2) {
                longest = longest.max(pair[1].1.saturating_duration_since(pair[0].2));
            }
        }
        longest
    }
}

/// For how long each shop was shown without a break.
fn runs(scrapes: &[Scrape]) -> BTreeMap<String, Vec<Run>> {
    let mut done: BTreeMap<String, Vec<Run>> = BTreeMap::new();
    let mut open: BTreeMap<String, Run> = BTreeMap::new();
    let mut before: Option<Instant> = None;
    for scrape in scrapes {
        let apart = before.is_some_and(|before| scrape.begun.duration_since(before) > APART);
        before = Some(scrape.ended);
        let empty = BTreeSet::new();
        let shops = scrape.shops.as_ref().unwrap_or(&empty);
        let ended: Vec<String> =
            open.keys().filter(|shop| apart || !shops.contains(*shop)).cloned().collect();
        for shop in ended {
            let run = open.remove(&shop).expect("open");
            done.entry(shop).or_default().push(run);
        }
        for shop in shops {
            let run = Run { from: scrape.ended, to: scrape.begun };
            open.entry(shop.clone()).or_insert(run).to = scrape.begun;
        }
    }
    for (shop, run) in open {
        done.entry(shop).or_default().push(run);
    }
    done
}

fn shops(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(SERIES));
    let shop = |line: &str| Some(line.split_once("shop=\"")?.1.split_once('"')?.0.to_owned());
    lines.filter_map(shop).collect()
}
