//! Content that is sent slowly, endlessly or incompletely.

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Sleep;

/// The maximum number of bytes sent in one step.
const STEP: u64 = 16 * 1024;

/// The bytes to send.
#[derive(Clone, Debug)]
pub(super) struct Content {
    unit: Bytes,
    times: u64,
}

impl Content {
    pub(super) fn once(bytes: impl Into<Bytes>) -> Self {
        Self { unit: bytes.into(), times: 1 }
    }

    pub(super) fn repeated(unit: String, times: u64) -> Self {
        Self { unit: unit.into(), times }
    }

    pub(super) fn len(&self) -> u64 {
        (self.unit.len() as u64).saturating_mul(self.times)
    }

    /// Returns up to `max` bytes that start at `position`; empty at the end.
    fn slice(&self, position: u64, max: u64) -> Bytes {
        let unit = self.unit.len() as u64;
        let max = max.min(self.len().saturating_sub(position));
        if max == 0 {
            return Bytes::new();
        }
        let offset = index(position % unit);
        if offset + index(max) <= self.unit.len() {
            return self.unit.slice(offset..offset + index(max));
        }
        self.unit.iter().cycle().skip(offset).take(index(max)).copied().collect()
    }
}

/// How to send the content.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivery {
    /// Sends one byte at a time, with this interval.
    pub(super) drip: Option<Duration>,
    /// The bytes that follow the content indefinitely.
    pub(super) endless: Endless,
    /// Closes the connection in the middle of the content.
    pub(super) cut: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Endless {
    #[default]
    No,
    /// Spaces. They keep a JSON document valid, so that only a size limit or a deadline stops the
    /// reader.
    Spaces,
    /// The content, repeated.
    Repeat,
}

/// An iterator over the chunks to send.
struct Chunks {
    content: Content,
    delivery: Delivery,
    sent: u64,
}

enum Chunk {
    Bytes(Bytes),
    End,
    Cut,
}

impl Chunks {
    fn next(&mut self) -> Chunk {
        let step = if self.delivery.drip.is_some() { 1 } else { STEP };
        let length = self.content.len();
        let end = if self.delivery.cut { length / 2 } else { length };
        if self.sent >= end {
            return match self.delivery.endless {
                _ if self.delivery.cut => Chunk::Cut,
                Endless::No => Chunk::End,
                Endless::Repeat if length > 0 => {
                    self.sent = 0;
                    self.next()
                }
                Endless::Spaces | Endless::Repeat => Chunk::Bytes(Bytes::from(vec![b' '; index(step)])),
            };
        }
        let bytes = self.content.slice(self.sent, step.min(end - self.sent));
        self.sent += bytes.len() as u64;
        Chunk::Bytes(bytes)
    }
}

/// A response body that is sent as its `Delivery` specifies.
pub(super) struct ScriptedBody {
    chunks: Chunks,
    sleep: Option<Pin<Box<Sleep>>>,
    flushed: bool,
}

impl ScriptedBody {
    pub(super) fn new(content: Content, delivery: Delivery) -> Self {
        Self { chunks: Chunks { content, delivery, sent: 0 }, sleep: None, flushed: false }
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
        match self.chunks.next() {
            Chunk::End => Poll::Ready(None),
            Chunk::Cut if self.flushed => Poll::Ready(Some(Err(Cut))),
            Chunk::Cut => {
                // When a body fails, hyper drops the bytes that it has not written yet. One more
                // poll lets it write them first.
                self.flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Chunk::Bytes(bytes) => {
                self.sleep = self.chunks.delivery.drip.map(|gap| Box::pin(tokio::time::sleep(gap)));
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.chunks.delivery.endless {
            // A body that will be cut states its full length, and at least 1 if it is empty, so
            // that the client can detect the truncation.
            Endless::No => SizeHint::with_exact((self.chunks.content.len() - self.chunks.sent).max(u64::from(self.chunks.delivery.cut))),
            Endless::Spaces | Endless::Repeat => SizeHint::default(),
        }
    }
}

/// Writes the content to a socket, without HTTP framing, as `delivery` specifies.
pub(super) async fn write_raw(socket: &mut (impl AsyncWrite + Unpin), content: Content, delivery: Delivery) -> std::io::Result<()> {
    let mut chunks = Chunks { content, delivery, sent: 0 };
    while let Chunk::Bytes(bytes) = chunks.next() {
        socket.write_all(&bytes).await?;
        socket.flush().await?;
        if let Some(gap) = delivery.drip {
            tokio::time::sleep(gap).await;
        }
    }
    Ok(())
}

/// The error of a body that a fault truncates.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault truncated the body")
    }
}

impl std::error::Error for Cut {}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Chunk, Chunks, Content, Delivery, Endless};

    fn chunks(content: Content, delivery: Delivery) -> Chunks {
        Chunks { content, delivery, sent: 0 }
    }

    #[test]
    fn repeated_content_is_complete_across_step_boundaries() {
        let mut all = chunks(Content::repeated("abc".to_owned(), 10_000), Delivery::default());
        let mut sent = Vec::new();
        while let Chunk::Bytes(bytes) = all.next() {
            sent.extend_from_slice(&bytes);
        }

        assert_eq!(sent, "abc".repeat(10_000).into_bytes());
    }

    #[test]
    fn a_cut_body_ends_in_the_middle() {
        let mut cut = chunks(Content::once("abcdef"), Delivery { cut: true, ..Delivery::default() });

        assert!(matches!(cut.next(), Chunk::Bytes(bytes) if bytes == "abc"));
        assert!(matches!(cut.next(), Chunk::Cut));
    }

    #[test]
    fn endless_content_continues_after_its_end() {
        let mut spaces = chunks(Content::once("{}"), Delivery { endless: Endless::Spaces, ..Delivery::default() });
        let mut again = chunks(Content::once("{}"), Delivery { endless: Endless::Repeat, ..Delivery::default() });

        assert!(matches!(spaces.next(), Chunk::Bytes(bytes) if bytes == "{}"));
        assert!(matches!(spaces.next(), Chunk::Bytes(bytes) if bytes.iter().all(|&byte| byte == b' ')));
        for _ in 0..3 {
            assert!(matches!(again.next(), Chunk::Bytes(bytes) if bytes == "{}"));
        }
    }
}
