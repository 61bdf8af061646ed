//! The vectors that every implementation must reproduce: `http/vectors/`. `IDEM_BLESS=1` writes them anew, which
//! is only right for a new version of what they are of.

use std::fmt::Write as _;
use std::path::PathBuf;

use idem::Engine;
use idem_http::{Body, Gate, Head, Policy, Select, Stored, global, write};
use serde_json::{Value, json};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn check(name: &str, vectors: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let text = format!("{vectors:#}\n");
    if std::env::var_os("IDEM_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap();
    assert!(known == text, "{name} is not reproduced: {text}");
}

#[test]
fn d1_8_fingerprints_are_those_of_the_vectors() {
    let json_except = {
        let mut policy = Policy::ietf();
        policy.says.body = Body::Json(Select::Except(vec!["sent_at".into(), "items.note".into()]));
        policy
    };
    let json_only = {
        let mut policy = Policy::ietf();
        policy.says.body = Body::Json(Select::Only(vec!["amount".into()]));
        policy
    };
    let policies = [
        ("ietf", Policy::ietf()),
        ("ietf, JSON except sent_at and items.note", json_except),
        ("ietf, JSON only amount", json_only),
        ("coalesce", Policy::coalesce()),
    ];
    let requests: [(&str, Option<&str>, &str, Option<&str>, &[(&str, &[u8])], &str); 6] = [
        ("POST", None, "/charges", None, &[], ""),
        ("POST", None, "/charges", Some(""), &[], "amount=1"),
        ("POST", None, "/charges", Some("a=1&b=2"), &[], r#"{"amount":1.10,"sent_at":5}"#),
        (
            "POST",
            None,
            "/charges",
            None,
            &[],
            r#"{"items":[{"note":"n","price":3}],"amount":1.10}"#,
        ),
        ("PATCH", None, "/%C3%A4", None, &[("Accept", b" text/html ")], "\u{0}\u{1}"),
        (
            "GET",
            Some("https://example.com"),
            "/report",
            None,
            &[("accept", b"a"), ("Accept", b"b"), ("authorization", b"one")],
            "",
        ),
    ];
    let mut vectors = Vec::new();
    for (secret, (name, policy)) in (0_u8..).zip(policies) {
        let engine = Engine::builder().records(1).bytes(4096).secret([secret; 16]).build().unwrap();
        let gate = Gate::new(&engine, policy, global).unwrap();
        for (method, authority, path, query, headers, body) in requests {
            let head = Head { method, authority, path, query, headers };
            let fingerprint = gate.fingerprint(&head, body.as_bytes());
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| json!([name, text(value)])).collect();
            vectors.push(json!({
                "policy": name, "secret": hex(&[secret; 16]), "method": method,
                "authority": authority, "path": path, "query": query, "headers": headers,
                "body": body, "fingerprint": hex(&fingerprint.to_u128().to_le_bytes()),
            }));
        }
    }
    check("fingerprints.json", &Value::Array(vectors));
}

#[test]
fn h3_stored_responses_are_those_of_the_vectors() {
    type Fields<'a> = &'a [(&'a [u8], &'a [u8])];
    let responses: [(u16, Fields<'_>, Fields<'_>, &[u8]); 4] = [
        (204, &[], &[], b""),
        (201, &[(b"content-type", b"text/plain")], &[], b"made"),
        (200, &[(b"link", b"</a>"), (b"x", b""), (b"link", b"\xff")], &[], b"\x00\xff"),
        (200, &[(b"content-type", b"application/grpc")], &[(b"grpc-status", b"5")], b""),
    ];
    let fields = |fields: Fields<'_>| -> Vec<Value> {
        fields.iter().map(|(name, value)| json!([hex(name), hex(value)])).collect()
    };
    let mut stored = Vec::new();
    for (status, headers, trailers, body) in responses {
        let bytes = write(status, headers.iter().copied(), trailers.iter().copied(), body).unwrap();
        let read = Stored::read(&bytes).unwrap();
        assert_eq!((read.status(), read.body()), (status, body));
        assert!(read.headers().eq(headers.iter().copied()));
        assert!(read.trailers().eq(trailers.iter().copied()));
        stored.push(json!({
            "status": status, "headers": fields(headers), "trailers": fields(trailers),
            "body": hex(body), "stored": hex(&bytes),
        }));
    }
    let refused: [(&str, &[u8]); 5] = [
        ("nothing", b""),
        ("another version", &[2, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("unknown flags", &[1, 1, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("cut off", &[1, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("longer than it says", &[1, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let refused: Vec<_> = refused
        .iter()
        .map(|(why, bytes)| {
            assert!(Stored::read(bytes).is_err(), "{why}");
            json!({ "why": why, "stored": hex(bytes) })
        })
        .collect();
    check("responses.json", &json!({ "stored": stored, "refused": refused }));
}
