//! Name look-ups that never hold anybody up.

use crate::platform;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::thread::Builder;
use tokio::sync::oneshot;

/// The system's resolver. It blocks for as long as it likes and cannot be cancelled, so each look-up has a thread of its own: when
/// the request gives up, nobody waits for that thread. Where no thread can be had, the look-up runs on the caller's.
#[derive(Debug)]
pub(super) struct SystemNames;

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (answer, answered) = oneshot::channel();
        let name = name.as_str().to_owned();
        let thread = {
            let name = name.clone();
            platform::spawn_without_signals(Builder::new().name("tokenwell-names".to_owned()), move || {
                // Nobody listens any more once the request has given up.
                let _ = answer.send(look_up(&name));
            })
        };
        match thread {
            Ok(_) => Box::pin(async move {
                answered.await.unwrap_or_else(|_| Err(io::Error::other("the look-up's thread ended early"))).map_err(Into::into)
            }),
            Err(_) => Box::pin(std::future::ready(look_up(&name).map_err(Into::into))),
        }
    }
}

fn look_up(name: &str) -> io::Result<Addrs> {
    // Port 0 stands for "the port of the URL".
    (name, 0).to_socket_addrs().map(|addresses| Box::new(addresses) as Addrs)
}

/// For plain http: whatever the name, it is this machine. No resolver and no hosts file can send the secret elsewhere.
#[derive(Debug)]
pub(super) struct LoopbackOnly;

impl Resolve for LoopbackOnly {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
