//! The timer wheel alone: inserting against working through.

use super::*;
use crate::wheel::{Entry, Wheel};

fn wheel(level_count: u32) -> Arc<Wheel> {
    Arc::new(Wheel::new(Shape { slot_bits: 1, level_count }, 4, 1).unwrap())
}

/// The lines that are due at `now`.
fn due(wheel: &Wheel, now: u64) -> Vec<u32> {
    let mut lines = Vec::new();
    wheel.advance(now, u32::MAX, |entries| lines.extend(entries.iter().map(|entry| entry.line())));
    lines
}

fn spawn<A: 'static>(
    wheel: &Arc<Wheel>,
    work: impl FnOnce(&Wheel) -> A + 'static,
) -> loom::thread::JoinHandle<A> {
    let wheel = wheel.clone();
    loom::thread::spawn(move || work(&wheel))
}

/// One thread works through all ticks up to a time, the other inserts an entry for a tick before
/// it. It comes: now, or when that time is worked through again.
#[test]
fn no_entry_is_left_behind() {
    explore_further(|| {
        let wheel = wheel(1);
        let advance = spawn(&wheel, |wheel| due(wheel, 2));
        assert!(wheel.push(Entry::new(7, 1, 2), 2, 0));
        let mut seen = advance.join().unwrap();
        seen.extend(due(&wheel, 3));
        assert!(seen.contains(&7), "left behind");
        // If it was left in a bucket that had passed, it comes once more, for nothing.
        due(&wheel, 20);
        assert_eq!(wheel.chunks_used(), 0);
    });
}

/// As above, beside an entry of the same bucket: a place in the chunk that is taken out is reserved
/// at that very moment.
#[test]
fn no_entry_is_left_behind_in_a_chunk_that_is_taken_out() {
    explore_further(|| {
        let wheel = wheel(1);
        assert!(wheel.push(Entry::new(6, 1, 2), 2, 0));
        let advance = spawn(&wheel, |wheel| due(wheel, 2));
        assert!(wheel.push(Entry::new(7, 1, 2), 2, 0));
        let mut seen = advance.join().unwrap();
        seen.extend(due(&wheel, 3));
        assert!(seen.contains(&6) && seen.contains(&7), "left behind: {seen:?}");
        due(&wheel, 20);
        assert_eq!(wheel.chunks_used(), 0);
    });
}

/// As above, on the upper of two levels: the entry moves down first.
#[test]
fn no_entry_is_left_behind_on_its_way_down() {
    explore_further(|| {
        let wheel = wheel(2);
        assert!(wheel.push(Entry::new(6, 1, 3), 3, 0));
        let advance = spawn(&wheel, |wheel| due(wheel, 3));
        assert!(wheel.push(Entry::new(7, 1, 3), 3, 0));
        let mut seen = advance.join().unwrap();
        seen.extend(due(&wheel, 4));
        assert!(seen.contains(&6) && seen.contains(&7), "left behind: {seen:?}");
        due(&wheel, 40);
        assert_eq!(wheel.chunks_used(), 0);
    });
}

/// Two threads insert three entries into one bucket, more than a chunk has. All come, once.
#[test]
fn entries_inserted_side_by_side_all_come() {
    explore_further(|| {
        let wheel = wheel(1);
        let other = spawn(&wheel, |wheel| {
            assert!(wheel.push(Entry::new(5, 1, 2), 2, 0));
            assert!(wheel.push(Entry::new(6, 1, 2), 2, 0));
        });
        assert!(wheel.push(Entry::new(7, 1, 2), 2, 0));
        other.join().unwrap();
        assert_eq!(due(&wheel, 1), []);
        let mut seen = due(&wheel, 2);
        seen.sort_unstable();
        assert_eq!(seen, [5, 6, 7]);
        assert_eq!(wheel.chunks_used(), 0);
    });
}

/// Two threads work through the same ticks. An entry comes to one of them.
#[test]
fn an_entry_comes_to_one_of_two() {
    explore_further(|| {
        let wheel = wheel(1);
        assert!(wheel.push(Entry::new(7, 1, 2), 2, 0));
        let other = spawn(&wheel, |wheel| due(wheel, 2));
        let mut seen = due(&wheel, 2);
        seen.extend(other.join().unwrap());
        assert_eq!(seen, [7]);
        assert_eq!(wheel.chunks_used(), 0);
    });
}
