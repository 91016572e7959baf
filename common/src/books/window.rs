//! Rolling windows: which instants lie in them, in the exact form and in the live one.

use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// A rolling window's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// 24 hours.
    H24,
    /// 7 days of 24 hours.
    D7,
    /// 30 days of 24 hours.
    D30,
    /// 90 days of 24 hours.
    D90,
    /// 365 days of 24 hours.
    D365,
    /// Everything up to the instant asked.
    All,
}

impl Window {
    /// Every window, shortest first.
    pub const EVERY: [Self; 6] = [Self::H24, Self::D7, Self::D30, Self::D90, Self::D365, Self::All];

    /// The name in the API.
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

    /// The window that [`Window::name`] names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::EVERY.into_iter().find(|window| window.name() == name)
    }

    /// The length in milliseconds; `None` for [`Window::All`].
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
}

/// The form of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Exact to the millisecond: (T - W, T].
    AsOf(Timestamp),
    /// Exact to the hour: [end of the current UTC hour - W, now].
    Live {
        /// The present instant.
        now: Timestamp,
    },
}

impl Mode {
    /// The instant asked; nothing later exists.
    #[must_use]
    pub const fn instant(self) -> Timestamp {
        match self {
            Self::AsOf(instant) | Self::Live { now: instant } => instant,
        }
    }

    /// The instant that the row calls `from`; `None` where the window has no beginning.
    pub(super) fn from(self, window: Window) -> Option<Timestamp> {
        window.length_ms().map(|length| self.end().plus_ms(-length))
    }

    /// The instants of the window.
    pub(super) fn span(self, window: Window) -> Span {
        let first = self.from(window).map(|from| self.first_after(from));
        Span { first: first.unwrap_or(Timestamp::MIN), last: self.instant() }
    }

    /// The instants of the equally long window before; `None` for [`Window::All`].
    pub(super) fn preceding(self, window: Window) -> Option<Span> {
        let length = window.length_ms()?;
        let current = self.span(window).first;
        Some(Span { first: current.plus_ms(-length), last: current.plus_ms(-1) })
    }

    /// Where window lengths are measured from: T, or the end of the current UTC hour.
    fn end(self) -> Timestamp {
        match self {
            Self::AsOf(instant) => instant,
            Self::Live { now } => Timestamp::from_ms((now.hour() + 1) * HOUR_MS),
        }
    }

    /// The exact form leaves its beginning out, the live one does not.
    fn first_after(self, from: Timestamp) -> Timestamp {
        match self {
            Self::AsOf(_) => from.plus_ms(1),
            Self::Live { .. } => from,
        }
    }
}

/// A range of instants, both ends included; instants are whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Span {
    /// Whether `at` lies in the range.
    pub(super) fn contains(self, at: Timestamp) -> bool {
        self.first <= at && at <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(mode: Mode) -> (i64, i64) {
        let span = mode.span(Window::H24);
        (span.first.ms(), span.last.ms())
    }

    #[test]
    fn exact_windows_leave_their_beginning_out() {
        let mode = Mode::AsOf(Timestamp::from_ms(DAY_MS + 5));
        assert_eq!(span(mode), (6, DAY_MS + 5));
        let before = mode.preceding(Window::H24).expect("a preceding window");
        assert_eq!((before.first.ms(), before.last.ms()), (6 - DAY_MS, 5));
    }

    #[test]
    fn live_windows_end_with_the_current_hour() {
        let on_the_hour = Mode::Live { now: Timestamp::from_ms(DAY_MS) };
        assert_eq!(span(on_the_hour), (HOUR_MS, DAY_MS));
        let mode = Mode::Live { now: Timestamp::from_ms(DAY_MS - 1) };
        assert_eq!(span(mode), (0, DAY_MS - 1));
        let before = mode.preceding(Window::H24).expect("a preceding window");
        assert_eq!((before.first.ms(), before.last.ms()), (-DAY_MS, -1));
        assert_eq!(mode.preceding(Window::All), None);
    }
}
