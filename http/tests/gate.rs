//! Requests through the gate, without a network: each decision, and what becomes of responses.

use std::time::Duration;

use idem::{Clock, Engine, ManualClock};
use idem_http::{
    Admission, Answer, Body, Decision, Documentation, Fate, Gate, Head, Identity, Overrides,
    Policy, Refusal, Response, Routes, Rule, Select, Ticket, WhileInFlight, global,
};

struct Lab {
    clock: ManualClock,
    gate: Gate,
}

impl Lab {
    fn new(policy: Policy) -> Self {
        let clock = ManualClock::new();
        let builder = Engine::builder().records(100).bytes(1 << 20).helper_thread(false);
        let engine = builder.clock(Clock::manual(&clock)).build().unwrap();
        Self { gate: Gate::new(&engine, policy, global).unwrap(), clock }
    }

    fn admit(&self, request: &Request) -> Admission {
        let headers: Vec<(&str, &[u8])> =
            request.headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let (path, query) = match request.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (request.target, None),
        };
        let head = Head { method: request.method, authority: None, path, query, headers: &headers };
        self.gate.admit(&head, request.overrides.clone())
    }

    fn decide(&self, request: &Request) -> Decision {
        match self.admit(request) {
            Admission::Pass => panic!("it passes"),
            Admission::Refused(answer) => Decision::Answered(answer),
            Admission::Keyed(mut keyed) => {
                for piece in request.body.as_bytes().chunks(3) {
                    if let Err(answer) = keyed.update(piece) {
                        return Decision::Answered(answer);
                    }
                }
                keyed.claim()
            }
        }
    }

    fn execute(&self, request: &Request) -> Ticket {
        match self.decide(request) {
            Decision::Execute(ticket) => ticket,
            Decision::Answered(answer) => panic!("answered: {answer:?}"),
            Decision::Wait(_) => panic!("it waits"),
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        match self.decide(request) {
            Decision::Answered(answer) => answer,
            _ => panic!("it is executed, or waits"),
        }
    }

    fn refusal(&self, request: &Request) -> Option<Refusal> {
        self.answer(request).reason()
    }
}

#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    target: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    overrides: Overrides,
}

fn post(key: &'static str) -> Request {
    let headers = vec![("Idempotency-Key", key)];
    let overrides = Overrides::default();
    Request { method: "POST", target: "/charge", headers, body: "amount=1", overrides }
}

