//! Whether Kafka is asked at all. Pure: every instant comes from the caller.
//!
//! ```text
//! closed ----failure, or several slow answers----> open <--------------+
//!    ^                                              | the pause is over |
//!    |                                              v                   |
//!    +------------------the probe is taken----- half-open --it fails----+
//! ```
//!
//! While it is open, everything goes to the spool at once; one record at a time is tried on Kafka.

use std::time::{Duration, Instant};

/// Slow answers in a row that open it: one alone may be a pause of a broker.
const MOST_SLOW: u32 = 3;
/// The pause before the first probe; each failed one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between probes, and so about how late a recovery is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// A probe whose outcome nobody tells is given up: whoever sent it is gone.
const PROBE_LIMIT: Duration = Duration::from_secs(6);

/// A circuit breaker.
#[derive(Clone, Debug)]
pub(super) struct Breaker {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Kafka is asked.
    Closed {
        /// Slow answers since the last good one.
        slow: u32,
    },
    /// Kafka is not asked before `until`.
    Open { until: Instant, pause: Duration },
    /// One record is on its way to Kafka.
    HalfOpen { until: Instant, pause: Duration },
    /// Kafka must not be asked before somebody says so.
    Held,
}

impl Breaker {
    /// Lets everything through.
    pub(super) fn closed() -> Self {
        Self { state: State::Closed { slow: 0 } }
    }

    /// Lets nothing through until [`Self::release`].
    pub(super) fn held() -> Self {
        Self { state: State::Held }
    }

    /// Whether Kafka is asked.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Ends [`Self::held`].
    pub(super) fn release(&mut self) {
        if self.state == State::Held {
            *self = Self::closed();
        }
    }

    /// Whether the caller may try one record on Kafka now; it must tell [`Self::probed`] then.
    pub(super) fn probe(&mut self, now: Instant) -> bool {
        match self.state {
            State::Open { until, pause } | State::HalfOpen { until, pause } if until <= now => {
                self.state = State::HalfOpen { until: now + PROBE_LIMIT, pause };
                true
            }
            State::Open { .. } | State::HalfOpen { .. } | State::Closed { .. } | State::Held => {
                false
            }
        }
    }

    /// A probe was taken, or failed; whether that closed the breaker.
    pub(super) fn probed(&mut self, taken: bool, now: Instant) -> bool {
        match (self.state, taken) {
            (State::HalfOpen { .. } | State::Open { .. }, true) => {
                *self = Self::closed();
                true
            }
            (State::HalfOpen { pause, .. } | State::Open { pause, .. }, false) => {
                let pause = (pause * 2).min(LONGEST_PAUSE);
                self.state = State::Open { until: now + pause, pause };
                false
            }
            (State::Closed { .. } | State::Held, _) => false,
        }
    }

    /// Kafka took a record in time.
    pub(super) fn succeeded(&mut self) {
        if let State::Closed { slow } = &mut self.state {
            *slow = 0;
        }
    }

    /// Kafka did not answer in time; whether that opened the breaker.
    pub(super) fn was_slow(&mut self, now: Instant) -> bool {
        match &mut self.state {
            State::Closed { slow } if *slow + 1 < MOST_SLOW => {
                *slow += 1;
                false
            }
            State::Closed { .. } => self.failed(now),
            State::Open { .. } | State::HalfOpen { .. } | State::Held => false,
        }
    }

    /// Kafka did not take a record; whether that opened the breaker.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        let was_closed = self.is_closed();
        if was_closed {
            self.state = State::Open { until: now + FIRST_PAUSE, pause: FIRST_PAUSE };
        }
        was_closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::closed();
        assert!(breaker.failed(now));
        breaker
    }

    #[test]
    fn one_failure_opens_it_and_the_rest_change_nothing() {
        let now = Instant::now();
        let mut breaker = open(now);
        assert!(!breaker.is_closed());
        assert!(!breaker.failed(now + ms(100)) && !breaker.was_slow(now + ms(100)));
        assert!(breaker.probe(now + ms(250)), "later failures do not put the probe off");
    }

    #[test]
    fn slow_answers_open_it_only_in_a_row() {
        let now = Instant::now();
        let mut breaker = Breaker::closed();
        assert!(!breaker.was_slow(now) && !breaker.was_slow(now));
        breaker.succeeded();
        assert!(!breaker.was_slow(now) && !breaker.was_slow(now));
        assert!(breaker.is_closed());
        assert!(breaker.was_slow(now));
        assert!(!breaker.is_closed());
    }

    #[test]
    fn one_probe_at_a_time_after_a_pause() {
        let now = Instant::now();
        let mut breaker = open(now);
        assert!(!breaker.probe(now + ms(249)));
        assert!(breaker.probe(now + ms(250)));
        assert!(!breaker.probe(now + ms(251)), "one is on its way");
        assert!(!breaker.is_closed(), "live records do not follow the probe");
        assert!(breaker.probed(true, now + ms(300)));
        assert!(breaker.is_closed());
        assert!(!breaker.probe(now + ms(9_000)), "there is nothing to find out");
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_a_limit() {
        let mut now = Instant::now();
        let mut breaker = open(now);
        now += ms(250);
        for pause in [500, 1_000, 2_000, 2_000] {
            assert!(breaker.probe(now));
            assert!(!breaker.probed(false, now));
            assert!(!breaker.probe(now + ms(pause - 1)), "{pause}");
            now += ms(pause);
        }
        assert!(breaker.probe(now) && breaker.probed(true, now));
        breaker.failed(now);
        assert!(breaker.probe(now + ms(250)), "the pauses begin anew");
    }

    #[test]
    fn a_probe_that_nobody_tells_of_is_given_up() {
        let now = Instant::now();
        let mut breaker = open(now);
        assert!(breaker.probe(now + ms(250)));
        assert!(!breaker.probe(now + ms(249) + PROBE_LIMIT));
        assert!(breaker.probe(now + ms(250) + PROBE_LIMIT));
    }

    #[test]
    fn a_good_answer_of_before_does_not_close_it() {
        let now = Instant::now();
        let mut breaker = open(now);
        breaker.succeeded();
        assert!(!breaker.is_closed());
    }

    #[test]
    fn nothing_passes_while_it_is_held() {
        let now = Instant::now();
        let mut breaker = Breaker::held();
        breaker.succeeded();
        assert!(!breaker.failed(now) && !breaker.probed(true, now));
        assert!(!breaker.is_closed() && !breaker.probe(now + ms(60_000)));
        breaker.release();
        assert!(breaker.is_closed());
        let mut breaker = open(now);
        breaker.release();
        assert!(!breaker.is_closed(), "only what was held is released");
    }
}
