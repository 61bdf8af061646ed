//! A response that is sent while it is being kept.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use idem_http::{Response, Ticket};
use parking_lot::Mutex;
use pin_project_lite::pin_project;

use crate::body::BoxError;
use crate::execute::fields;
use crate::observe::Seen;

pin_project! {
    /// A body that is looked at as it goes by.
    pub(crate) struct Tee<B> {
        #[pin]
        body: B,
        kept: Option<Kept>,
    }
}

/// A ticket that somebody else keeps alive meanwhile.
pub(crate) type Shared = Arc<Mutex<Option<Ticket>>>;

struct Kept {
    ticket: Shared,
    response: Response,
    room: usize,
    /// Bytes that are still to come, if that is known.
    left: Option<u64>,
}

impl Kept {
    fn finish(&self) {
        let ticket = self.ticket.lock().take();
        if let Some(ticket) = ticket {
            Seen::Executed(ticket.finish(&self.response).fate).tell();
        }
    }

    /// It is over: all of it, or less than its head says.
    fn end(&self) {
        if self.left.is_none_or(|left| left == 0) { self.finish() } else { self.lose(true) }
    }

    /// Whether it still fits.
    fn see(&mut self, frame: &Frame<Bytes>) -> bool {
        if let Some(data) = frame.data_ref() {
            let Some(room) = self.room.checked_sub(data.len()) else { return false };
            self.room = room;
            self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
            self.response.body.extend_from_slice(data);
        } else if let Some(trailers) = frame.trailers_ref() {
            self.response.trailers = fields(trailers);
        }
        true
    }

    fn lose(&self, was_cut_off: bool) {
        let ticket = self.ticket.lock().take();
        if let Some(ticket) = ticket {
            let finished = ticket.finish_without_body(self.response.status, was_cut_off);
            if was_cut_off { Seen::CutOff } else { Seen::Executed(finished.fate) }.tell();
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Nothing, if it is settled. Otherwise the client went away; or whoever sends it knew its length, and asked
        // for no more.
        if self.left == Some(0) { self.finish() } else { self.lose(true) }
    }
}

impl<B> Tee<B> {
    pub(crate) fn untouched(body: B) -> Self {
        Self { body, kept: None }
    }

    /// `response` has everything but the body, whose length its head may say.
    pub(crate) fn of(
        body: B,
        ticket: Shared,
        response: Response,
        length: Option<u64>,
        room: usize,
    ) -> Self
    where
        B: Body,
    {
        let left = length.or_else(|| body.size_hint().exact());
        Self { body, kept: Some(Kept { ticket, response, room, left }) }
    }
}

impl<B: Body<Data = Bytes>> Body for Tee<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        if let Some(mut kept) = this.kept.take() {
            match &frame {
                None => kept.end(),
                Some(Err(_)) => kept.lose(true),
                Some(Ok(frame)) if !kept.see(frame) => kept.lose(false),
                Some(Ok(_)) if this.body.is_end_stream() => kept.end(),
                Some(Ok(_)) => *this.kept = Some(kept),
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        // The end is to be seen by `poll_frame`, which keeps the response then.
        self.kept.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
