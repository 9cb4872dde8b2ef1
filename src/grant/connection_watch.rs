//! Whether a connection was made. What goes wrong before that is the way from here, which other processes need not share; what goes wrong after it, the server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Watches the connections of one HTTP client. Clones watch together.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrival(Arc<AtomicBool>);

impl Arrival {
    /// Begins with a request that has made no connection yet.
    pub(super) fn expect(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Whether one was made since: to the server, through the proxy and with TLS where there are these.
    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for Arrival {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched { connector, arrival: self.clone() }
    }
}

/// A connector whose success is noticed.
#[derive(Clone)]
pub(super) struct Watched<S> {
    connector: S,
    arrival: Arrival,
}

impl<S, R> Service<R> for Watched<S>
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
        let (connecting, arrival) = (self.connector.call(request), self.arrival.clone());
        Box::pin(async move {
            let outcome = connecting.await;
            if outcome.is_ok() {
                arrival.0.store(true, Ordering::SeqCst);
            }
            outcome
        })
    }
}
