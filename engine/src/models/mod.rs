//! Models of the races, checked by loom.
