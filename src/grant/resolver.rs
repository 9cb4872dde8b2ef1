//! DNS lookups.

use crate::platform;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::thread::Builder;
use tokio::sync::oneshot;

/// The addresses of `name` from the system's resolver. It blocks for an unbounded time and cannot be
/// canceled, so each lookup runs on its own thread. A request that times out does not wait for that
/// thread. If the thread cannot be created, the lookup runs on the caller's thread.
pub(super) async fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    let (sender, receiver) = oneshot::channel();
    let owned = name.to_owned();
    let thread = platform::spawn_without_signals(Builder::new().name("tokenwell-names".to_owned()), move || {
        // The send fails if the request has timed out.
        let _ = sender.send(look_up(&owned));
    });
    match thread {
        Ok(_) => receiver.await.unwrap_or_else(|_| Err(io::Error::other("the DNS lookup thread exited early"))),
        Err(_) => look_up(name),
    }
}

fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    (name, 0).to_socket_addrs().map(|addresses| addresses.map(|address| address.ip()).collect())
}

/// The loopback addresses. Every name resolves to them for plain http, so that neither a resolver nor
/// a hosts file can send the secret to another host.
pub(super) fn loopback() -> Vec<IpAddr> {
    vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
}
