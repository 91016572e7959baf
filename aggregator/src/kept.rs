//! Answers that cost much, kept for some times as long as they took to find.

use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

/// For how many times its cost an answer is kept: so a question that is asked again and again takes a
/// twentieth of one core.
const FACTOR: u32 = 20;

/// Answers by question.
#[derive(Debug)]
pub struct Kept<K, V> {
    answers: Mutex<FxHashMap<K, Answer<V>>>,
    /// What takes less is found anew each time.
    least_cost: Duration,
    /// The longest that an answer is kept.
    longest: Duration,
}

#[derive(Debug)]
struct Answer<V> {
    value: V,
    until: Instant,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Keeps answers that cost at least so much, and none longer than `longest`.
    #[must_use]
    pub fn new(least_cost: Duration, longest: Duration) -> Self {
        Self { answers: Mutex::default(), least_cost, longest }
    }

    /// The answer to a question, found anew unless there is one yet.
    pub fn get<E>(&self, question: K, find: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some(value) = self.peek(&question) {
            return Ok(value);
        }
        let begun = Instant::now();
        let value = find()?;
        self.keep(question, value.clone(), (begun, Instant::now()));
        Ok(value)
    }

    /// The answer to a question, if it is kept.
    #[must_use]
    pub fn peek(&self, question: &K) -> Option<V> {
        self.kept(question, Instant::now())
    }

    fn kept(&self, question: &K, now: Instant) -> Option<V> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|_, answer| answer.until > now);
        answers.get(question).map(|answer| answer.value.clone())
    }

    fn keep(&self, question: K, value: V, (begun, found): (Instant, Instant)) {
        let cost = found - begun;
        if cost >= self.least_cost {
            let until = found + (cost * FACTOR).min(self.longest);
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.insert(question, Answer { value, until });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dear_answer_is_kept_for_twenty_times_its_cost_and_a_cheap_one_is_not() {
        let second = Duration::from_secs(1);
        let kept = Kept::new(second, 60 * second);
        let begun = Instant::now();
        let at = |seconds: u32| begun + seconds * second;
        kept.keep("cheap", 1, (begun, begun + second / 2));
        kept.keep("dear", 2, (begun, at(2)));
        kept.keep("dearest", 3, (begun, at(30)));
        let found = |now| ["cheap", "dear", "dearest"].map(|question| kept.kept(&question, now));
        assert_eq!(found(at(1)), [None, Some(2), Some(3)]);
        assert_eq!(found(at(41)), [None, Some(2), Some(3)]);
        assert_eq!(found(at(42)), [None, None, Some(3)]);
        assert_eq!(found(at(90)), [None; 3], "a minute at most");
        assert!(kept.answers.lock().is_ok_and(|answers| answers.is_empty()));
    }

    #[test]
    fn a_failure_is_not_kept() {
        let kept = Kept::new(Duration::ZERO, Duration::from_mins(1));
        assert_eq!(kept.get(1, || Err::<u32, _>("not now")), Err("not now"));
        assert_eq!(kept.get(1, || Ok::<_, &str>(5)), Ok(5));
    }
}
