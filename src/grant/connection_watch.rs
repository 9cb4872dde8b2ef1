//! Records whether a connection was established. A failure before that may be local to this
//! process's network environment, so it does not concern other processes. A failure after it
//! concerns the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Watches the connections of one HTTP client. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionWatch(Arc<AtomicBool>);

impl ConnectionWatch {
    /// Starts watching for a new request, which has no connection yet.
    pub(super) fn reset(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Records that a connection was established.
    pub(super) fn set_connected(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a connection was established since the last reset, including the proxy tunnel and
    /// TLS if they are used.
    pub(super) fn is_connected(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for ConnectionWatch {
    type Service = WatchedConnector<S>;

    fn layer(&self, connector: S) -> WatchedConnector<S> {
        WatchedConnector { connector, watch: self.clone() }
    }
}

/// A connector that records its success in a [`ConnectionWatch`].
#[derive(Clone)]
pub(super) struct WatchedConnector<S> {
    connector: S,
    watch: ConnectionWatch,
}

impl<S, R> Service<R> for WatchedConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (connecting, watch) = (self.connector.call(request), self.watch.clone());
        Box::pin(async move {
            let outcome = connecting.await;
            if outcome.is_ok() {
                watch.set_connected();
            }
            outcome
        })
    }
}
