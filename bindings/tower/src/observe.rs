//! What is decided, for those who watch: a field of the current span (feature `tracing`), and a counter (feature
//! `metrics`). Neither shows a key (H5).

use idem_http::{Answer, Fate};

/// What became of a request that has a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Executed(Fate),
    CutOff,
    Replayed,
    Refused(&'static str),
}

impl Seen {
    pub(crate) fn of(answer: &Answer) -> Self {
        answer.reason().map_or(Self::Replayed, |refusal| Self::Refused(refusal.code()))
    }

    /// A word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Executed(Fate::Keep | Fate::KeepFor(_)) => "executed",
            Self::Executed(Fate::Share) => "executed-shared",
            Self::Executed(Fate::Release) => "executed-released",
            Self::Executed(Fate::Halt) => "executed-halted",
            Self::CutOff => "cut-off",
            Self::Replayed => "replayed",
            Self::Refused(code) => code,
        }
    }

    /// Tells it: the field `idempotency` of the current span, if that has declared one, and the counter
    /// `idem_http_requests_total` with the label `outcome`.
    pub(crate) fn tell(self) {
        let word = self.word();
        #[cfg(feature = "tracing")]
        tracing::Span::current().record("idempotency", word);
        #[cfg(feature = "metrics")]
        metrics::counter!("idem_http_requests_total", "outcome" => word).increment(1);
        let _ = word;
    }
}
