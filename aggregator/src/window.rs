//! Rolling windows, and what of the past each one covers.

use common::time::{DAY_MS, HOUR_MS, Timestamp};

/// A rolling window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// 24 hours.
    H24,
    /// 7 days.
    D7,
    /// 30 days.
    D30,
    /// 90 days.
    D90,
    /// 365 days.
    D365,
    /// Everything.
    All,
}

impl Window {
    /// Every window.
    pub const EVERY: [Self; 6] = [Self::H24, Self::D7, Self::D30, Self::D90, Self::D365, Self::All];
    /// The windows that have a length.
    pub const ROLLING: [Self; 5] = [Self::H24, Self::D7, Self::D30, Self::D90, Self::D365];

    /// The window of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|window| window.name() == name)
    }

    /// The name in the API and in labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H24 => "24h",
            Self::D7 => "7d",
            Self::D30 => "30d",
            Self::D90 => "90d",
            Self::D365 => "365d",
            Self::All => "all",
        }
    }

    /// Its length in milliseconds; `None` for everything.
    #[must_use]
    pub const fn length_ms(self) -> Option<i64> {
        match self {
            Self::H24 => Some(DAY_MS),
            Self::D7 => Some(7 * DAY_MS),
            Self::D30 => Some(30 * DAY_MS),
            Self::D90 => Some(90 * DAY_MS),
            Self::D365 => Some(365 * DAY_MS),
            Self::All => None,
        }
    }

    /// Its length in hours; `None` for everything.
    #[must_use]
    pub const fn hours(self) -> Option<i64> {
        match self.length_ms() {
            Some(length) => Some(length / HOUR_MS),
            None => None,
        }
    }
}

/// The instants from which to count and to which, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first instant that counts.
    pub from: Timestamp,
    /// The last instant that counts.
    pub to: Timestamp,
}

impl Span {
    /// Whether `at` counts.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}

/// How a question fixes its instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By all that is known now, exact to the hour at the window's far end.
    Live {
        /// The present.
        now: Timestamp,
    },
    /// At a past instant, exact to the millisecond.
    AsOf(Timestamp),
}

impl Asked {
    /// The instant after which nothing exists yet.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Live { now } => now,
            Self::AsOf(at) => at,
        }
    }

    /// The end that windows are counted back from: the instant itself, or the end of its hour.
    const fn end(self) -> Timestamp {
        match self {
            Self::Live { now } => Timestamp::from_ms((now.hour() + 1) * HOUR_MS),
            Self::AsOf(at) => at,
        }
    }

    /// `(T - W, T]` at a past instant; `[end of the hour - W, now]` live.
    #[must_use]
    pub fn span(self, window: Window) -> Span {
        let from = window.length_ms().map_or(Timestamp::MIN, |length| self.opened(-length));
        Span { from, to: self.at() }
    }

    /// The window of equal length before; `None` for everything.
    #[must_use]
    pub fn preceding(self, window: Window) -> Option<Span> {
        let length = window.length_ms()?;
        Some(Span { from: self.opened(-2 * length), to: self.opened(-length).plus_ms(-1) })
    }

    /// The instant that the API names as the window's beginning.
    #[must_use]
    pub fn from(self, window: Window) -> Option<Timestamp> {
        window.length_ms().map(|length| self.end().plus_ms(-length))
    }

    fn opened(self, offset: i64) -> Timestamp {
        match self {
            Self::Live { .. } => self.end().plus_ms(offset),
            // The exact form leaves its beginning out.
            Self::AsOf(_) => self.end().plus_ms(offset + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_windows_are_open_at_the_far_end() {
        let at = Timestamp::from_ms(100 * DAY_MS + 5);
        let span = Asked::AsOf(at).span(Window::D7);
        assert!(!span.contains(at.plus_ms(-7 * DAY_MS)));
        assert!(span.contains(at.plus_ms(-7 * DAY_MS + 1)));
        assert!(span.contains(at));
        assert!(!span.contains(at.plus_ms(1)));
        let before = Asked::AsOf(at).preceding(Window::D7).expect("a window before");
        assert!(before.contains(at.plus_ms(-7 * DAY_MS)));
        assert!(!before.contains(at.plus_ms(-14 * DAY_MS)));
    }

    #[test]
    fn live_windows_begin_at_an_hour() {
        let now = Timestamp::from_ms(100 * DAY_MS + 5);
        let live = Asked::Live { now };
        let end = 100 * DAY_MS + HOUR_MS;
        assert_eq!(live.span(Window::H24).from.ms(), end - DAY_MS);
        assert_eq!(live.span(Window::H24).to, now);
        let before = live.preceding(Window::H24).expect("a window before");
        assert_eq!((before.from.ms(), before.to.ms()), (end - 2 * DAY_MS, end - DAY_MS - 1));
        assert_eq!(live.span(Window::All).from, Timestamp::MIN);
    }
}
