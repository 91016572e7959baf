//! Episodes: from the hours in which a statistic is at its threshold or above, when an alarm was raised
//! and when it was over.

use super::glr::Excess;

/// How long a statistic has to stay below its threshold before the alarm is over.
const QUIET_HOURS: i64 = 24;

/// An alarm that was raised, and may be over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The first hour that was at the threshold or above.
    pub raised: i64,
    /// The hour that made a day below the threshold whole, if it is over.
    pub ended: Option<i64>,
    /// The hour at which the statistic was largest, and what it was.
    pub peak: (i64, Excess),
    /// The last hour at the threshold or above.
    last: i64,
}

/// The episodes of a series of hours, in their order.
pub fn of(series: impl IntoIterator<Item = (i64, Option<Excess>)>, threshold: f64) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for (hour, excess) in series {
        let over = excess.filter(|excess| excess.statistic >= threshold);
        let open = episodes.last_mut().filter(|episode| episode.ended.is_none());
        match (open, over) {
            (Some(episode), Some(excess)) => {
                episode.last = hour;
                if excess.statistic > episode.peak.1.statistic {
                    episode.peak = (hour, excess);
                }
            }
            (Some(episode), None) if hour - episode.last >= QUIET_HOURS => {
                episode.ended = Some(hour);
            }
            (None, Some(excess)) => {
                let peak = (hour, excess);
                episodes.push(Episode { raised: hour, ended: None, peak, last: hour });
            }
            (Some(_) | None, None) => {}
        }
    }
    episodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statistics: &[(i64, f64)], expected: &[(i64, Option<i64>, i64)]) {
        let excess =
            |statistic| Excess { statistic, length: 1, returns: 5.0, expected: 1.0, shape: 9.0 };
        let series = statistics.iter().map(|(hour, statistic)| (*hour, Some(excess(*statistic))));
        let found = of(series.chain([(1_000, None)]).take(statistics.len()), 9.0);
        let found: Vec<_> =
            found.iter().map(|episode| (episode.raised, episode.ended, episode.peak.0)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_alarm_is_over_after_a_quiet_day() {
        check(&[(0, 8.9), (1, 9.0), (2, 12.0), (3, 10.0), (26, 1.0)], &[(1, None, 2)]);
        check(&[(1, 9.0), (3, 10.0), (26, 1.0), (27, 8.0)], &[(1, Some(27), 3)]);
        check(&[(1, 9.0), (24, 1.0), (24, 9.5), (47, 2.0)], &[(1, None, 24)]);
        check(&[(1, 9.0), (25, 1.0), (26, 9.5)], &[(1, Some(25), 1), (26, None, 26)]);
        check(&[(1, 1.0)], &[]);
    }
}