fn made(status: u16, body: &str) -> Response {
    let headers =
        [("content-type", "text/plain"), ("link", "</a>"), ("link", "</b>"), ("date", "now")];
    let own = |(name, value): (&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    Response { status, headers: headers.map(own).into(), trailers: vec![], body: body.into() }
}

#[test]
fn h3_a_replay_keeps_status_headers_with_repeats_and_body() {
    let lab = Lab::new(Policy::ietf());
    let finished = lab.execute(&post("\"k\"")).finish(&made(201, "made"));
    assert_eq!((finished.fate, finished.is_settled), (Fate::Keep, true));
    let answer = lab.answer(&post("\"k\""));
    assert_eq!((answer.status(), answer.body(), answer.reason()), (201, &b"made"[..], None));
    let names: Vec<_> = answer.headers().map(|(name, _)| name).collect();
    let expected: [&[u8]; 5] =
        [b"content-type", b"link", b"link", b"idempotent-replayed", b"content-length"];
    assert_eq!(names, expected);
    assert_eq!(answer.header("link"), Some(&b"</a>"[..]));
}

#[test]
fn h3_what_the_connection_has_for_itself_is_not_stored() {
    let lab = Lab::new(Policy::ietf());
    let mut response = made(200, "");
    for (name, value) in [("connection", "close, X-Hop"), ("x-hop", "1"), ("x-end", "2")] {
        response.headers.push((name.into(), value.into()));
    }
    lab.execute(&post("\"k\"")).finish(&response);
    let answer = lab.answer(&post("\"k\""));
    assert_eq!((answer.header("x-hop"), answer.header("x-end")), (None, Some(&b"2"[..])));
}

#[test]
fn h3_trailers_are_stored_as_headers_are() {
    let lab = Lab::new(Policy::ietf());
    let field = |name: &str| (name.as_bytes().to_vec(), b"x".to_vec());
    let response =
        Response { trailers: vec![field("set-cookie"), field("digest")], ..made(200, "") };
    lab.execute(&post("\"k\"")).finish(&response);
    let answer = lab.answer(&post("\"k\""));
    assert!(answer.trailers().eq([(&b"digest"[..], &b"x"[..])]));
}

#[test]
fn h3_an_answer_without_a_body_has_the_length_that_it_had() {
    let lab = Lab::new(Policy { methods: vec!["HEAD".into()], ..Policy::ietf() });
    let head = Request { method: "HEAD", ..post("\"k\"") };
    let mut response = made(200, "");
    response.headers.push((b"content-length".to_vec(), b"12345".to_vec()));
    lab.execute(&head).finish(&response);
    assert_eq!(lab.answer(&head).header("content-length"), Some(&b"12345"[..]));
}

#[test]
fn h4_what_has_no_room_is_not_said_to_be_kept() {
    let engine = Engine::builder().max_response(100).build().unwrap();
    let policy = Policy { lifetime_header: Some("x-kept".into()), ..Policy::ietf() };
    let gate = Gate::new(&engine, policy, global).unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    let finished = lab.execute(&post("\"k\"")).finish(&made(200, &"x".repeat(200)));
    assert_eq!((finished.headers, finished.is_settled), (vec![], true));
    assert_eq!(lab.refusal(&post("\"k\"")), Some(Refusal::Answered));
}

#[test]
fn h4_what_is_its_own_key_is_made_again_if_it_was_not_kept() {
    let engine = Engine::builder().max_response(100).build().unwrap();
    let methods = vec!["POST".into()];
    let policy = Policy { methods, retention: Duration::from_secs(9), ..Policy::coalesce() };
    let policy = Policy { fates: vec![Rule { from: 100, to: 599, fate: Fate::Keep }], ..policy };
    let gate = Gate::new(&engine, policy, global).unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    // Longer than is kept, as its length says beforehand; and as the engine finds.
    let finished = lab.execute(&post("")).finish_without_body(200, false);
    assert!(finished.is_settled);
    lab.execute(&post("")).finish(&made(200, &"x".repeat(200)));
    lab.execute(&post("")).finish(&made(200, ""));
    assert_eq!(lab.answer(&post("")).status(), 200);
}

#[test]
fn l8_a_renderer_that_panics_leaves_the_key_halted() {
    let engine = Engine::new().unwrap();
    let render = |refusal, _| {
        assert!(refusal != Refusal::Unknown, "as planned");
        None
    };
    let gate = Gate::builder(&engine, Policy::stripe_v1(), global).render_with(render);
    let lab = Lab { gate: gate.build().unwrap(), clock: ManualClock::new() };
    let ticket = lab.execute(&post("k"));
    ticket.control().side_effects_began();
    drop(ticket);
    let key = engine.key(idem::Scope::None, b"k").unwrap();
    assert!(matches!(engine.claim(key), Ok(idem::Outcome::Halted(_))));
}

#[test]
fn k4_another_request_with_the_same_key_is_a_mismatch() {
    let lab = Lab::new(Policy::ietf());
    lab.execute(&post("\"k\"")).finish(&made(200, ""));
    let others = [
        Request { body: "amount=2", ..post("\"k\"") },
        Request { target: "/refund", ..post("\"k\"") },
        Request { target: "/charge?twice", ..post("\"k\"") },
        Request { method: "PATCH", ..post("\"k\"") },
    ];
    for other in others {
        let answer = lab.answer(&other);
        assert_eq!((answer.reason(), answer.status()), (Some(Refusal::Reused), 422), "{other:?}");
    }
}

#[test]
fn d1_keys_that_are_none() {
    let lab = Lab::new(Policy::ietf());
    let bare =
        |headers: &[(&'static str, &'static str)]| Request { headers: headers.into(), ..post("") };
    for (request, refusal) in [
        (bare(&[]), Refusal::Missing),
        (post("k"), Refusal::Malformed),
        (post("\"k"), Refusal::Malformed),
        (bare(&[("idempotency-key", "\"k\""), ("IDEMPOTENCY-KEY", "\"k\"")]), Refusal::Repeated),
    ] {
        assert_eq!(lab.refusal(&request), Some(refusal), "{request:?}");
    }
    let get = Request { method: "GET", ..post("\"k\"") };
    assert!(matches!(lab.admit(&get), Admission::Pass));
    let off =
        Request { overrides: Overrides { is_off: true, ..Overrides::default() }, ..post("\"k\"") };
    assert!(matches!(lab.admit(&off), Admission::Pass));
    let lenient = Lab::new(Policy::stripe_v1());
    lenient.execute(&post("k")).finish(&made(200, "one"));
    assert_eq!(lenient.answer(&post("\"k\"")).body(), b"one");
    assert!(matches!(lenient.admit(&bare(&[])), Admission::Pass));
}

#[test]
fn h2_what_becomes_of_responses() {
    let lab = Lab::new(Policy::ietf());
    // Released: the next one executes.
    assert_eq!(lab.execute(&post("\"a\"")).finish(&made(503, "")).fate, Fate::Release);
    // Kept, though an error.
    lab.execute(&post("\"a\"")).finish(&made(404, "no"));
    assert_eq!(lab.answer(&post("\"a\"")).status(), 404);
    // Halted, because the handler says so.
    let ticket = lab.execute(&post("\"b\""));
    ticket.control().halt();
    ticket.finish(&made(200, ""));
    assert_eq!(lab.refusal(&post("\"b\"")), Some(Refusal::Unknown));
    // Interrupted before its effects began, and after.
    drop(lab.execute(&post("\"c\"")));
    let ticket = lab.execute(&post("\"c\""));
    ticket.control().side_effects_began();
    drop(ticket);
    assert_eq!(lab.refusal(&post("\"c\"")), Some(Refusal::Unknown));
    // Longer than what is kept: done, and not done again (H4).
    lab.execute(&post("\"d\"")).finish_without_body(200, false);
    assert_eq!(lab.refusal(&post("\"d\"")), Some(Refusal::Answered));
    let mut long = made(200, "");
    long.body = vec![b'x'; lab.gate.policy().response_max + 1];
    let finished = lab.execute(&post("\"f\"")).finish(&long);
    assert!(finished.is_settled && !finished.is_stored && finished.fate == Fate::Keep);
    assert_eq!(lab.refusal(&post("\"f\"")), Some(Refusal::Answered));
    // Of another length than its head says: cut off, before its effects began and after.
    let mut short = made(200, "short");
    short.headers.push((b"Content-Length".to_vec(), b"6".to_vec()));
    let finished = lab.execute(&post("\"g\"")).finish(&short);
    assert!(finished.is_settled && !finished.is_stored && finished.fate == Fate::Release);
    let ticket = lab.execute(&post("\"g\""));
    ticket.control().side_effects_began();
    assert_eq!(ticket.finish(&short).fate, Fate::Halt);
    assert_eq!(lab.refusal(&post("\"g\"")), Some(Refusal::Unknown));
    // Over after its time.
    let ticket = lab.execute(&post("\"e\""));
    ticket.control().keep_for(Duration::from_secs(5));
    ticket.finish(&made(500, "for a while"));
    assert_eq!(lab.answer(&post("\"e\"")).body(), b"for a while");
    lab.clock.advance(Duration::from_secs(6));
    drop(lab.execute(&post("\"e\"")));
}

#[test]
fn l4_a_lease_that_runs_out_under_its_owner_halts_the_key() {
    let lab = Lab::new(Policy::ietf());
    let ticket = lab.execute(&post("\"k\""));
    lab.clock.advance(Duration::from_secs(31));
    assert_eq!(lab.refusal(&post("\"k\"")), Some(Refusal::Unknown));
    assert!(ticket.renew().is_err());
    let finished = ticket.finish(&made(200, "too late"));
    assert!(!finished.is_settled && finished.headers.is_empty());
    assert_eq!(lab.refusal(&post("\"k\"")), Some(Refusal::Unknown));
}

#[test]
fn l8_a_hook_that_panics_is_an_interrupted_request() {
    let engine = Engine::new().unwrap();
    for (policy, after) in [(Policy::ietf(), Some(Refusal::Unknown)), (Policy::stripe_v1(), None)] {
        let name = policy.name;
        let seal =
            |bytes: Vec<u8>| if bytes.ends_with(b"panic") { panic!("as planned") } else { bytes };
        let gate = Gate::builder(&engine, policy, move |_| Some(name.into()))
            .seal_with(seal, |bytes| Some(bytes.to_vec()))
            .build()
            .unwrap();
        let lab = Lab { gate, clock: ManualClock::new() };
        let ticket = lab.execute(&post("\"k\""));
        ticket.control().side_effects_began();
        let finish = std::panic::AssertUnwindSafe(|| ticket.finish(&made(200, "panic")));
        assert!(std::panic::catch_unwind(finish).is_err());
        let answer = lab.answer(&post("\"k\""));
        assert_eq!((answer.status(), answer.reason()), (500, after), "{name}");
    }
}

#[test]
fn h2_what_fails_before_it_is_handled_is_shared_by_those_who_coalesce() {
    let policy = Policy { methods: vec!["POST".into()], ..Policy::coalesce() };
    let lab = Lab::new(policy);
    let ticket = lab.execute(&post(""));
    let Decision::Wait(second) = lab.decide(&post("")) else { panic!("it does not wait") };
    ticket.fail();
    let Decision::Answered(answer) = second.wait() else { panic!("it is not answered") };
    assert_eq!((answer.reason(), answer.status()), (Some(Refusal::GivenUp), 502));
    // A retention of its own keeps what would only be shared.
    let kept = Overrides { retention: Some(Duration::from_secs(60)), ..Overrides::default() };
    let request = Request { overrides: kept, ..post("") };
    lab.execute(&request).finish(&made(200, "kept"));
    assert_eq!(lab.answer(&request).body(), b"kept");
}

#[test]
fn l8_stripe_answers_an_interrupted_request_with_an_error_that_stays() {
    let lab = Lab::new(Policy::stripe_v1());
    let ticket = lab.execute(&post("k"));
    ticket.control().side_effects_began();
    drop(ticket);
    let answer = lab.answer(&post("k"));
    assert_eq!((answer.status(), answer.reason()), (500, None));
    // For a while only, if the policy says so.
    let interrupted = Fate::KeepFor(Duration::from_secs(5));
    let lab = Lab::new(Policy { interrupted, ..Policy::stripe_v1() });
    let ticket = lab.execute(&post("k"));
    ticket.control().side_effects_began();
    drop(ticket);
    assert_eq!(lab.answer(&post("k")).status(), 500);
    lab.clock.advance(Duration::from_secs(6));
    drop(lab.execute(&post("k")));
}

#[test]
fn h2_while_in_flight() {
    let refusing = Lab::new(Policy::ietf());
    let ticket = refusing.execute(&post("\"k\""));
    let answer = refusing.answer(&post("\"k\""));
    assert_eq!((answer.status(), answer.header("retry-after")), (409, Some(&b"1"[..])));
    drop(ticket);
    let policy = Policy {
        while_in_flight: WhileInFlight::Wait(Duration::from_secs(1)),
        replay_header: Some(("x-first".into(), "no".into(), Some("yes".into()))),
        lifetime_header: Some("x-kept".into()),
        ..Policy::ietf()
    };
    let waiting = Lab::new(policy);
    let ticket = waiting.execute(&post("\"k\""));
    let Decision::Wait(second) = waiting.decide(&post("\"k\"")) else { panic!("it does not wait") };
    let finished = ticket.finish(&made(200, "shared"));
    let first = [(b"x-first".to_vec(), b"yes".to_vec()), (b"x-kept".to_vec(), b"86400".to_vec())];
    assert_eq!(finished.headers, first);
    let Decision::Answered(answer) = second.wait() else { panic!("it is not answered") };
    assert_eq!((answer.body(), answer.header("x-first")), (&b"shared"[..], Some(&b"no"[..])));
    waiting.clock.advance(Duration::from_secs(400));
    assert_eq!(waiting.answer(&post("\"k\"")).header("x-kept"), Some(&b"86000"[..]));
    // An owner that gives up hands over.
    let ticket = waiting.execute(&post("\"l\""));
    let Decision::Wait(second) = waiting.decide(&post("\"l\"")) else { panic!("it does not wait") };
    drop(ticket);
    assert!(matches!(second.wait(), Decision::Execute(_)));
}

#[test]
fn b9_a_conflict_instead_of_a_replay() {
    let lab = Lab::new(Policy { replay: false, ..Policy::ietf() });
    lab.execute(&post("\"k\"")).finish(&made(200, ""));
    assert_eq!(lab.answer(&post("\"k\"")).status(), 409);
}

#[test]
fn k6_each_scope_and_namespace_has_keys_of_its_own() {
    let engine = Engine::new().unwrap();
    let gate = |namespace: &str| {
        let scope = |head: &Head<'_>| head.values("authorization").next().map(<[u8]>::to_vec);
        let builder = Gate::builder(&engine, Policy::ietf(), scope);
        builder.namespace(engine.namespace(namespace).unwrap()).build().unwrap()
    };
    let mut executed = 0;
    for namespace in ["a", "b"] {
        let lab = Lab { gate: gate(namespace), clock: ManualClock::new() };
        for (user, runs) in [("one", true), ("two", true), ("one", false)] {
            let headers = vec![("idempotency-key", "\"k\""), ("authorization", user)];
            match lab.decide(&Request { headers, ..post("") }) {
                Decision::Execute(ticket) => {
                    executed += 1;
                    ticket.finish(&made(200, user));
                    assert!(runs);
                }
                Decision::Answered(answer) => {
                    assert_eq!((answer.body(), runs), (user.as_bytes(), false))
                }
                Decision::Wait(_) => panic!("nobody is at it"),
            }
        }
    }
    assert_eq!(executed, 4);
}

#[test]
fn c9_fingerprints_of_json_and_of_ones_own() {
    let mut policy = Policy::ietf();
    policy.says.body = Body::Json(Select::Except(vec!["sent_at".into()]));
    let lab = Lab::new(policy);
    let json = |body| Request { body, ..post("\"k\"") };
    lab.execute(&json(r#"{"amount": 1, "sent_at": 5}"#)).finish(&made(200, ""));
    assert_eq!(lab.refusal(&json(r#"{"sent_at":6,"amount":1}"#)), None);
    assert_eq!(lab.refusal(&json(r#"{"amount":2}"#)), Some(Refusal::Reused));
    let mut policy = Policy::ietf();
    policy.says.body = Body::Ignored;
    let engine = Engine::new().unwrap();
    let says =
        |_: &Head<'_>, body: &[u8]| body.iter().copied().filter(u8::is_ascii_digit).collect();
    let gate = Gate::builder(&engine, policy, global).fingerprint_with(says).build().unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    lab.execute(&json("amount 1")).finish(&made(200, ""));
    assert_eq!(lab.refusal(&json("1 as an amount")), None);
    assert_eq!(lab.refusal(&json("amount 2")), Some(Refusal::Reused));
}

#[test]
fn b8_the_request_itself_can_be_the_key() {
    let lab = Lab::new(Policy { identity: Identity::HeaderElseFingerprint, ..Policy::ietf() });
    let bare = |body| Request { headers: vec![], body, ..post("") };
    lab.execute(&bare("x")).finish(&made(200, "by what it says"));
    assert_eq!(lab.answer(&bare("x")).body(), b"by what it says");
    drop(lab.execute(&bare("y")));
    lab.execute(&Request { body: "x", ..post("\"k\"") }).finish(&made(200, "by its key"));
}

#[test]
fn k6_a_request_can_say_whose_it_is() {
    let lab = Lab::new(Policy::ietf());
    for user in [b"one", b"two"] {
        let overrides = Overrides { scope: Some(user.to_vec()), ..Overrides::default() };
        let request = Request { overrides, ..post("\"k\"") };
        lab.execute(&request).finish(&made(200, "whose"));
        assert_eq!(lab.answer(&request).body(), b"whose");
    }
    let upgrade = Request {
        headers: vec![("upgrade", "websocket"), ("idempotency-key", "\"k\"")],
        ..post("")
    };
    // Clients that know HTTP/2 offer it with each request.
    drop(lab.execute(&upgrade));
    let policy = Policy { identity: Identity::HeaderElseFingerprint, ..Policy::ietf() };
    let bare = Request { headers: vec![("upgrade", "websocket")], ..post("") };
    assert!(matches!(Lab::new(policy).admit(&bare), Admission::Pass));
}

#[test]
fn b8_keys_can_be_found_elsewhere() {
    let engine = Engine::new().unwrap();
    let key = |head: &Head<'_>| head.values("x-request-id").next().map(<[u8]>::to_vec);
    let gate = Gate::builder(&engine, Policy::ietf(), global).key_with(key).build().unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    let named = Request { headers: vec![("x-request-id", "7")], ..post("") };
    lab.execute(&named).finish(&made(200, "seven"));
    assert_eq!(lab.answer(&named).body(), b"seven");
    lab.execute(&post("\"k\"")).finish(&made(200, "as usual"));
    assert_eq!(lab.answer(&post("\"k\"")).body(), b"as usual");
}

#[test]
fn h3_a_replay_to_head_says_nothing_of_a_length() {
    let lab = Lab::new(Policy { methods: vec!["HEAD".into()], ..Policy::ietf() });
    let head = Request { method: "HEAD", ..post("\"k\"") };
    lab.execute(&head).finish(&made(200, ""));
    assert_eq!(lab.answer(&head).header("content-length"), None);
}

#[test]
fn b6_refusals_are_rendered_as_the_embedder_wants() {
    let engine = Engine::new().unwrap();
    let documentation = Documentation { address: Some("https://x/errors".into()), link: true };
    let policy = Policy { documentation, ..Policy::ietf() };
    let render = |refusal, status| {
        let is_ours = refusal == Refusal::Missing;
        is_ours.then(|| (String::from("text/plain"), format!("{status}: no key").into_bytes()))
    };
    let gate = Gate::builder(&engine, policy, global).render_with(render).build().unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    let missing = lab.answer(&Request { headers: vec![], ..post("") });
    assert_eq!((missing.body(), missing.status()), (&b"400: no key"[..], 400));
    assert_eq!(missing.header("content-type"), Some(&b"text/plain"[..]));
    let malformed = lab.answer(&post("k"));
    assert_eq!(malformed.header("content-type"), Some(&b"application/problem+json"[..]));
    assert!(malformed.header("link").is_some_and(|link| link.starts_with(b"<https://x/errors#")));
}

#[test]
fn c15_what_is_stored_can_be_redacted_and_sealed() {
    let engine = Engine::new().unwrap();
    let flip = |mut bytes: Vec<u8>| {
        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        bytes
    };
    let gate = Gate::builder(&engine, Policy::ietf(), global)
        .redact_with(|response| response.headers.retain(|(name, _)| name != b"link"))
        .seal_with(flip, move |bytes| (bytes.len() > 5).then(|| flip(bytes.to_vec())))
        .build()
        .unwrap();
    let lab = Lab { gate, clock: ManualClock::new() };
    lab.execute(&post("\"k\"")).finish(&made(200, "secret"));
    let answer = lab.answer(&post("\"k\""));
    assert_eq!((answer.body(), answer.header("link")), (&b"secret"[..], None));
    let key = engine.key(idem::Scope::None, b"k").unwrap();
    let mut stored = Vec::new();
    engine.peek_into(key, &mut stored).unwrap();
    assert!(!stored.windows(6).any(|window| window == b"secret"));
}

#[test]
fn h3_grpc_is_decided_by_its_own_status() {
    let lab = Lab::new(Policy { syntax: idem_http::Syntax::Lenient, ..Policy::ietf() });
    let call = |key| Request {
        headers: vec![("idempotency-key", key), ("content-type", "application/grpc")],
        ..post("")
    };
    let answered = |status: &str| Response {
        status: 200,
        headers: vec![(b"content-type".to_vec(), b"application/grpc".to_vec())],
        trailers: vec![(b"grpc-status".to_vec(), status.as_bytes().to_vec())],
        body: vec![0, 0, 0, 0, 0],
    };
    // Unavailable: released, though it is 200 to HTTP. Not found: kept.
    assert_eq!(lab.execute(&call("a")).finish(&answered("14")).fate, Fate::Release);
    assert_eq!(lab.execute(&call("a")).finish(&answered("5")).fate, Fate::Keep);
    let replay = lab.answer(&call("a"));
    assert_eq!(replay.trailers().next(), Some((&b"grpc-status"[..], &b"5"[..])));
    assert_eq!(replay.header("content-length"), None);
    // A refusal is an answer of gRPC.
    let ticket = lab.execute(&call("b"));
    let refused = lab.answer(&call("b"));
    assert_eq!((refused.status(), refused.header("grpc-status")), (200, Some(&b"10"[..])));
    drop(ticket);
}

#[test]
fn r5_what_has_no_room_is_told_so() {
    let engine = Engine::builder().records(2).build().unwrap();
    let lab = Lab {
        gate: Gate::new(&engine, Policy::ietf(), global).unwrap(),
        clock: ManualClock::new(),
    };
    let tickets = (lab.execute(&post("\"a\"")), lab.execute(&post("\"b\"")));
    let answer = lab.answer(&post("\"c\""));
    assert_eq!((answer.reason(), answer.status()), (Some(Refusal::Full { own: false }), 503));
    engine.close();
    assert_eq!(lab.refusal(&post("\"d\"")), Some(Refusal::Closing));
    drop(tickets);
}

#[test]
fn b8_routes_have_gates_of_their_own() {
    let engine = Engine::new().unwrap();
    let gate = |name| Gate::new(&engine, Policy { name, ..Policy::ietf() }, global).unwrap();
    let routes = Routes::new(Some(gate("all")))
        .route("/charges/{id}", Some(gate("charges")))
        .and_then(|routes| routes.route("/health", None))
        .unwrap();
    let name = |path| routes.gate(path).map(|gate| gate.policy().name);
    assert_eq!(name("/charges/7"), Some("charges"));
    assert_eq!((name("/health"), name("/other")), (None, Some("all")));
    assert!(routes.route("/charges/{other}", None).is_err());
}

#[test]
fn a_policy_is_a_value() {
    let mut policy = Policy::stripe_v2();
    policy.fates.insert(0, Rule { from: 402, to: 402, fate: Fate::Keep });
    assert_ne!(policy, Policy::stripe_v2());
    assert_eq!(policy.fate(402), Fate::Keep);
    assert!(format!("{policy:#?}").contains("from: 402"));
}
