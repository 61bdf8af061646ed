//! What is done to keys from outside, on both sides.

use idem::{Completion, NoBody, OnEnd, Resolution, Resolved, Status};

use super::{Pick, SideBySide, millis, pick, times};
use crate::reference::grammar::{Halt, Settling};
use crate::reference::machine::{Body, Seen, Settlement};

/// The engine has flights to spare for some that have lost their keys, and then refuses claims. Before
/// that nothing more is detached.
const SEVERED_MAX: usize = 32;

impl SideBySide {
    /// K8, by both ways to peek.
    pub(super) fn peek(&mut self, key: u8) {
        let mut body = b"before".to_vec();
        let status = self.engine.peek_into(self.key(key), &mut body).expect("a good key");
        assert_eq!(self.engine.peek(self.key(key)), Ok(status));
        assert_eq!(&body[..6], b"before");
        let expected = self.machine.peek(key);
        let seen = match status {
            Status::Vacant => Seen::Vacant,
            Status::InFlight(info) => {
                let (age, left) = times(info);
                let is_known = matches!(expected, Seen::InFlight(Some(_)));
                Seen::InFlight(is_known.then_some((age, left, info.owner)))
            }
            Status::Completed { info, length: Some(length), is_error, .. } => {
                assert_eq!(length, body.len() - 6);
                Seen::Response { body: Body::seen(&body[6..]), is_error, info: times(info) }
            }
            Status::Completed { info, .. } => Seen::Tombstone { info: times(info) },
            Status::Cancelled(reason, info) => Seen::Cancelled(reason, times(info)),
            Status::Halted(reason, info, _) => Seen::Halted(reason, times(info)),
            other => panic!("no status of the memory engine: {other:?}"),
        };
        assert!(body.len() == 6 || matches!(seen, Seen::Response { .. }), "bytes of nothing");
        assert_eq!(seen, expected, "peek, on the left the engine's answer");
        self.note_halt(key, status);
    }

    /// L8: each halt has a token of its own.
    fn note_halt(&mut self, key: u8, status: Status) {
        let Status::Halted(_, _, token) = status else { return };
        let incident = self.machine.incident(key).expect("it is halted");
        for (other, other_incident) in &self.halts {
            assert_eq!(token == *other, incident == *other_incident, "a token is of one halt");
        }
        self.halts.push((token, incident));
    }

    pub(super) fn forget(&mut self, key: u8, forced: bool) {
        let name = self.key(key);
        let removal =
            if forced { self.engine.forget_forced(name) } else { self.engine.forget(name) };
        assert_eq!(removal, Ok(self.machine.forget(key, forced)));
    }

    pub(super) fn detach(&mut self, key: u8) {
        if self.machine.severed_count() < SEVERED_MAX {
            assert_eq!(self.engine.detach(self.key(key)), Ok(self.machine.detach(key)));
        }
    }

    pub(super) fn force_end(&mut self, key: u8, policy: OnEnd) {
        let ended = self.engine.force_end(self.key(key), policy);
        assert_eq!(ended, Ok(self.machine.force_end(key, policy)));
    }

    pub(super) fn resolve(&mut self, key: u8, token: Halt, how: Settling) {
        let seen = match token {
            Halt::Present => {
                self.peek(key);
                self.halts.last()
            }
            Halt::Seen(at) => pick(&self.halts, at as Pick),
        };
        let Some(&(token, incident)) = seen else { return };
        let (bytes, retention) = match how {
            Settling::Complete(size, retention) => {
                (self.bytes(size.of(&self.setup.limits)), retention)
            }
            _ => (Vec::new(), 0),
        };
        let resolution = match how {
            Settling::Complete(..) => Resolution::Complete(&bytes, millis(retention)),
            Settling::Release => Resolution::Release,
            Settling::Keep => Resolution::Keep,
        };
        let resolved = self.engine.resolve(self.key(key), token, resolution);
        let no_room = Completion::Tombstone(NoBody::NoRoom);
        let is_refused = resolved == Ok(Resolved::Completed(no_room));
        let settlement = match how {
            Settling::Complete(..) => Settlement::Complete(bytes, retention),
            Settling::Release => Settlement::Release,
            Settling::Keep => Settlement::Keep,
        };
        assert_eq!(resolved, self.machine.resolve(key, incident, settlement, is_refused));
    }

    pub(super) fn clear(&mut self, namespace: u8) {
        if namespace == 0 {
            self.engine.clear();
        } else {
            self.other.clear();
        }
        self.machine.clear(namespace);
    }
}
