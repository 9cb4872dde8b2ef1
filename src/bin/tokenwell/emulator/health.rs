//! `--health`: a health check for containers without curl or a shell.

use super::wrong;
use crate::failure::Failure;
use crate::output;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokenwell::Status;
use tokenwell::error::{os_reason, printable, printable_path};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(5);
/// No status line is longer.
const LONGEST: usize = 4096;

/// Prints `ok` if the emulator at `url` serves.
pub(super) fn check(url: &str, ca_file: Option<&Path>) -> Result<(), Failure> {
    let shown = printable(url, 200);
    let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some((url, host)) = parsed.as_ref().and_then(|url| Some((url, url.host_str()?))) else {
        return Err(wrong(
            "--health",
            format!("{shown} is not a URL"),
            "Write the base URL of the emulator, for example http://127.0.0.1:8080.",
        )
        .into());
    };
    let authority = match (url.scheme(), ca_file) {
        ("https", Some(file)) => Some(authority(file)?),
        ("https", None) => return Err(wrong("--health", "https requires --ca-file", "Add the --ca-file of the emulator.").into()),
        _ => None,
    };
    let status = status(url, host, authority).map_err(|error| {
        let hint = "Check that the emulator is running and that the URL is its base URL.";
        Failure::new(Status::Network, format!("no answer from {shown}: {}", os_reason(&error)), hint)
    })?;
    if status != "200" {
        let problem = format!("{shown} answered with {}", printable(&status, 40));
        return Err(Failure::new(Status::Server, problem, "Check that the URL is the base URL of an emulator."));
    }
    output::line("ok")
}

fn authority(file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let cannot = |problem: String| {
        wrong("--ca-file", format!("cannot use {}: {problem}", printable_path(file)), "Name the file that the emulator wrote.")
    };
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file).map_err(|error| match error {
        pem::Error::Io(error) => cannot(os_reason(&error)),
        other => cannot(other.to_string()),
    })?;
    roots.add(certificate).map_err(|error| cannot(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| cannot(error.to_string()))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// The status code of the answer.
fn status(url: &Url, host: &str, authority: Option<Arc<ClientConfig>>) -> io::Result<String> {
    let port = url.port_or_known_default().unwrap_or_default();
    let bare = host.trim_matches(['[', ']']);
    let mut problem = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (bare, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(socket) => {
                socket.set_read_timeout(Some(TIMEOUT))?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                let Some(config) = authority else { return answer(socket, host, port) };
                let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
                let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
                return answer(StreamOwned::new(connection, socket), host, port);
            }
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

fn answer(mut stream: impl Read + Write, host: &str, port: u16) -> io::Result<String> {
    write!(stream, "GET /_emulator/health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n")?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    // The status line is enough.
    while !answer.contains(&b'\n') && answer.len() < LONGEST {
        match stream.read(&mut part)? {
            0 => break,
            length => answer.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    let line = String::from_utf8_lossy(&answer);
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.split([' ', '\r']).next());
    status.map(str::to_owned).ok_or_else(|| io::Error::other("it does not speak HTTP"))
}
