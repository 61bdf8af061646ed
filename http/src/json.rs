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

use std::collections::BTreeMap;

use json_event_parser::{JsonEvent, SliceJsonParser};

/// How deep values may be within each other.
const DEPTH_MAX: usize = 128;

/// A value whose numbers are as they were written: no reader's idea of their size or precision comes between.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    /// `null`, `true`, `false`, or a number.
    Word(String),
    String(String),
    Array(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

/// What of a body counts.
#[derive(Clone, PartialEq, Eq, Debug)]
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
struct Open {
    value: Value,
    name: String,
}

fn read(body: &[u8]) -> Option<Value> {
    let mut parser = SliceJsonParser::new(body);
    let mut open: Vec<Open> = Vec::new();
    let mut whole = None;
    while open.len() <= DEPTH_MAX {
        let value = match parser.parse_next().ok()? {
            JsonEvent::Null => Value::Word(String::from("null")),
            JsonEvent::Boolean(value) => Value::Word(value.to_string()),
            JsonEvent::Number(digits) => Value::Word(digits.to_ascii_lowercase()),
            JsonEvent::String(text) => Value::String(text.into_owned()),
            JsonEvent::ObjectKey(name) => {
                open.last_mut()?.name = name.into_owned();
                continue;
            }
            JsonEvent::StartArray => {
                open.push(Open { value: Value::Array(Vec::new()), name: String::new() });
                continue;
            }
            JsonEvent::StartObject => {
                open.push(Open { value: Value::Object(BTreeMap::new()), name: String::new() });
                continue;
            }
            JsonEvent::EndArray | JsonEvent::EndObject => open.pop()?.value,
            JsonEvent::Eof => return whole,
        };
        match open.last_mut() {
            None => whole = Some(value),
            Some(Open { value: Value::Array(items), .. }) => items.push(value),
            Some(Open { value: Value::Object(members), name }) => {
                members.insert(core::mem::take(name), value);
            }
            Some(_) => return None,
        }
    }
    None
}

fn remove(value: &mut Value, path: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, path)),
        Value::Object(members) => match path.split_once('.') {
            None => drop(members.remove(path)),
            Some((first, rest)) => {
                if let Some(member) = members.get_mut(first) {
                    remove(member, rest);
                }
            }
        },
        _ => {}
    }
}

/// What is left of a value if only these paths count. An object that has none of them is left empty.
fn only(value: &Value, paths: &[String]) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| only(item, paths)).collect()),
        Value::Object(members) => {
            let kept = members.iter().filter_map(|(name, member)| {
                if paths.iter().any(|path| path == name) {
                    return Some((name.clone(), member.clone()));
                }
                let below: Vec<String> = paths
                    .iter()
                    .filter_map(|path| path.strip_prefix(name.as_str())?.strip_prefix('.'))
                    .map(str::to_owned)
                    .collect();
                (!below.is_empty()).then(|| (name.clone(), only(member, &below)))
            });
            Value::Object(kept.collect())
        }
        other => other.clone(),
    }
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
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
    }
}
