//! Any bytes as requests and as stored responses: what is untrusted over HTTP. Nothing may panic, what is read is
//! what was written, and a request that is the same is the same request.

use idem::Engine;
use idem_http::{
    Admission, Body, Decision, Gate, Head, Identity, Overrides, Policy, Refusal, Response, Select,
    Stored, Syntax, write,
};

/// Cuts the bytes at some of them.
fn cut(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((first, rest)) = data.split_first() else { return (&[], &[]) };
    rest.split_at(usize::from(*first).min(rest.len()))
}

fn policy(choice: u8) -> Policy {
    let mut policy = if choice & 1 == 0 { Policy::ietf() } else { Policy::stripe_v1() };
    policy.identity =
        [Identity::Header, Identity::HeaderElseFingerprint][usize::from(choice >> 1 & 1)];
    policy.says.body = match choice >> 2 & 3 {
        0 => Body::Ignored,
        1 => Body::Bytes,
        2 => Body::Json(Select::Except(vec!["a".into(), "b.c".into()])),
        _ => Body::Json(Select::Only(vec!["a".into(), "b.c".into()])),
    };
    policy.syntax = [Syntax::Strict, Syntax::Lenient][usize::from(choice >> 4 & 1)];
    policy.says.headers = vec!["x".into()];
    policy
}

pub(crate) fn run(data: &[u8]) {
    // As a stored response: refused, or exactly what was written.
    if let Ok(stored) = Stored::read(data) {
        let again = write(
            stored.status(),
            stored.headers().collect::<Vec<_>>().into_iter(),
            stored.trailers().collect::<Vec<_>>().into_iter(),
            stored.body(),
        );
        assert_eq!(again.as_deref(), Ok(data));
    }
    let (choice, rest) = data.split_first().map_or((0, data), |(choice, rest)| (*choice, rest));
    let (key, rest) = cut(rest);
    let (value, rest) = cut(rest);
    let (query, body) = cut(rest);
    let query = String::from_utf8_lossy(query);
    let engine = Engine::builder().records(8).bytes(1 << 16).helper_thread(false).build().unwrap();
    let gate = Gate::builder(&engine, policy(choice), |_| Some(b"scope".to_vec())).build().unwrap();
    let headers = [("idempotency-key", key), ("x", value)];
    let head = Head {
        method: "POST",
        authority: None,
        path: "/p",
        query: Some(&query),
        headers: &headers,
    };
    let decide = |pieces: usize| match gate.admit(&head, Overrides::default()) {
        Admission::Keyed(mut keyed) => {
            for piece in body.chunks(pieces) {
                if let Err(answer) = keyed.update(piece) {
                    return Decision::Answered(answer);
                }
            }
            keyed.claim()
        }
        Admission::Refused(answer) => Decision::Answered(answer),
        Admission::Pass => panic!("a POST is for us"),
    };
    let answer = match decide(7) {
        Decision::Execute(ticket) => {
            let response = Response {
                status: 200 + u16::from(choice),
                headers: vec![(b"x".to_vec(), value.to_vec())],
                trailers: vec![],
                body: body.to_vec(),
            };
            let finished = ticket.finish(&response);
            assert!(finished.is_settled);
            // However its body is cut, the same request has the same answer, if that is kept.
            match decide(1) {
                Decision::Execute(_) => return,
                Decision::Answered(answer) => answer,
                Decision::Wait(_) => panic!("nobody is at it"),
            }
        }
        Decision::Answered(answer) => {
            assert!(answer.reason().is_some());
            assert!((400..600).contains(&answer.status()));
            return;
        }
        Decision::Wait(_) => panic!("nobody is at it"),
    };
    if answer.reason() == Some(Refusal::Answered) {
        // Longer than what this engine keeps of one response.
        assert!(body.len() > 4096);
        return;
    }
    assert!(answer.body() == body && answer.status() == 200 + u16::from(choice));
    // What no message can have is not stored.
    let is_value = !value.iter().any(|byte| b"\r\n\0".contains(byte));
    assert_eq!(answer.header("x"), is_value.then_some(value));
}
