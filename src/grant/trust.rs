//! Whom to believe: the TLS settings, and the authorities that may sign a server's certificate.

use crate::error::{Error, printable};
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths, load_native_certs};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the trusted authorities come from. Which it is gets settled once; the files are read anew for each token, so that an
/// authority that is added or withdrawn counts from then on.
#[derive(Clone, Debug)]
pub(super) enum Authorities {
    /// The file that the setting `ca_file` names, and nothing beside it.
    File(PathBuf),
    /// What `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    Environment { file: Option<PathBuf>, directories: Vec<PathBuf> },
    /// The operating system's own.
    System,
}

impl Authorities {
    /// Reads the environment here and not when a token is due: that happens on a thread of its own, and reading the
    /// environment while the program changes it is not safe in C.
    pub(super) fn settle(ca_file: Option<&Path>, variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        if let Some(file) = ca_file {
            return Self::File(file.to_owned());
        }
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let file = set("SSL_CERT_FILE").map(PathBuf::from);
        let directories: Vec<PathBuf> = set("SSL_CERT_DIR")
            .map(|paths| std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        if file.is_none() && directories.is_empty() { Self::System } else { Self::Environment { file, directories } }
    }

    /// In words, for people.
    pub(super) fn described(&self) -> String {
        match self {
            Self::File(file) => printable(&file.to_string_lossy(), 1024),
            Self::Environment { file, directories } => {
                let paths = file.iter().chain(directories).map(|path| printable(&path.to_string_lossy(), 1024));
                format!("{} (SSL_CERT_FILE, SSL_CERT_DIR)", paths.collect::<Vec<_>>().join(", "))
            }
            Self::System => "the system's".to_owned(),
        }
    }

    /// TLS 1.2 and 1.3 with these authorities. The keys of a session are never logged, whatever `SSLKEYLOGFILE` says, and no session is kept.
    pub(super) fn tls(&self, server: &str) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(format!("the TLS provider has no usable protocol version: {error}")))?
            .with_root_certificates(self.roots(server)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Tells of a named file that is of no use when the client is made, and not an hour later.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::File(_) => self.roots("").map(|_| ()),
            Self::Environment { .. } | Self::System => Ok(()),
        }
    }

    fn roots(&self, server: &str) -> Result<RootCertStore, Error> {
        let (certificates, problems) = match self {
            Self::File(file) => (one_file(file)?, Vec::new()),
            Self::Environment { file, directories } => from_environment(file.as_deref(), directories),
            Self::System => parts(load_native_certs()),
        };
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(certificates);
        match self {
            Self::File(file) if unusable > 0 => Err(bad_file(file, "holds a certificate that cannot be used")),
            _ if roots.is_empty() => Err(Error::Tls {
                server: server.to_owned(),
                problem: format!("there is no trusted certificate authority{}", self.looked_at(&problems)),
                source: None,
            }),
            _ => Ok(roots),
        }
    }

    fn looked_at(&self, problems: &[String]) -> String {
        let place = match self {
            Self::File(_) => "",
            Self::Environment { .. } => " where SSL_CERT_FILE and SSL_CERT_DIR point",
            Self::System => " in the system's store",
        };
        problems.first().map_or_else(|| place.to_owned(), |problem| format!("{place}: {problem}"))
    }
}

/// The certificates of `file`: all of them must be readable, because it was named.
fn one_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    match std::fs::metadata(file) {
        Err(error) => return Err(bad_file(file, &format!("cannot be opened: {error}"))),
        // Opening a pipe would wait for somebody to write to it.
        Ok(metadata) if !metadata.is_file() => return Err(bad_file(file, "is not a regular file")),
        Ok(_) => {}
    }
    let (certificates, problems) = parts(load_certs_from_paths(Some(file), None));
    match problems.first() {
        Some(problem) => Err(bad_file(file, &format!("cannot be read as PEM: {problem}"))),
        None if certificates.is_empty() => Err(bad_file(file, "holds no PEM certificate")),
        None => Ok(certificates),
    }
}

