//! A bar chart of the ratios, as SVG: how many times as good as its best peer libidem is in each
//! line, on a logarithmic scale.

use std::fmt::Write as _;

use crate::figures::LineFigures;
use crate::targets;
use crate::workload::{Hashing, Row};

/// The engine that is shown.
const OURS: &str = "idem";

/// The scale ends here, at this many times as good or as bad.
const SCALE_MAX: f64 = 16.0;

// Pixels.
const LABELS: f64 = 250.0;
const BARS: f64 = 320.0;
const VALUES: f64 = 170.0;
const ROW: f64 = 22.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 40.0;

/// One bar.
struct Bar {
    label: String,
    /// Above 1: better than the best peer.
    times: f64,
    peer: String,
    /// What is to be reached.
    needed: Option<f64>,
}

/// The chart of all lines that have libidem and a peer; nothing if there are none.
pub(crate) fn svg(title: &str, lines: &[LineFigures]) -> Option<String> {
    let bars: Vec<Bar> = lines.iter().filter_map(bar).collect();
    if bars.is_empty() {
        return None;
    }
    let width = LABELS + BARS + VALUES;
    let bars_height = ROW * place(bars.len());
    let height = TOP + bars_height + BOTTOM;
    let mut text = String::new();
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"14\">libidem: times as good as the best peer</text>\n\
         <text x=\"10\" y=\"38\" fill=\"#666666\">{}</text>\n",
        escaped(title),
    );
    axis(&mut text, bars_height);
    for (index, bar) in bars.iter().enumerate() {
        put(&mut text, bar, TOP + ROW * place(index));
    }
    let _ = writeln!(
        text,
        "<text x=\"10\" y=\"{}\" fill=\"#666666\">red mark: the target of a line</text>\n</svg>",
        height - 12.0,
    );
    Some(text)
}

fn bar(figures: &LineFigures) -> Option<Bar> {
    let line = figures.line;
    let (ours, peer) = (figures.of(OURS)?, figures.best_peer()?);
    let better = |ratio: f64| if line.measure.more_is_better() { ratio } else { 1.0 / ratio };
    let Row { hashing, keys, threads, payload, .. } = line.row;
    let hashed = if hashing == Hashing::Default { ", hashed" } else { "" };
    Some(Bar {
        label: format!("{}, {keys} x {payload}, {threads} thr.{hashed}", line.name()),
        times: better(ours.median() / peer.median()),
        peer: peer.engine.clone(),
        needed: targets::needed(&line).map(better),
    })
}

fn axis(text: &mut String, height: f64) {
    for (times, name) in [
        (1.0 / 16.0, "1/16"),
        (0.25, "1/4"),
        (0.5, "1/2"),
        (1.0, "1"),
        (2.0, "2"),
        (4.0, "4"),
        (16.0, "16"),
    ] {
        let color = if times == 1.0 { "#000000" } else { "#dddddd" };
        let (at, end) = (x(times), TOP + height);
        let _ = writeln!(
            text,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{end}\" stroke=\"{color}\"/>\n\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#666666\">{name}</text>",
            end + 15.0,
        );
    }
}

fn put(text: &mut String, bar: &Bar, top: f64) {
    let Bar { label, times, peer, needed } = bar;
    let (from, to) = (x(times.min(1.0)), x(times.max(1.0)));
    let color = if *times >= 1.0 { "#3b7dbf" } else { "#c99a3b" };
    let base = top + ROW * 0.7;
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\n\
         <rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\"/>\n\
         <text x=\"{}\" y=\"{base:.1}\">{times:.2} x {}</text>",
        LABELS - 8.0,
        escaped(label),
        top + 3.0,
        (to - from).max(1.0),
        ROW - 6.0,
        LABELS + BARS + 8.0,
        escaped(peer),
    );
    if let Some(needed) = needed {
        let (at, end) = (x(*needed), top + ROW);
        let _ = writeln!(
            text,
            "<line x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{end}\" stroke=\"#d03030\" \
             stroke-width=\"2\"/>",
        );
    }
}

/// Where a ratio lies.
fn x(times: f64) -> f64 {
    let logarithm = times.clamp(1.0 / SCALE_MAX, SCALE_MAX).ln() / SCALE_MAX.ln();
    LABELS + BARS * (logarithm + 1.0) / 2.0
}

#[expect(clippy::cast_precision_loss, reason = "a table has fewer lines than 2^52")]
fn place(index: usize) -> f64 {
    index as f64
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::Taken;
    use crate::figures;
    use crate::payload::Payload;
    use crate::sample::Sample;
    use crate::workload::Workload;

    fn taken(workload: Workload, engine: &str, figure: u64) -> Taken {
        let payload = Payload::Bytes(0);
        let row = Row { workload, hashing: Hashing::Ready, keys: 1, threads: 2, payload };
        let sample =
            Sample { operations: figure, nanos: 1000, resident: figure, ..Sample::default() };
        Taken { row, engine: engine.to_owned(), round: 0, sample }
    }

    #[test]
    fn longer_is_better() {
        let lines = figures::by_line(&[
            taken(Workload::Churn, "idem", 300),
            taken(Workload::Churn, "papaya", 100),
            taken(Workload::Bytes, "idem", 300),
            taken(Workload::Bytes, "papaya", 100),
            taken(Workload::Hot, "papaya", 100),
        ]);
        let svg = svg("a & b", &lines).unwrap();
        assert!(svg.contains("a &amp; b"));
        assert!(svg.contains("3.00 x papaya") && svg.contains("0.33 x papaya"), "{svg}");
        assert_eq!(svg.matches("fill=\"#3b7dbf\"").count(), 1);
        assert_eq!(svg.matches("fill=\"#c99a3b\"").count(), 1);
        assert!(!svg.contains("hot"), "nothing to compare");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn the_scale_has_ends() {
        assert_eq!(x(1.0), LABELS + BARS / 2.0);
        assert_eq!(x(1000.0), LABELS + BARS);
        assert_eq!(x(0.0), LABELS);
        assert!(svg("nothing", &[]).is_none());
    }
}
