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
        let threads = self.threads.into_iter();
        let scrapes = threads.map(|(name, thread)| (name, thread.join().expect("no panic")));
        judge(&scrapes.collect::<Vec<_>>()).unwrap_or_else(|twice| panic!("{twice}"))
    }
}

/// The longest time for which a shop was shown by none, or the shop that was shown twice.
fn judge(folds: &[(String, Vec<Scrape>)]) -> Result<Duration, String> {
    let mut by_shop: BTreeMap<String, Vec<(&String, Run)>> = BTreeMap::new();
    let mut all: BTreeMap<&String, Vec<(&String, Instant, Instant)>> = BTreeMap::new();
    for (name, scrapes) in folds {
        for scrape in scrapes {
            for shop in scrape.shops.iter().flatten() {
                all.entry(shop).or_default().push((name, scrape.begun, scrape.ended));
            }
        }
        for (shop, runs) in runs(scrapes) {
            by_shop.entry(shop).or_default().extend(runs.into_iter().map(|run| (name, run)));
        }
    }
    let mut longest = None;
    for (shop, mut shown) in all {
        shown.sort_by_key(|(_, begun, _)| *begun);
        for (name, begun, ended) in &shown {
            let runs = by_shop.get(shop).map_or(&[][..], Vec::as_slice);
            let other = runs
                .iter()
                .find(|(other, run)| other != name && run.from < *begun && *ended < run.to);
            if let Some((other, _)) = other {
                return Err(format!("{shop}: shown by {name} while {other} showed it"));
            }
        }
        for pair in shown.windows(2) {
            longest = longest.max(Some(pair[1].1.saturating_duration_since(pair[0].2)));
        }
    }
    longest.ok_or_else(|| "no shop was ever shown".to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrapes of 50 ms each, ten a second; a letter is a shop, a point no shop, a dash no answer.
    fn scrapes(begun: Instant, seen: &str) -> Vec<Scrape> {
        let at = |number: usize| Duration::from_millis(100 * u64::try_from(number).expect("few"));
        let shops = |seen: char| match seen {
            '-' => None,
            '.' => Some(BTreeSet::new()),
            shop => Some(BTreeSet::from([shop.to_string()])),
        };
        let scrape = |(number, seen): (usize, char)| {
            let begun = begun + at(number);
            Scrape { begun, ended: begun + Duration::from_millis(50), shops: shops(seen) }
        };
        seen.chars().enumerate().map(scrape).collect()
    }

    #[test]
    fn a_fold_that_comes_back_with_what_is_anothers_is_noticed() {
        let now = Instant::now();
        let check = |one: &str, other: &str, expected: bool| {
            // The second fold is scraped between two scrapes of the first.
            let later = now + Duration::from_millis(52);
            let folds =
                [("one".to_owned(), scrapes(now, one)), ("two".to_owned(), scrapes(later, other))];
            assert_eq!(judge(&folds).is_ok(), expected, "{one} {other}: {:?}", judge(&folds));
        };
        check("aaaa......", ".....aaaaa", true);
        check("aaaa------......", ".......aaaaaaaaa", true);
        check("aaaa------a.....", ".......aaaaaaaaa", false);
        check("aaaaaaaaaa", "....aa....", false);
        check("aaaabbbbbb", "bbbbaaaaaa", true);
        check("..........", "..........", false);
    }
}
