//! What `fuzz/` runs and callers cannot reach. Compiled only for it: cargo-fuzz sets `cfg(fuzzing)`.

/// The timer wheel beside sorted lists, by any bytes.
pub fn wheel(data: &[u8]) {
    let (codes, _) = data.as_chunks();
    if let Some((setup, codes)) = codes.split_first() {
        crate::wheel::side_by_side::run(*setup, codes.iter().copied());
    }
}
