//! The listening thread: start and stop.

use super::connection::{self, Connection};
use super::world::World;
use super::{EmulatorOptions, routes, tls};
use parking_lot::{Mutex, RwLock};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// The state that all connections share.
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    /// Held while a request is processed, which accesses the state several times. Locked before
    /// `world`.
    pub(super) no_reset: RwLock<()>,
    pub(super) base_url: String,
    pub(super) allow_hosts: Vec<String>,
    pub(super) log: Option<fn(&str)>,
}

/// The running thread. Dropping it closes the listener and every connection, then joins the thread.
/// The thread exits without waiting for open requests.
pub(super) struct Server {
    pub(super) ca_pem: Option<String>,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn start(options: EmulatorOptions) -> io::Result<(Arc<Shared>, Server)> {
    let (address, listeners) = listen(options.address, options.port)?;
    let (acceptor, ca_pem) = options.certificate.map(|kind| tls::acceptor(kind, &tls::names(&options))).transpose()?.unzip();
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let base_url = options.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));

    let shared = Arc::new(Shared {
        base_url: base_url.trim_end_matches('/').to_owned(),
        allow_hosts: options.allow_hosts.clone(),
        log: options.log,
        world: Mutex::new(World::new(options)),
        no_reset: RwLock::default(),
    });
    let (stop, stopped) = oneshot::channel();
    let (report, started) = mpsc::channel();
    let thread = Builder::new().name("tokenwell-emulator".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || run(listeners, acceptor, shared, stopped, &report)
    })?;
    started.recv().map_err(io::Error::other)??;
    Ok((shared, Server { ca_pem, address, stop: Some(stop), thread: Some(thread) }))
}

/// Binds the listeners. The first one determines the port.
fn listen(address: IpAddr, port: u16) -> io::Result<(SocketAddr, Vec<StdListener>)> {
    let first = StdListener::bind((address, port))?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    if address == Ipv4Addr::LOCALHOST {
        // For clients that resolve `localhost` to ::1 first. The port may be in use there, and a
        // machine may have no IPv6; 127.0.0.1 is in the base URL.
        listeners.extend(StdListener::bind((Ipv6Addr::LOCALHOST, bound.port())).ok());
    }
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    Ok((bound, listeners))
}

fn run(
    listeners: Vec<StdListener>,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
    report: &mpsc::Sender<io::Result<()>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    runtime.block_on(async {
        match listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<Vec<_>>>() {
            Ok(listeners) => {
                for listener in listeners {
                    tokio::spawn(accept(listener, acceptor.clone(), Arc::clone(&shared)));
                }
                // `start` waits for this report. If it no longer exists, the sender of `stopped` is
                // dropped too.
                let _ = report.send(Ok(()));
                let _ = stopped.await;
            }
            Err(error) => drop(report.send(Err(error))),
        }
    });
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let router = routes::router(Arc::clone(&shared));
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => {
                let connection = Arc::new(Connection::new(Arc::clone(&shared), router.clone(), peer));
                tokio::spawn(connection::serve(socket, acceptor.clone(), connection));
            }
            // Usually no file descriptor is available. Wait for other connections to close instead
            // of spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

impl Shared {
    /// Restores the initial state, when no request is being processed.
    pub(super) fn reset(&self) {
        let _no_request = self.no_reset.write();
        self.world.lock().reset();
    }

    /// Writes a line to the log, if one is set.
    pub(super) fn log(&self, peer: SocketAddr, method: &str, path: &str, outcome: &str) {
        if let Some(log) = self.log {
            log(&format!("{} {method} {path} {outcome}", peer.ip()));
        }
    }
}

impl Server {
    pub(super) fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if the thread has already exited.
        let _ = self.stop.take().map(|stop| stop.send(()));
        // The panic hook has already printed a panic of the thread.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
