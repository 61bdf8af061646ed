//! The accesses that are written in the engine, and those among them that no thread was stopped at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::sync::pause::Point;

/// Accesses that no scenario comes to: file, text of the line, and why.
const LEFT: &[(&str, &str, &str)] = &[
    ("clock.rs", "self.0.now.fetch_update(", "moves the manual clock, a device of tests"),
    ("helper.rs", "state.load(", "the helper's loop; what it does is tick"),
    ("helper.rs", "self.state.store(", "stops the helper"),
    ("memory/bitmap.rs", "words[0].store(", "builds the engine"),
    ("memory/bitmap.rs", "words[word_count as usize - 1].fetch_or(", "builds the engine"),
    ("protocol/mod.rs", "self.duties.fetch_or(", VALUES),
    ("protocol/mod.rs", "if self.duties.load(Ordering::Relaxed) & VALUES", VALUES),
    (
        "realms.rs",
        "entry.namespace.load(Ordering::Relaxed) == number",
        "checks what a binding hands in",
    ),
    ("record/body.rs", "granule.words[", VALUES),
    ("record/value.rs", "self.head().", VALUES),
    ("record/value.rs", "holders.fetch_sub(", VALUES),
    ("record/value.rs", "acquire_fence(holders)", VALUES),
    ("stats.rs", "count.fetch_add(times", "of threads beyond the numbered: a count"),
    ("stats.rs", "count.fetch_add(1", "of threads beyond the numbered: a count"),
    ("sync/thread.rs", "TAKEN.fetch_and(", "a thread's end, after its last operation"),
    ("sync/thread.rs", "NEXT.fetch_add(", "of threads beyond the numbered: a count"),
    (
        "table/mod.rs",
        "let unchanged = line.header.load(",
        "a line of 22 records: engine/TESTING.md, \"What is not checked\"",
    ),
    (
        "wait/park.rs",
        "manual.sleep(deadline",
        "under the lock of the manual clock, a device of tests",
    ),
    ("wait/park.rs", "let still = || word.load(", "on the system's clock, where there is no futex"),
];

const VALUES: &str = "of values: engine/TESTING.md, \"What is not checked\"";

/// Accesses that need a race of their own: whether the interference comes to them is chance.
const BY_CHANCE: &[(&str, &str, &str)] =
    &[("memory/bitmap.rs", "self.active.fetch_max(", "a unit freed between two looks")];

/// File under `src` and line, to the text of the line.
type Sites = BTreeMap<(String, u32), String>;

const ACCESSES: [&str; 10] = [
    ".load(",
    ".store(",
    ".swap(",
    ".compare_exchange(",
    ".fetch_add(",
    ".fetch_sub(",
    ".fetch_max(",
    ".fetch_min(",
    ".fetch_and(",
    ".fetch_or(",
];

/// Fails if an access was never come to and has no reason, or has one and was.
pub(super) fn check(points: &BTreeSet<Point>) {
    let reached: BTreeSet<_> = points.iter().map(|point| site_of(*point)).collect();
    for site in &reached {
        assert!(sites().contains_key(site), "{site:?} is an access that was not found in the text");
    }
    let unreached: Vec<_> = sites().iter().filter(|(site, _)| !reached.contains(*site)).collect();
    println!("accesses written: {}, stopped at: {}", sites().len(), reached.len());
    let mut unexplained = 0;
    for ((file, line), text) in &unreached {
        let mut reasons = LEFT.iter().chain(BY_CHANCE);
        let reason = reasons.find(|(of, part, _)| file == of && text.contains(part));
        println!("not: {file}:{line} `{text}`: {}", reason.map_or("?", |(.., why)| why));
        unexplained += u32::from(reason.is_none());
    }
    assert_eq!(unexplained, 0, "accesses that no thread was stopped at");
    for (file, part, _) in LEFT {
        let is_used = unreached.iter().any(|((of, _), text)| of == file && text.contains(part));
        assert!(is_used, "{file}: `{part}` is come to, or is not there any more");
    }
}

/// Whether the point is in this file, on a line with this text.
pub(super) fn is_at(point: Point, file: &str, text: &str) -> bool {
    let site = site_of(point);
    site.0 == file && sites().get(&site).is_some_and(|line| line.contains(text))
}

fn site_of(point: Point) -> (String, u32) {
    let file = point.place.file().replace('\\', "/");
    let file = file.rsplit_once("src/").map_or(file.as_str(), |(_, file)| file);
    (file.to_owned(), point.place.line())
}

fn sites() -> &'static Sites {
    static SITES: OnceLock<Sites> = OnceLock::new();
    SITES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut sites = Sites::new();
        for path in files(&root) {
            let name = path.strip_prefix(&root).expect("found there");
            let name = name.to_string_lossy().replace('\\', "/");
            // The facade itself is not what uses it, and tests and models are not the engine.
            let is_apart = name.starts_with("tests/")
                || name.starts_with("models/")
                || name.ends_with("tests.rs")
                || name.ends_with("side_by_side.rs")
                || name == "sync/pause.rs"
                || name == "sync/mod.rs";
            if !is_apart {
                let text = std::fs::read_to_string(&path).expect("a source file");
                find(&name, &text, &mut sites);
            }
        }
        sites
    })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the sources are there");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Finds the accesses of a file: calls of these names that are given an `Ordering`, and
/// fences.
fn find(file: &str, text: &str, sites: &mut Sites) {
    let code = without_what_is_not_built(text);
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let names = ACCESSES.iter().chain(&[".fetch_update(", " fence(", " acquire_fence("]);
    for name in names {
        for (at, _) in code.match_indices(name) {
            let arguments = balanced(&code[at + name.len()..]);
            if arguments.contains("Ordering::") || name.contains("acquire_fence") {
                let line = code[..at].matches('\n').count();
                sites.insert((file.to_owned(), line as u32 + 1), lines[line].to_owned());
            }
        }
    }
}

/// What comes before the parenthesis that closes one that was opened before.
fn balanced(text: &str) -> &str {
    let mut depth = 1;
    let end = text.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}

/// The text with blanks for comments and for items that are for models or tests, line by line.
fn without_what_is_not_built(text: &str) -> String {
    let mut code = String::new();
    // Of the item that is left out: how deep in braces, and whether it has had any.
    let mut left_out: Option<(i32, bool)> = None;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let attribute = line.trim_start();
        let is_for_others = attribute.starts_with("#[cfg(")
            && (attribute.contains("test") || attribute.contains("idem_loom"))
            && !attribute.contains("not(idem_loom)")
            || attribute.starts_with("#[cfg(all(test");
        if is_for_others && left_out.is_none() {
            left_out = Some((0, false));
        } else if let Some((depth, had_any)) = left_out {
            let count = |letter| line.matches(letter).count() as i32;
            let (depth, had_any) = (depth + count('{') - count('}'), had_any || count('{') > 0);
            let is_over = depth == 0 && (had_any || line.contains([';', ',']));
            left_out = (!is_over).then_some((depth, had_any));
        } else {
            code.push_str(line);
        }
        code.push('\n');
    }
    code
}
