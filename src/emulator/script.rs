//! Bytes sent in a troublesome way: one at a time, without end, cut off in the middle.

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;

/// How many bytes a step carries at most.
const STEP: u64 = 16 * 1024;

/// What to send.
#[derive(Clone, Debug)]
pub(super) struct Content {
    unit: Bytes,
    times: u64,
}

impl Content {
    pub(super) fn once(bytes: impl Into<Bytes>) -> Self {
        Self { unit: bytes.into(), times: 1 }
    }

    pub(super) fn repeated(text: String, times: u64) -> Self {
        Self { unit: text.into(), times }
    }

    pub(super) fn len(&self) -> u64 {
        (self.unit.len() as u64).saturating_mul(self.times)
    }

    /// Up to `most` bytes from `position` on; empty at the end.
    fn slice(&self, position: u64, most: u64) -> Bytes {
        let unit = self.unit.len() as u64;
        let most = most.min(self.len().saturating_sub(position));
        if most == 0 {
            return Bytes::new();
        }
        let offset = index(position % unit);
        if offset + index(most) <= self.unit.len() {
            return self.unit.slice(offset..offset + index(most));
        }
        self.unit.iter().cycle().skip(offset).take(index(most)).copied().collect()
    }
}

/// How to send it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// One byte at a time, that far apart.
    pub(super) drip: Option<Duration>,
    /// After the content more bytes, for ever.
    pub(super) endless: Endless,
    /// The connection breaks inside the content.
    pub(super) cut: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Endless {
    #[default]
    No,
    /// Spaces, which do not spoil a JSON document: only a limit or a deadline saves the reader.
    Spaces,
    /// The content again and again.
    Again,
}

/// The next piece to send, over and over.
struct Pieces {
    content: Content,
    manner: Manner,
    sent: u64,
}

enum Piece {
    Bytes(Bytes),
    End,
    Cut,
}

impl Pieces {
    fn next(&mut self) -> Piece {
        let step = if self.manner.drip.is_some() { 1 } else { STEP };
        let length = self.content.len();
        let end = if self.manner.cut { length / 2 } else { length };
        if self.sent >= end {
            return match self.manner.endless {
                _ if self.manner.cut => Piece::Cut,
                Endless::No => Piece::End,
                Endless::Again if length > 0 => {
                    self.sent = 0;
                    self.next()
                }
                Endless::Spaces | Endless::Again => Piece::Bytes(Bytes::from(vec![b' '; index(step)])),
            };
        }
        let bytes = self.content.slice(self.sent, step.min(end - self.sent));
        self.sent += bytes.len() as u64;
        Piece::Bytes(bytes)
    }
}

/// A response body that is sent in such a manner.
pub(super) struct ScriptedBody {
    pieces: Pieces,
    sleep: Option<Pin<Box<Sleep>>>,
    flushed: bool,
}

impl ScriptedBody {
    pub(super) fn new(content: Content, manner: Manner) -> Self {
        Self { pieces: Pieces { content, manner, sent: 0 }, sleep: None, flushed: false }
    }
}

impl HttpBody for ScriptedBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(sleep) = &mut self.sleep {
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        match self.pieces.next() {
            Piece::End => Poll::Ready(None),
            Piece::Cut if self.flushed => Poll::Ready(Some(Err(Cut))),
            Piece::Cut => {
                // hyper drops what it has not written yet when a body fails; one turn in between lets it write.
                self.flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Piece::Bytes(bytes) => {
                self.sleep = self.pieces.manner.drip.map(|gap| Box::pin(tokio::time::sleep(gap)));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.pieces.manner.endless {
            // A body that will be cut claims all of its length, and an empty one more than it has: that makes the loss visible.
            Endless::No => SizeHint::with_exact((self.pieces.content.len() - self.pieces.sent).max(u64::from(self.pieces.manner.cut))),
            Endless::Spaces | Endless::Again => SizeHint::default(),
        }
    }
}

/// Writes the content to a socket, as it is, in such a manner.
pub(super) async fn write_raw(socket: &mut (impl AsyncWrite + Unpin), content: Content, manner: Manner) -> std::io::Result<()> {
    let mut pieces = Pieces { content, manner, sent: 0 };
    while let Piece::Bytes(bytes) = pieces.next() {
        socket.write_all(&bytes).await?;
        socket.flush().await?;
        if let Some(gap) = manner.drip {
            tokio::time::sleep(gap).await;
        }
    }
    Ok(())
}

/// The end of a body that a fault cuts off.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault cut the body off")
    }
}

impl std::error::Error for Cut {}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Content, Endless, Manner, Piece, Pieces};

    fn pieces(content: Content, manner: Manner) -> Pieces {
        Pieces { content, manner, sent: 0 }
    }

    #[test]
    fn a_repeated_text_comes_out_whole_across_step_borders() {
        let mut all = pieces(Content::repeated("abc".to_owned(), 10_000), Manner::default());
        let mut text = Vec::new();
        while let Piece::Bytes(bytes) = all.next() {
            text.extend_from_slice(&bytes);
        }

        assert_eq!(text, "abc".repeat(10_000).into_bytes());
    }

    #[test]
    fn a_cut_body_ends_in_the_middle() {
        let mut cut = pieces(Content::once("abcdef"), Manner { cut: true, ..Manner::default() });

        assert!(matches!(cut.next(), Piece::Bytes(bytes) if bytes == "abc"));
        assert!(matches!(cut.next(), Piece::Cut));
    }

    #[test]
    fn endless_content_goes_on_after_its_end() {
        let mut spaces = pieces(Content::once("{}"), Manner { endless: Endless::Spaces, ..Manner::default() });
        let mut again = pieces(Content::once("{}"), Manner { endless: Endless::Again, ..Manner::default() });

        assert!(matches!(spaces.next(), Piece::Bytes(bytes) if bytes == "{}"));
        assert!(matches!(spaces.next(), Piece::Bytes(bytes) if bytes.iter().all(|&byte| byte == b' ')));
        for _ in 0..3 {
            assert!(matches!(again.next(), Piece::Bytes(bytes) if bytes == "{}"));
        }
    }
}
