//! What was charged, by purchase: the truth that the storm is measured by, whatever keys say.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Charges, counted for each purchase.
#[derive(Default)]
pub struct Ledger(Mutex<HashMap<String, u32>>);

/// The ledger, added up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sums {
    /// Purchases that were charged.
    pub purchases: usize,
    /// Charges in all.
    pub charges: u32,
    /// Charges beyond the first of their purchase.
    pub double_charges: u32,
}

impl Ledger {
    /// Charges a purchase, once more if it was charged before. The number of all its charges.
    pub fn charge(&self, purchase: &str) -> u32 {
        let mut charges = self.0.lock();
        let count = charges.entry(purchase.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// What there is so far.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let charges = self.0.lock();
        let all = charges.values().sum();
        let purchases = charges.len();
        let firsts = u32::try_from(purchases).unwrap_or(u32::MAX);
        Sums { purchases, charges: all, double_charges: all - firsts }
    }
}
