//! The allocator of units and the budgets alone.

use super::*;
use crate::memory::bitmap::Bitmap;
use crate::memory::budget::{Budget, Room};
use crate::sync::watch::Watch;

struct Units {
    map: Bitmap,
    watches: Vec<Watch>,
}

impl Units {
    fn new(count: u32) -> Arc<Self> {
        Arc::new(Self {
            map: Bitmap::new(count, 1, 1, 1).unwrap(),
            watches: (0..count).map(|_| Watch::default()).collect(),
        })
    }

    /// Takes a run, writes to it, gives it back.
    fn use_run(&self, count: u32) {
        if let Some(start) = self.map.alloc(count, 0) {
            self.watches[start as usize..][..count as usize].iter().for_each(Watch::write);
            self.map.free(start, count);
        }
    }
}

/// Two threads take units, write to them and give them back. No
/// unit is anybody's while another has it, and its users are ordered; in the end all are free.
#[test]
fn a_unit_has_one_user_at_a_time() {
    explore_further(|| {
        let units = Units::new(6);
        let there = units.clone();
        let other = loom::thread::spawn(move || there.use_run(2));
        units.use_run(2);
        units.use_run(1);
        other.join().unwrap();
        assert_eq!(units.map.used(), 0);
        assert!(units.map.alloc(5, 0).is_some());
    });
}

/// As above, with a run that lies in two words and is taken half by half.
#[test]
fn a_run_of_two_words_is_rolled_back_on_conflict() {
    explore(|| {
        let units = Units::new(68);
        // Units 63 to 67 are free, the first of them in another word; the search begins with 64.
        assert_eq!(units.map.alloc(62, 0), Some(1));
        assert_eq!(units.map.alloc(1, 0), Some(63));
        units.map.free(63, 1);
        let there = units.clone();
        let other = loom::thread::spawn(move || there.use_run(5));
        units.use_run(1);
        other.join().unwrap();
        units.map.free(1, 62);
        assert_eq!(units.map.used(), 0);
        assert!(units.map.alloc(67, 0).is_some());
    });
}

/// Two threads draw from a budget that has enough for one, and give it back. It is never overdrawn,
/// and nothing of it is lost.
#[test]
fn a_budget_is_exact() {
    explore_further(|| {
        let room = |records, granules| Room::of(records, granules);
        let budget = Arc::new(Budget::new(room(9, 5), room(2, 2), 1));
        let there = budget.clone();
        let other = loom::thread::spawn(move || there.take(room(1, 3), 0));
        let here = budget.take(room(1, 3), 0);
        let there = other.join().unwrap();
        assert!(!(here && there));
        let taken = u32::from(here) + u32::from(there);
        assert_eq!(budget.used(), room(taken, 3 * taken));
        let other = budget.clone();
        let giver = loom::thread::spawn(move || {
            if here || there {
                other.give(room(1, 3), 0);
            }
        });
        let more = budget.take(room(1, 2), 0);
        giver.join().unwrap();
        assert_eq!(budget.used(), if more { room(1, 2) } else { Room::NONE });
        assert!(budget.take(if more { room(8, 3) } else { room(9, 5) }, 0));
    });
}