/// What can be used of the named places; one unreadable file in a directory of hundreds spoils nothing.
fn from_environment(file: Option<&Path>, directories: &[PathBuf]) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let places =
        file.map(|file| (Some(file), None)).into_iter().chain(directories.iter().map(|directory| (None, Some(directory.as_path()))));
    let mut all = (Vec::new(), Vec::new());
    for (file, directory) in places {
        let (certificates, problems) = parts(load_certs_from_paths(file, directory));
        all.0.extend(certificates);
        all.1.extend(problems);
    }
    all
}

fn parts(loaded: CertificateResult) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    (loaded.certs, loaded.errors.iter().map(ToString::to_string).collect())
}

fn bad_file(file: &Path, problem: &str) -> Error {
    Error::NotConfigured {
        problem: format!("ca_file: `{}` {problem}", printable(&file.to_string_lossy(), 1024)),
        hint: "Name a PEM file with the certificate of the authority that signs the server's, or leave ca_file (TOKENWELL_CA_FILE) out to trust the system's."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;
    use crate::grant::test_server::authority;

    const SERVER: &str = "https://a.example";

    fn settled(environment: &[(&str, &Path)]) -> Authorities {
        Authorities::settle(None, &|name| environment.iter().find(|(set, _)| *set == name).map(|(_, path)| path.as_os_str().to_owned()))
    }

    #[test]
    fn a_named_file_is_the_only_authority() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, authority().pem()).unwrap();

        let named = Authorities::settle(Some(&file), &|_| Some(OsString::from("/not/looked/at")));

        assert!(matches!(&named, Authorities::File(path) if *path == file), "{named:?}");
        assert_eq!(named.roots(SERVER).unwrap().len(), 1);
    }

    #[test]
    fn a_named_file_that_is_of_no_use_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("empty.pem"), "").unwrap();
        std::fs::write(path("text.pem"), "no certificate here\n").unwrap();
        std::fs::write(path("torn.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
        std::fs::write(path("junk.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        std::fs::create_dir(path("directory.pem")).unwrap();

        for name in ["missing.pem", "empty.pem", "text.pem", "torn.pem", "junk.pem", "directory.pem"] {
            let authorities = Authorities::File(path(name));

            for error in [authorities.check().unwrap_err(), authorities.tls(SERVER).unwrap_err()] {
                assert_eq!(error.status(), Status::NotConfigured, "{name}");
                let text = error.to_string();
                assert!(text.starts_with("ca_file: ") && text.contains(name), "{text}");
            }
        }
    }

    #[test]
    fn ssl_cert_file_and_ssl_cert_dir_are_honoured() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("one.pem");
        std::fs::write(&file, authority().pem()).unwrap();

        assert_eq!(settled(&[("SSL_CERT_FILE", &file)]).roots(SERVER).unwrap().len(), 1);
        assert_eq!(settled(&[("SSL_CERT_DIR", directory.path())]).roots(SERVER).unwrap().len(), 1);
    }

    #[test]
    fn an_environment_without_authorities_is_an_error_that_says_where_it_looked() {
        let error = settled(&[("SSL_CERT_FILE", Path::new("/nonexistent/ca.pem"))]).tls(SERVER).unwrap_err();

        assert_eq!(error.status(), Status::Tls);
        let text = error.to_string();
        assert!(text.contains("SSL_CERT_FILE") && text.contains("/nonexistent/ca.pem"), "{text}");
    }

    #[test]
    fn i9_the_keys_of_a_session_are_not_logged() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, authority().pem()).unwrap();

        let config = Authorities::File(file).tls(SERVER).unwrap();

        assert!(!config.key_log.will_log("CLIENT_RANDOM"));
        assert!(format!("{:?}", config.key_log).contains("NoKeyLog"), "{:?}", config.key_log);
    }
}
