//! Names the shared library after the ABI, as the loader is to look for it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/version.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let version =
            std::fs::read_to_string("src/version.rs").expect("src/version.rs can be read");
        let number = version
            .split_once("IDEM_ABI_VERSION: u32 = ")
            .and_then(|(_, rest)| rest.split_once(';'));
        let (number, _) = number.expect("src/version.rs has the number of the ABI");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libidem.so.{number}");
    }
}
