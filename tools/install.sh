#!/usr/bin/env bash
# Builds libidem for C and puts it in place: tools/install.sh PREFIX
#
# PREFIX/lib has the libraries, pkgconfig/libidem.pc and cmake/libidem; PREFIX/include the headers. What is
# there can be moved elsewhere as a whole. DESTDIR, if it is set, goes before PREFIX.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

prefix=${1:?tools/install.sh PREFIX}
root=${DESTDIR:-}$prefix
profile=${PROFILE:-release}
target=${CARGO_TARGET_DIR:-target}

# What a program has to be linked with that takes the static library: rustc says so.
log=$(cargo rustc -p idem-ffi --lib --crate-type staticlib,cdylib --profile "$profile" -- \
    --print native-static-libs 2>&1) || { echo "$log" >&2; exit 1; }
private=$(sed -n 's/^note: native-static-libs: //p' <<<"$log" | tail -n 1)
private=${private:--lgcc_s -lutil -lrt -lpthread -lm -ldl -lc}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
abi=$(sed -n 's/^pub const IDEM_ABI_VERSION: u32 = \(.*\);$/\1/p' ffi/src/version.rs)

fill() {
    sed -e "s|@VERSION@|$version|g" -e "s|@ABI@|$abi|g" -e "s|@PRIVATE@|$private|g" \
        -e "s|@PRIVATE_CMAKE@|${private// /;}|g" "$1" >"$2"
}

install -d "$root/include" "$root/lib/pkgconfig" "$root/lib/cmake/libidem"
install -m 644 include/idem.h bindings/cpp/idem.hpp "$root/include"
install -m 644 "$target/$profile/libidem_ffi.a" "$root/lib/libidem.a"
install -m 755 "$target/$profile/libidem_ffi.so" "$root/lib/libidem.so.$abi.$version"
ln -sf "libidem.so.$abi.$version" "$root/lib/libidem.so.$abi"
ln -sf "libidem.so.$abi" "$root/lib/libidem.so"
fill ffi/package/libidem.pc.in "$root/lib/pkgconfig/libidem.pc"
fill ffi/package/libidem-config.cmake.in "$root/lib/cmake/libidem/libidem-config.cmake"
fill ffi/package/libidem-config-version.cmake.in \
    "$root/lib/cmake/libidem/libidem-config-version.cmake"
echo "libidem $version is in $root"
