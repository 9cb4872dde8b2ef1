//! Starts the emulator with the options of the flags.

use super::args::{Args, Tls};
use super::{own_file, request_log, wrong};
use crate::failure::Failure;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use tokenwell::Status;
use tokenwell::emulator::{Certificate, Emulator, EmulatorOptions, Seed};
use tokenwell::error::{Error, os_reason, printable, printable_path};
use url::Url;

/// Starts the emulator and writes the certificate of its authority.
pub(super) fn start(args: &Args) -> Result<Emulator, Failure> {
    if let Some(file) = &args.ca_file {
        own_file::check_certificate(file)?;
    }
    let place = Place::of(args)?;
    let certificate = certificate(args, &place)?;
    let options = EmulatorOptions {
        address: place.address.ip(),
        port: place.address.port(),
        public_url: public_url(args, &place, certificate.is_some())?,
        allow_hosts: args.allow_host.clone(),
        seed: args.seed.as_deref().map(seed).transpose()?,
        certificate,
        token_lifetime_s: args.token_lifetime,
        token_cap: args.token_cap,
        rate_limit: (!args.no_rate_limit).then_some(args.rate_limit),
        log: request_log::open(args)?,
    };
    let emulator = Emulator::start(options).map_err(|error| {
        let flag = if args.listen.is_some() { "--listen" } else { "--port" };
        wrong(flag, format!("cannot listen on {}: {}", place.address, os_reason(&error)), "Choose another port, or 0 to select a free one.")
    })?;
    if let (Some(file), Some(pem)) = (&args.ca_file, emulator.ca_pem()) {
        std::fs::write(file, pem).map_err(|error| {
            Failure::new(
                Status::CannotWrite,
                format!("cannot write {} (--ca-file): {}", printable_path(file), os_reason(&error)),
                "Name a file in a writable directory.",
            )
        })?;
    }
    Ok(emulator)
}

/// Where to listen.
struct Place {
    address: SocketAddr,
    /// The host of `--listen`, if it is a name.
    name: Option<String>,
}

impl Place {
    fn of(args: &Args) -> Result<Self, Failure> {
        const HINT: &str = "Write an address and a port, for example 0.0.0.0:8443 or [::1]:0.";
        let Some(listen) = &args.listen else {
            return Ok(Self { address: (Ipv4Addr::LOCALHOST, args.port).into(), name: None });
        };
        if let Ok(address) = listen.parse() {
            return Ok(Self { address, name: None });
        }
        let cannot = |problem: String| wrong("--listen", format!("{}: {problem}", printable(listen, 200)), HINT);
        let name = listen.rsplit_once(':').map(|(name, _)| name).filter(|name| !name.is_empty() && !name.contains(':'));
        let name = name.ok_or_else(|| cannot("it is not HOST:PORT".to_owned()))?;
        let mut addresses = listen.to_socket_addrs().map_err(|error| cannot(os_reason(&error)))?;
        let address = addresses.next().ok_or_else(|| cannot("the name has no address".to_owned()))?;
        Ok(Self { address, name: Some(name.to_owned()) })
    }
}

/// A client refuses to send a secret without TLS, except to loopback.
fn certificate(args: &Args, place: &Place) -> Result<Option<Certificate>, Failure> {
    let is_loopback = place.address.ip().is_loopback();
    let kind = match args.tls {
        Some(Tls::Loopback) => Some(Certificate::Loopback),
        Some(Tls::WrongName) => Some(Certificate::WrongName),
        Some(Tls::Expired) => Some(Certificate::Expired),
        None if is_loopback => None,
        None => Some(Certificate::Loopback),
    };
    match (kind.is_some(), &args.ca_file) {
        (true, None) => {
            let why =
                if args.tls.is_some() { String::new() } else { format!(": {} is not loopback, which implies --tls", place.address.ip()) };
            let problem = format!("requires --ca-file{why}");
            Err(wrong("--tls", problem, "Add --ca-file FILE: the certificate of the authority that clients must trust.").into())
        }
        (false, Some(_)) => Err(wrong("--ca-file", "requires --tls", "Add --tls, or leave out --ca-file.").into()),
        _ => Ok(kind),
    }
}

/// The URL of `--public-url`, or that of a listening address that is a name.
fn public_url(args: &Args, place: &Place, tls: bool) -> Result<Option<String>, Failure> {
    const HINT: &str = "Write scheme and host, for example https://atlas.test:8443.";
    if let Some(text) = &args.public_url {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let is_base = |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if !url.as_ref().is_some_and(is_base) {
            return Err(wrong("--public-url", format!("{} is not a base URL", printable(text, 200)), HINT).into());
        }
        return Ok(Some(text.clone()));
    }
    let scheme = if tls { "https" } else { "http" };
    match &place.name {
        Some(_) if place.address.port() == 0 => {
            Err(wrong("--listen", "a name requires a port other than 0", "Choose a port, or write an address.").into())
        }
        Some(name) => Ok(Some(format!("{scheme}://{name}:{}", place.address.port()))),
        None if place.address.ip().is_unspecified() => {
            let problem = format!("{} is every address of this machine, and clients need one", place.address.ip());
            Err(wrong("--listen", problem, "Add --public-url URL, for example --public-url https://atlas.test:8443.").into())
        }
        None => Ok(None),
    }
}

fn seed(path: &Path) -> Result<Seed, Failure> {
    let shown = printable_path(path);
    let document = std::fs::read_to_string(path).map_err(|error| {
        wrong(
            "--seed",
            format!("cannot read {shown}: {}", os_reason(&error)),
            "Name a readable JSON file (docs/emulator.md, section Seed).",
        )
    })?;
    Seed::parse(&document).map_err(|error| match error {
        Error::InvalidArgument { problem, hint, .. } => wrong("--seed", format!("{shown}: {problem}"), &hint).into(),
        error => error.into(),
    })
}
