//! The table's overflow pairs: put on and taken off.

use super::*;
use crate::table::header::MAIN_SLOTS;
use crate::table::slot::Slot;
use crate::table::{NoSlot, Place, Table};

fn place(tag: u64) -> Place {
    Place { line: 0, tag }
}

fn flight(tag: u64) -> Slot {
    Slot::Flight { tag, flight: 0, tenancy: 1 }
}

/// Publishes `tag`; it is not in the table.
fn publish(table: &Table, tag: u64) {
    let mut reserved = None;
    loop {
        let mut scan = table.scan(place(tag));
        let header = scan.header;
        assert_eq!(scan.next(), None);
        let slot = table.reserve(0, header, flight(tag), &mut reserved, 0);
        assert_ne!(slot, Err(NoSlot::Full), "there is room");
        if slot.is_ok_and(|at| table.publish(at, header)) {
            return;
        }
        loom::thread::yield_now();
    }
}

/// Removes `tag`, which only the caller does.
fn remove(table: &Table, tag: u64) {
    let hit = table.scan(place(tag)).next().expect("it was published");
    assert!(table.confirms(hit.at, hit.slot()));
    table.remove(hit.at, hit.slot()).unwrap();
}

/// A line whose own slots are all taken.
fn full() -> Arc<Table> {
    let table = Table::new(1, 1).unwrap();
    (1..=MAIN_SLOTS.into()).for_each(|tag| publish(&table, tag));
    Arc::new(table)
}

/// Two threads each bring a key to a full line and take it out again, so that the pair is put on
/// and taken off under each other. Each finds its key; in the end the pair is given back, once.
#[test]
fn pairs_come_and_go() {
    explore(|| {
        let table = full();
        let there = table.clone();
        let other = loom::thread::spawn(move || {
            publish(&there, 10);
            remove(&there, 10);
        });
        publish(&table, 11);
        remove(&table, 11);
        other.join().unwrap();
        // Whoever was beaten to it may have left the pair on; the next use takes it off.
        publish(&table, 12);
        remove(&table, 12);
        assert_eq!(table.pairs_used(), 0);
        assert_eq!(table.scan_line(0).count(), MAIN_SLOTS as usize);
    });
}

/// One thread takes the last key out of the overflow, the other brings one to it. It is found there
/// afterwards.
#[test]
fn a_key_is_not_lost_with_the_pair() {
    explore_further(|| {
        let table = full();
        publish(&table, 10);
        let there = table.clone();
        let other = loom::thread::spawn(move || remove(&there, 10));
        publish(&table, 11);
        other.join().unwrap();
        assert_eq!(table.pairs_used(), 1);
        remove(&table, 11);
        assert_eq!(table.pairs_used(), 0);
        assert_eq!(table.scan_line(0).count(), MAIN_SLOTS as usize);
    });
}
