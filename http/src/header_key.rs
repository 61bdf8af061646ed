//! The `Idempotency-Key` header: a string of structured fields (RFC 9651, which replaces RFC 8941), or what
//! many clients send instead, the same without quotes.

use serde::{Deserialize, Serialize};
use sfv::{Item, Parser};

/// How a key is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Syntax {
    /// In quotes, as the draft says (D1.1 to D1.4). Parameters after it are allowed, and ignored.
    Strict,
    /// In quotes, or without: both are one key.
    Lenient,
}

/// Why a header is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFault {
    /// It is there more than once.
    Repeated,
    /// It is not written as a key is.
    Malformed,
    /// It says nothing.
    Empty,
    /// It is longer than keys may be.
    TooLong,
}

/// The key in the values of all header lines of that name; `None` if there is none.
pub(crate) fn parse<'a>(
    mut lines: impl Iterator<Item = &'a [u8]>,
    syntax: Syntax,
    longest: usize,
) -> Result<Option<Vec<u8>>, KeyFault> {
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(KeyFault::Repeated);
    }
    let line = line.trim_ascii();
    let key = match (syntax, line.first()) {
        (Syntax::Lenient, Some(first)) if *first != b'"' => bare(line)?,
        _ => quoted(line)?,
    };
    match key.len() {
        0 => Err(KeyFault::Empty),
        length if length > longest => Err(KeyFault::TooLong),
        _ => Ok(Some(key)),
    }
}

fn quoted(line: &[u8]) -> Result<Vec<u8>, KeyFault> {
    if line.is_empty() {
        return Err(KeyFault::Empty);
    }
    let item: Item = Parser::new(line).parse().map_err(|_| KeyFault::Malformed)?;
    match item.bare_item {
        sfv::BareItem::String(key) => Ok(key.as_str().as_bytes().to_vec()),
        _ => Err(KeyFault::Malformed),
    }
}

/// Visible ASCII, without spaces: nothing that could be taken for the end of a line, or for two keys.
fn bare(line: &[u8]) -> Result<Vec<u8>, KeyFault> {
    if line.iter().all(u8::is_ascii_graphic) && !line.contains(&b',') {
        Ok(line.to_vec())
    } else {
        Err(KeyFault::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str, syntax: Syntax) -> Result<Option<Vec<u8>>, KeyFault> {
        parse([line.as_bytes()].into_iter(), syntax, 20)
    }

    fn key(text: &str) -> Result<Option<Vec<u8>>, KeyFault> {
        Ok(Some(text.as_bytes().to_vec()))
    }

    #[test]
    fn d1_2_a_key_is_a_string_in_quotes() {
        for syntax in [Syntax::Strict, Syntax::Lenient] {
            assert_eq!(one("\"abc\"", syntax), key("abc"));
            assert_eq!(one("  \"abc\"  ", syntax), key("abc"));
            assert_eq!(one(r#""a\"b\\c""#, syntax), key(r#"a"b\c"#));
            assert_eq!(one("\"a b\"", syntax), key("a b"));
            assert_eq!(one("\"abc\";v=1;w", syntax), key("abc"));
            for wrong in ["\"abc", "\"a\"b", "\"a\\b\"", "\"\u{7f}\"", "\"\u{e9}\"", "\"a\", \"b\""]
            {
                assert_eq!(one(wrong, syntax), Err(KeyFault::Malformed), "{wrong}");
            }
            assert_eq!(one("\"\"", syntax), Err(KeyFault::Empty));
            assert_eq!(one("", syntax), Err(KeyFault::Empty));
            assert_eq!(one("\"123456789012345678901\"", syntax), Err(KeyFault::TooLong));
        }
    }

    #[test]
    fn d1_4_without_quotes_it_is_a_key_to_the_lenient_alone() {
        assert_eq!(one("abc", Syntax::Lenient), key("abc"));
        for wrong in ["abc", "123", "?1", ":YWJj:", "(a b)"] {
            assert_eq!(one(wrong, Syntax::Strict), Err(KeyFault::Malformed), "{wrong}");
        }
        for wrong in ["a b", "a,b", "a\tb", "\u{e9}"] {
            assert_eq!(one(wrong, Syntax::Lenient), Err(KeyFault::Malformed), "{wrong}");
        }
    }

    #[test]
    fn d1_2_two_lines_are_no_key() {
        let lines = [&b"\"a\""[..], b"\"a\""];
        assert_eq!(parse(lines.into_iter(), Syntax::Lenient, 20), Err(KeyFault::Repeated));
        assert_eq!(parse([].into_iter(), Syntax::Strict, 20), Ok(None));
    }
}
