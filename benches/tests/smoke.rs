//! The program, from its command line to its files: every workload and every kind of engine once,
//! too short for figures. What is wrong in an answer, in a count or in a table ends it.

use std::path::Path;
use std::process::Command;

/// Ours, in four ways, a peer without locks and one that is nothing else.
const ENGINES: &str = "idem,idem-ticked,idem-hooked,idem-huge,papaya,mutex64";

fn run(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_idem-benches"))
        .args(arguments)
        .output()
        .expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{error}", output.status);
    String::from_utf8(output.stdout).expect("it prints text")
}

#[test]
fn every_workload_is_measured_kept_and_drawn() {
    let csv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smoke.csv");
    let path = csv.to_str().expect("a path of text");
    let tables = run(&["--smoke", "--keys", "2000", "--engines", ENGINES, "--csv", path]);
    for name in [
        "churn",
        "fill",
        "replay",
        "hot",
        "peek",
        "batch",
        "latency p50",
        "latency p99",
        "latency p99.9",
        "expiry p99",
        "wake p50",
        "hooks",
        "bytes",
    ] {
        let begin = format!("| {name} |");
        assert!(tables.lines().any(|line| line.starts_with(&begin)), "{name}\n{tables}");
    }
    for (text, what) in [
        ("| default | 2000 | 2 | 256 | mutex64 |", "keys of text"),
        ("| ready | 2000 | 2 | mix | papaya |", "the mix"),
        ("| ready | 2000 | 1 | 256 | idem-still |", "a baseline that nobody named"),
        ("| churn, threads: 2 | at least 2.00 |", "targets"),
    ] {
        assert!(tables.contains(text), "{what}\n{tables}");
    }
    let svg = csv.with_extension("svg");
    let drawn = std::fs::read_to_string(&svg).expect("the plot is beside the CSV");
    assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
    std::fs::remove_file(&svg).expect("it was there");
    // The same tables and the same plot come of the CSV alone.
    assert_eq!(run(&["report", path]), tables);
    assert_eq!(std::fs::read_to_string(&svg).expect("the plot is there again"), drawn);
}
