//! DNS resolvers for the HTTP client.

use crate::platform;
use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::Builder;
use tokio::sync::oneshot;
use tower_service::Service;

/// The system's resolver. It blocks for an unbounded time and cannot be canceled, so each lookup
/// runs on its own thread. A request that times out does not wait for that thread. If the thread
/// cannot be created, the lookup runs on the caller's thread.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = look_up_on_thread(name.as_str().to_owned());
        Box::pin(async move { lookup.await.map(|addresses| Box::new(addresses) as Addrs).map_err(Into::into) })
    }
}

/// The system's resolver for the name of a proxy, which is looked up like that of a server.
#[derive(Clone, Debug)]
pub(super) struct NameResolver;

/// The failed lookup of a name.
#[derive(Debug, thiserror::Error)]
#[error("DNS lookup failed")]
pub(super) struct LookupFailure(#[source] io::Error);

impl Service<dns::Name> for NameResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookupFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupFailure>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), LookupFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let lookup = look_up_on_thread(name.as_str().to_owned());
        Box::pin(async move { lookup.await.map_err(LookupFailure) })
    }
}

/// Starts to look up `name` on another thread.
fn look_up_on_thread(name: String) -> impl Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> {
    let (sender, receiver) = oneshot::channel();
    let thread = {
        let name = name.clone();
        platform::spawn_without_signals(Builder::new().name("tokenwell-names".to_owned()), move || {
            // The send fails if the request has timed out.
            let _ = sender.send(look_up(&name));
        })
    };
    // Without a thread, the caller waits for the lookup here.
    let done = thread.is_err().then(|| look_up(&name));
    async move {
        match done {
            Some(done) => done,
            None => receiver.await.unwrap_or_else(|_| Err(io::Error::other("the DNS lookup thread exited early"))),
        }
    }
}

fn look_up(name: &str) -> io::Result<std::vec::IntoIter<SocketAddr>> {
    // Port 0 means "the port of the URL".
    (name, 0).to_socket_addrs()
}

/// Resolves every name to the loopback addresses. It is used for plain http, so that neither a
/// resolver nor a hosts file can send the secret to another host.
#[derive(Debug)]
pub(super) struct LoopbackResolver;

impl Resolve for LoopbackResolver {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
