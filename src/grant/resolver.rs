//! DNS resolvers for the HTTP client.

use crate::platform;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread::Builder;
use tokio::sync::oneshot;

/// The system's resolver. It blocks for an unbounded time and cannot be canceled, so each lookup
/// runs on its own thread. A request that times out does not wait for that thread. If the thread
/// cannot be created, the lookup runs on the caller's thread.
#[derive(Debug)]
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (sender, receiver) = oneshot::channel();
        let name = name.as_str().to_owned();
        let thread = {
            let name = name.clone();
            platform::spawn_without_signals(Builder::new().name("tokenwell-names".to_owned()), move || {
                // The send fails if the request has timed out.
                let _ = sender.send(look_up(&name));
            })
        };
        match thread {
            Ok(_) => Box::pin(async move {
                receiver.await.unwrap_or_else(|_| Err(io::Error::other("the DNS lookup thread exited early"))).map_err(Into::into)
            }),
            Err(_) => Box::pin(std::future::ready(look_up(&name).map_err(Into::into))),
        }
    }
}

fn look_up(name: &str) -> io::Result<Addrs> {
    // Port 0 means "the port of the URL".
    (name, 0).to_socket_addrs().map(|addresses| Box::new(addresses) as Addrs)
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
