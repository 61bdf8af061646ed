//! JSON as it counts in a fingerprint: the same value is the same bytes, however it was written; what is
//! excluded is not in it, and if something is selected nothing else is.
//!
//! The canonical form: no white space; members of objects in the order of their names' bytes; strings with no
//! escapes but `\"`, `\\` and `\u00XX` for control characters below 0x20; numbers digit by digit as they were
//! written, with a small `e`. Of a name that is there twice the last counts, as most readers have it. What is nested
//! deeper than 128 counts as bytes.
//!
//! Paths are member names with dots between them; arrays are passed through: `items.price` is the price of
//! each item.

use std::borrow::Cow;

use json_event_parser::{JsonEvent, SliceJsonParser};
use serde::{Deserialize, Serialize};

/// How deep values may be within each other.
const DEPTH_MAX: usize = 128;

/// A value whose numbers are as they were written: no reader's idea of their size or precision comes between.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Value<'a> {
    /// `null`, `true`, `false`, or a number.
    Word(Cow<'a, str>),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    /// In the order of the names, each once.
    Object(Vec<Member<'a>>),
}

type Member<'a> = (Cow<'a, str>, Value<'a>);

/// What of a body counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// All of it but these paths.
    Except(Vec<String>),
    /// These paths, and nothing else.
    Only(Vec<String>),
}

/// The canonical form of a body; `None` if it is no JSON, and then counts as the bytes that it is.
pub(crate) fn canonical(body: &[u8], select: &Select) -> Option<Vec<u8>> {
    let mut value = read(body)?;
    match select {
        Select::Except(paths) => paths.iter().for_each(|path| remove(&mut value, path)),
        Select::Only(paths) => value = only(&value, paths),
    }
    let mut bytes = Vec::with_capacity(body.len());
    write(&value, &mut bytes);
    Some(bytes)
}

/// An array or an object that is not over yet, and the name of its member that is to come.
struct Open<'a> {
    value: Value<'a>,
    name: Cow<'a, str>,
}

impl<'a> Open<'a> {
    fn new(value: Value<'a>) -> Self {
        Self { value, name: Cow::Borrowed("") }
    }

    /// The value, which is over: no larger than it must be, for there may be many.
    fn over(self) -> Value<'a> {
        match self.value {
            Value::Array(mut items) => {
                items.shrink_to_fit();
                Value::Array(items)
            }
            Value::Object(mut members) => {
                // Of two with one name the later one is to be first, and stay.
                members.reverse();
                members.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
                members.dedup_by(|(later, _), (earlier, _)| later == earlier);
                members.shrink_to_fit();
                Value::Object(members)
            }
            word => word,
        }
    }
}

fn read(body: &[u8]) -> Option<Value<'_>> {
    let mut parser = SliceJsonParser::new(body);
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut whole = None;
    while open.len() <= DEPTH_MAX {
        let value = match parser.parse_next().ok()? {
            JsonEvent::Null => Value::Word(Cow::Borrowed("null")),
            JsonEvent::Boolean(true) => Value::Word(Cow::Borrowed("true")),
            JsonEvent::Boolean(false) => Value::Word(Cow::Borrowed("false")),
            JsonEvent::Number(digits) if digits.contains('E') => {
                Value::Word(digits.to_ascii_lowercase().into())
            }
            JsonEvent::Number(digits) => Value::Word(digits),
            JsonEvent::String(text) => Value::String(text),
            JsonEvent::ObjectKey(name) => {
                open.last_mut()?.name = name;
                continue;
            }
            JsonEvent::StartArray => {
                open.push(Open::new(Value::Array(Vec::new())));
                continue;
            }
            JsonEvent::StartObject => {
                open.push(Open::new(Value::Object(Vec::new())));
                continue;
            }
            JsonEvent::EndArray | JsonEvent::EndObject => open.pop()?.over(),
            JsonEvent::Eof => return whole,
        };
        match open.last_mut() {
            None => whole = Some(value),
            Some(Open { value: Value::Array(items), .. }) => items.push(value),
            Some(Open { value: Value::Object(members), name }) => {
                members.push((core::mem::take(name), value));
            }
            Some(_) => return None,
        }
    }
    None
}

fn remove(value: &mut Value<'_>, path: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, path)),
        Value::Object(members) => {
            members.retain(|(name, _)| name != path);
            for (name, member) in members {
                let rest = path.strip_prefix(&**name).and_then(|rest| rest.strip_prefix('.'));
                if let Some(rest) = rest {
                    remove(member, rest);
                }
            }
        }
        _ => {}
    }
}

