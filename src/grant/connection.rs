//! One connection to a server: TCP, the proxy's tunnel if there is one, TLS.

use super::proxy::HttpsProxy;
use super::resolver;
use super::tunnel::{self, TunnelFailure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// How long an address of the preferred family is tried alone (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(300);

/// The bytes between this process and the server.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why there is no connection. The first four concern the proxy, if there is one.
pub(super) enum ConnectFailure {
    /// The DNS lookup failed.
    Lookup(io::Error),
    /// No address accepted a connection, or it broke before the server had accepted it.
    Tcp(io::Error),
    /// No TLS connection to the proxy.
    ProxyTls(io::Error),
    /// The proxy did not open a tunnel to the server.
    Tunnel(TunnelFailure),
    /// No TLS connection to the server.
    Tls(io::Error),
}

/// Connects to the server of `url`. `tls` is `None` for plain http, which goes to loopback only.
/// `patience` is divided among the addresses of a host.
pub(super) async fn open(
    url: &Url,
    proxy: Option<&HttpsProxy>,
    tls: Option<&Arc<ClientConfig>>,
    patience: Duration,
) -> Result<Box<dyn Stream>, ConnectFailure> {
    let Some(tls) = tls else {
        return Ok(Box::new(tcp(url, false, patience).await?));
    };
    let stream: Box<dyn Stream> = match proxy {
        None => Box::new(tcp(url, true, patience).await?),
        Some(proxy) => {
            let stream = tcp(proxy.url(), true, patience).await?;
            let mut stream: Box<dyn Stream> = if proxy.url().scheme() == "https" {
                Box::new(handshake(proxy.url(), tls, stream).await.map_err(ConnectFailure::ProxyTls)?)
            } else {
                Box::new(stream)
            };
            tunnel::open(&mut stream, url, proxy.url()).await.map_err(ConnectFailure::Tunnel)?;
            stream
        }
    };
    Ok(Box::new(handshake(url, tls, stream).await.map_err(ConnectFailure::Tls)?))
}

async fn handshake<S: Stream>(url: &Url, tls: &Arc<ClientConfig>, stream: S) -> io::Result<impl Stream + use<S>> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?,
        Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::V6(address)),
        None => return Err(io::ErrorKind::InvalidInput.into()),
    };
    TlsConnector::from(Arc::clone(tls)).connect(name, stream).await
}

/// Connects to the host of `url`, to its addresses of one family in turn. The addresses of the other
/// family join after a head start.
async fn tcp(url: &Url, secure: bool, patience: Duration) -> Result<TcpStream, ConnectFailure> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) if secure => resolver::system(name).await.map_err(ConnectFailure::Lookup)?,
        Some(Host::Domain(_)) => resolver::loopback(),
        None => Vec::new(),
    };
    let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let prefers_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (preferred, others): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| address.is_ipv4() == prefers_v4);
    let stream = first_to_answer(preferred, others, patience).await.map_err(ConnectFailure::Tcp)?;
    // Without this, the kernel delays the second of two small writes.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn first_to_answer(preferred: Vec<SocketAddr>, others: Vec<SocketAddr>, patience: Duration) -> io::Result<TcpStream> {
    if others.is_empty() {
        return in_turn(preferred, patience).await;
    }
    let mut preferred = pin!(in_turn(preferred, patience));
    match tokio::time::timeout(HEAD_START, &mut preferred).await {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(failure)) => return in_turn(others, patience).await.map_err(|_| failure),
        Err(_) => {}
    }
    let mut others = pin!(in_turn(others, patience));
    let (mut failure, mut others_failed) = (None, false);
    poll_fn(|context| {
        if failure.is_none() {
            match preferred.as_mut().poll(context) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(error)) => failure = Some(error),
                Poll::Pending => {}
            }
        }
        if !others_failed {
            match others.as_mut().poll(context) {
                Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                Poll::Ready(Err(_)) => others_failed = true,
                Poll::Pending => {}
            }
        }
        match failure.take() {
            Some(error) if others_failed => Poll::Ready(Err(error)),
            waiting => {
                failure = waiting;
                Poll::Pending
            }
        }
    })
    .await
}

async fn in_turn(addresses: Vec<SocketAddr>, patience: Duration) -> io::Result<TcpStream> {
    let each = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}
