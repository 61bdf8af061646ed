//! The header that is committed is the one that this crate makes.
//!
//! `IDEM_BLESS=1 cargo test -p idem-ffi --test header` (`make header`) writes it anew.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// In the order of the header.
const SOURCES: [&str; 20] = [
    "version",
    "status",
    "types",
    "log",
    "clock",
    "config",
    "engine",
    "namespace",
    "fingerprint",
    "claim",
    "lease",
    "wait",
    "queue",
    "value",
    "response",
    "inspect",
    "operate",
    "http/types",
    "http/gate",
    "http/request",
];

/// The header, as it is to be.
fn made() -> String {
    let text = |name: &str| std::fs::read_to_string(root().join("header").join(name)).unwrap();
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).unwrap();
    config.header = Some(text("preface.h").trim_end().to_owned());
    config.after_includes = Some(versions());
    let sources = SOURCES.iter().map(|name| root().join("src").join(name).with_extension("rs"));
    let builder = sources.fold(cbindgen::Builder::new(), cbindgen::Builder::with_src);
    let bindings = builder.with_config(config).generate().unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header).unwrap();
    // Before the guard of C++ ends, so that it is the same in both languages.
    let end = header.rfind("#ifdef __cplusplus\n}").unwrap();
    format!("{}{}\n{}", &header[..end], text("helpers.h"), &header[end..])
}

/// Not typed by hand: what Cargo says.
fn versions() -> String {
    let [major, minor, patch] = ["MAJOR", "MINOR", "PATCH"].map(|part| {
        let value = match part {
            "MAJOR" => env!("CARGO_PKG_VERSION_MAJOR"),
            "MINOR" => env!("CARGO_PKG_VERSION_MINOR"),
            _ => env!("CARGO_PKG_VERSION_PATCH"),
        };
        format!("#define IDEM_VERSION_{part} {value}\n")
    });
    format!("\n/* The version of this header. */\n{major}{minor}{patch}")
}

#[test]
fn the_header_is_up_to_date() {
    let path = root().join("../include/idem.h");
    let made = made();
    if std::env::var_os("IDEM_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(kept.lines()).position(|(made, kept)| made != kept);
    assert!(
        made == kept,
        "include/idem.h is stale, from line {:?} on: run `make header`",
        differs.map(|line| line + 1)
    );
}
