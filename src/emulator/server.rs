//! The thread that listens, and how it is stopped.

use super::connection::{self, Link};
use super::world::World;
use super::{EmulatorOptions, routes, tls};
use parking_lot::Mutex;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// What every connection needs.
pub(super) struct Shared {
    pub(super) world: Mutex<World>,
    pub(super) base_url: String,
    pub(super) log: Option<fn(&str)>,
}

/// The running thread. Dropping it closes the listener and every connection, then waits for the thread, which waits for nothing.
pub(super) struct Server {
    pub(super) ca_pem: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn start(options: EmulatorOptions) -> io::Result<(Arc<Shared>, Server)> {
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (acceptor, ca_pem) = options.certificate.map(tls::acceptor).transpose()?.unzip();
    let scheme = if acceptor.is_some() { "https" } else { "http" };

    let shared = Arc::new(Shared { base_url: format!("{scheme}://{address}"), log: options.log, world: Mutex::new(World::new(options)) });
    let (stop, stopped) = oneshot::channel();
    let (report, started) = mpsc::channel();
    let thread = Builder::new().name("tokenwell-emulator".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || run(listener, acceptor, shared, stopped, &report)
    })?;
    started.recv().map_err(io::Error::other)??;
    Ok((shared, Server { ca_pem, stop: Some(stop), thread: Some(thread) }))
}

fn run(
    listener: StdListener,
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
        match TcpListener::from_std(listener) {
            Ok(listener) => {
                // The starter waits for this; if it is gone, so is the other end of `stopped`.
                let _ = report.send(Ok(()));
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, acceptor, shared) => {}
                }
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
                let link = Arc::new(Link::new(Arc::clone(&shared), router.clone(), peer));
                tokio::spawn(connection::serve(socket, acceptor.clone(), link));
            }
            // Out of file descriptors, mostly: others close theirs in a moment, and asking at once again would only spin.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

impl Shared {
    /// Hands a line to the log, if there is one.
    pub(super) fn log(&self, peer: SocketAddr, method: &str, path: &str, outcome: &str) {
        if let Some(log) = self.log {
            log(&format!("{} {method} {path} {outcome}", peer.ip()));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only when the thread is gone already.
        let _ = self.stop.take().map(|stop| stop.send(()));
        // A panic there has been printed; there is nothing to add to it here.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