/// What is left of a value if only these paths count. An object that has none of them is left empty.
fn only<'a>(value: &Value<'a>, paths: &[String]) -> Value<'a> {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| only(item, paths)).collect()),
        Value::Object(members) => {
            let kept = members.iter().filter_map(|(name, member)| {
                if paths.iter().any(|path| *path == **name) {
                    return Some((name.clone(), member.clone()));
                }
                let below: Vec<String> = paths
                    .iter()
                    .filter_map(|path| path.strip_prefix(&**name)?.strip_prefix('.'))
                    .map(str::to_owned)
                    .collect();
                (!below.is_empty()).then(|| (name.clone(), only(member, &below)))
            });
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

fn write(value: &Value<'_>, bytes: &mut Vec<u8>) {
    match value {
        Value::Word(word) => bytes.extend_from_slice(word.as_bytes()),
        Value::String(text) => write_string(text, bytes),
        Value::Array(items) => {
            bytes.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                write(item, bytes);
            }
            bytes.push(b']');
        }
        Value::Object(members) => {
            bytes.push(b'{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    bytes.push(b',');
                }
                write_string(name, bytes);
                bytes.push(b':');
                write(member, bytes);
            }
            bytes.push(b'}');
        }
    }
}

fn write_string(text: &str, bytes: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    bytes.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => bytes.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                bytes.extend_from_slice(b"\\u00");
                bytes.extend_from_slice(&digits);
            }
            _ => bytes.push(byte),
        }
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &str) -> String {
        let select = Select::Except(Vec::new());
        String::from_utf8(canonical(body.as_bytes(), &select).unwrap()).unwrap()
    }

    fn with(body: &str, select: fn(Vec<String>) -> Select, paths: &[&str]) -> String {
        let select = select(paths.iter().map(|path| (*path).to_owned()).collect());
        String::from_utf8(canonical(body.as_bytes(), &select).unwrap()).unwrap()
    }

    #[test]
    fn c9_the_same_value_is_the_same_bytes() {
        assert_eq!(all(r#" { "b" : [ 1 , 2 ] , "a" : null } "#), r#"{"a":null,"b":[1,2]}"#);
        assert_eq!(all(r#""\u0041\/\n\u001f\"\\""#), r#""A/\u000a\u001f\"\\""#);
        assert_eq!(all("1.10"), "1.10");
        assert_eq!(all("123456789012345678901234567890"), "123456789012345678901234567890");
        assert_eq!(all(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
        assert_eq!(all(r#"{"b":1,"a":1,"b":2,"a":[2],"b":3}"#), r#"{"a":[2],"b":3}"#);
        assert_eq!(all("-0.50E+07"), "-0.50e+07");
        assert_eq!(all(r#"{"":[],"b":{}}"#), r#"{"":[],"b":{}}"#);
    }

    #[test]
    fn c9_what_is_no_json_counts_as_its_bytes() {
        let deep = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
        for body in [
            &b"{"[..],
            b"",
            b"{}{}",
            b"[1,]",
            b"01",
            b"nul",
            b"\"\xff\"",
            br#""\ud800""#,
            &deep(200),
        ] {
            assert_eq!(canonical(body, &Select::Except(Vec::new())), None, "{body:?}");
        }
        assert!(canonical(&deep(100), &Select::Except(Vec::new())).is_some());
    }

    #[test]
    fn c9_what_is_excluded_does_not_count() {
        let body = r#"{"id":1,"meta":{"sent":2,"by":"x"},"items":[{"price":3,"note":"n"}]}"#;
        assert_eq!(
            with(body, Select::Except, &["id", "meta.sent", "items.note", "none.at.all"]),
            r#"{"items":[{"price":3}],"meta":{"by":"x"}}"#
        );
        assert_eq!(
            with(body, Select::Only, &["id", "items.price"]),
            r#"{"id":1,"items":[{"price":3}]}"#
        );
        assert_eq!(with(body, Select::Only, &["none"]), "{}");
        // A name may have a dot in it.
        let body = r#"{"a.b":1,"a":{"b":2,"c.d":{"e":3}}}"#;
        assert_eq!(with(body, Select::Except, &["a.b"]), r#"{"a":{"c.d":{"e":3}}}"#);
        assert_eq!(with(body, Select::Except, &["a.c.d.e"]), r#"{"a":{"b":2,"c.d":{}},"a.b":1}"#);
        assert_eq!(with(body, Select::Only, &["a.b"]), r#"{"a":{"b":2},"a.b":1}"#);
    }
}
