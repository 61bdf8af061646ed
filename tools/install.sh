#!/usr/bin/env bash
# Builds libidem for C and puts it in place, or takes it away.
#
#   tools/install.sh build               builds it, for a later install by somebody else
#   tools/install.sh install PREFIX      builds it, if it is not, and installs it
#   tools/install.sh uninstall PREFIX
#
# PREFIX/lib (LIBDIR names another directory) has the libraries, pkgconfig/libidem.pc and cmake/libidem;
# PREFIX/include the headers. What is there can be moved elsewhere as a whole. DESTDIR, if it is set, goes
# before PREFIX. Rust 1.95 or later is needed to build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${PROFILE:-release}
libdir=${LIBDIR:-lib}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
abi=$(sed -n 's/^pub const IDEM_ABI_VERSION: u32 = \(.*\);$/\1/p' ffi/src/version.rs)

cargo_rustc() {
    cargo rustc -p idem-ffi --lib --crate-type staticlib,cdylib --profile "$profile" "$@" -- \
        --print native-static-libs
}

build() {
    command -v cargo >/dev/null || { echo "install: Rust is needed: no cargo in PATH" >&2; exit 1; }
    cargo_rustc 2> >(grep -v '^note:' >&2)
}

# Where the libraries are, and what a program is linked with besides that takes the static one: cargo and
# rustc say so. gcc and clang link libgcc and libc by themselves, in the form that is asked for.
find_built() {
    local said
    said=$(cargo_rustc --message-format=json-render-diagnostics 2>&1)
    static=$(grep -o '"[^"]*libidem_ffi\.a"' <<<"$said" | tail -n 1 | tr -d '"')
    shared=$(grep -o '"[^"]*libidem_ffi\.so"' <<<"$said" | tail -n 1 | tr -d '"')
    private=$(sed -n 's/^note: native-static-libs: //p' <<<"$said" | tail -n 1)
    [[ -n $static && -n $shared && -n $private ]] || { echo "install: cargo built no library" >&2; exit 1; }
    private=$(sed -E 's/-lgcc_s ?//; s/ ?-lc$//' <<<"$private")
}

fill() {
    sed -e "s|@VERSION@|$version|g" -e "s|@ABI@|$abi|g" -e "s|@PRIVATE@|$private|g" \
        -e "s|@PRIVATE_CMAKE@|${private// /;}|g" -e "s|@LIBDIR@|$libdir|g" \
        -e "s|@UP@|$(sed 's|[^/]\{1,\}|..|g' <<<"$libdir")|g" "$1" >"$2"
    chmod 644 "$2"
}

install_to() {
    local root=$1 lib=$1/$libdir
    build
    find_built
    install -d "$root/include" "$lib/pkgconfig" "$lib/cmake/libidem" "$root/share/licenses/libidem"
    install -m 644 include/idem.h bindings/cpp/idem.hpp "$root/include"
    install -m 644 LICENSE-APACHE LICENSE-MIT "$root/share/licenses/libidem"
    install -m 644 "$static" "$lib/libidem.a"
    install -m 755 "$shared" "$lib/libidem.so.$abi.$version"
    ln -sf "libidem.so.$abi.$version" "$lib/libidem.so.$abi"
    ln -sf "libidem.so.$abi" "$lib/libidem.so"
    fill ffi/package/libidem.pc.in "$lib/pkgconfig/libidem.pc"
    fill ffi/package/libidem-config.cmake.in "$lib/cmake/libidem/libidem-config.cmake"
    fill ffi/package/libidem-config-version.cmake.in "$lib/cmake/libidem/libidem-config-version.cmake"
    echo "libidem $version is in $root"
}

uninstall_from() {
    local root=$1 lib=$1/$libdir
    rm -f "$root"/include/idem.{h,hpp} "$lib"/libidem.{a,so,so."$abi",so."$abi.$version"} \
        "$lib/pkgconfig/libidem.pc"
    rm -rf "$lib/cmake/libidem" "$root/share/licenses/libidem"
    echo "libidem is no longer in $root"
}

prefix() {
    [[ ${1:-} == /* ]] || { echo "install: PREFIX must be an absolute path, not '${1:-}'" >&2; exit 2; }
    echo "${DESTDIR:-}$1"
}

case ${1:-} in
    build) build ;;
    install) root=$(prefix "${2:-}") && install_to "$root" ;;
    uninstall) root=$(prefix "${2:-}") && uninstall_from "$root" ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
