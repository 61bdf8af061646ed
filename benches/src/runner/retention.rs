//! The search for the retention at which the wanted number of keys lives, where keys leave as real
//! time passes.

use std::thread;
use std::time::Duration;

use crate::machine;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    /// So many times the wanted number lived.
    Lived(f64),
    /// Keys were refused while time ran: the engine stood at its limit, whatever number lived.
    Refused,
}

impl Found {
    /// How far from the wanted number is near enough.
    const TOLERANCE: f64 = 0.1;

    /// Whether the attempt was a sample.
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Lived(share) if (share - 1.0).abs() <= Self::TOLERANCE)
    }
}

/// Where the search stands.
pub(super) struct Search {
    retention: Duration,
    /// The longest that was too short, and the shortest that was too long.
    bounds: (Option<Duration>, Option<Duration>),
}

/// What engines round shorter ones up to.
const SHORTEST: Duration = Duration::from_millis(1);

/// Longer than any engine takes to come to the wanted number.
const LONGEST: Duration = Duration::from_secs(600);

impl Search {
    /// Attempts after which the search is given up.
    pub(super) const ATTEMPTS_MAX: usize = 12;

    /// Begins with a retention that is too short for any engine.
    pub(super) fn new(wanted: f64) -> Self {
        let retention = Duration::from_secs_f64(wanted / 10e6).max(SHORTEST);
        Self { retention, bounds: (None, None) }
    }

    /// What is to be tried now.
    pub(super) fn retention(&self) -> Duration {
        self.retention
    }

    /// Goes on from what came of that. Speed is not the same in two attempts, so a bound that is
    /// contradicted falls.
    pub(super) fn go_on(&mut self, found: Found) {
        let tried = self.retention;
        let (low, high) = &mut self.bounds;
        let guess = match found {
            Found::Lived(share) if share < 1.0 => {
                *low = Some(tried);
                *high = high.filter(|high| *high > tried);
                tried.div_f64(share.max(0.1)).min(LONGEST)
            }
            Found::Lived(share) => {
                *high = Some(tried);
                *low = low.filter(|low| *low < tried);
                tried.div_f64(share.min(10.0))
            }
            Found::Refused => {
                *high = Some(tried);
                *low = low.filter(|low| *low < tried);
                tried.mul_f64(0.8)
            }
        };
        let is_between = low.is_none_or(|low| guess > low) && high.is_none_or(|high| guess < high);
        let next = match (*low, *high) {
            (Some(low), Some(high)) if !is_between => {
                low.mul_f64((high.div_duration_f64(low)).sqrt())
            }
            _ => guess,
        };
        self.retention = next.clamp(SHORTEST, LONGEST);
    }
}

/// Lets an engine come to rest: for two retentions, so that the first keys have left and their
/// memory has been used again, and then until its memory grows no more. First touches are slow, and
/// while they last fewer live than will.
pub(super) fn warm_up(retention: Duration) {
    /// Quarters of a retention that are waited at most.
    const QUARTERS_MAX: usize = 24;

    thread::sleep(retention * 2);
    if !cfg!(target_os = "linux") {
        return;
    }
    let mut before = machine::resident_bytes();
    for _ in 0..QUARTERS_MAX {
        thread::sleep(retention / 4);
        let now = machine::resident_bytes();
        if now <= before + before / 100 {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A busy machine, on which nothing lives, or too much, whatever is tried.
    #[test]
    fn no_end_of_the_same_answer_leads_out_of_bounds() {
        for found in [Found::Refused, Found::Lived(0.0), Found::Lived(1e9)] {
            let mut search = Search::new(2000.0);
            for _ in 0..40 {
                search.go_on(Found::Lived(0.01));
                (0..40).for_each(|_| search.go_on(found));
                assert!(search.retention() >= SHORTEST && search.retention() <= LONGEST);
            }
        }
    }

    const WANTED: f64 = 1e6;
    const LIMIT: f64 = 1.08;

    /// The share that would live without a limit, of the last attempt of a search; nothing if none
    /// was good. `speed`: keys a second, in each attempt.
    fn search(speed: impl Fn(usize) -> f64) -> Option<f64> {
        let mut search = Search::new(WANTED);
        for attempt in 0..Search::ATTEMPTS_MAX {
            let share = speed(attempt) * search.retention().as_secs_f64() / WANTED;
            let found = if share > LIMIT { Found::Refused } else { Found::Lived(share) };
            if found.is_good() {
                return Some(share);
            }
            search.go_on(found);
        }
        None
    }

    #[test]
    fn a_steady_engine_is_found_at_once() {
        for speed in [0.2e6, 1e6, 3e6, 9.9e6] {
            let share = search(|_| speed).expect("found");
            assert!((share - 1.0).abs() <= Found::TOLERANCE, "{speed}: {share}");
        }
    }

    #[test]
    fn an_engine_that_gets_faster_is_not_left_at_its_limit() {
        // Slow while it touches its memory for the first time, and then five times as fast: the
        // second attempt has a retention that is five times too long.
        let share = search(|attempt| if attempt == 0 { 0.7e6 } else { 3.5e6 });
        assert!((share.expect("found") - 1.0).abs() <= Found::TOLERANCE);
    }

    #[test]
    fn speed_that_wavers_is_lived_with() {
        for phase in 0..5 {
            let wavers = |attempt: usize| 3e6 * [1.0, 0.8, 1.2, 0.9, 1.1][(attempt + phase) % 5];
            assert!(search(wavers).is_some(), "{phase}");
        }
    }

    #[test]
    fn who_is_refused_however_short_it_is_has_no_sample() {
        assert_eq!(search(|_| f64::INFINITY), None);
        assert!(!Found::Refused.is_good());
    }
}
