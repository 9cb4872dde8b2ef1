//! TLS settings and the trusted certificate authorities.

use super::signatures;
use crate::config::Authorities;
use crate::error::{Error, Exchange, os_reason, printable, without_os_number};
use crate::platform;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::{CertificateResult, load_certs_from_paths};
use std::path::{Path, PathBuf};

impl Authorities {
    /// A description for messages and reports.
    pub(super) fn description(&self) -> String {
        match self {
            Self::File(file) => printable(&file.to_string_lossy(), 1024),
            Self::Environment { file, directories } => {
                let paths = file.iter().chain(directories).map(|path| printable(&path.to_string_lossy(), 1024));
                format!("{} (SSL_CERT_FILE, SSL_CERT_DIR)", paths.collect::<Vec<_>>().join(", "))
            }
            Self::Pem(_) => "the certificates in ca_pem".to_owned(),
            Self::System => "the system's certificate store".to_owned(),
        }
    }

    /// TLS 1.2 and 1.3 with these authorities. Session keys are never logged, even if
    /// `SSLKEYLOGFILE` is set, and sessions are not resumed.
    pub(super) fn tls(&self, server: &str) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::builder_with_provider(signatures::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(format!("the TLS provider has no usable protocol version: {error}")))?
            .with_root_certificates(self.roots(server)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Reports an unusable `ca_file` or `ca_pem` when the client is created, instead of at the first token
    /// request.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Self::File(_) | Self::Pem(_) => self.roots("").map(|_| ()),
            Self::Environment { .. } | Self::System => Ok(()),
        }
    }

    fn roots(&self, server: &str) -> Result<RootCertStore, Error> {
        let (certificates, problems) = match self {
            Self::File(file) => (one_file(file)?, Vec::new()),
            Self::Environment { file, directories } => from_environment(file.as_deref(), directories),
            Self::Pem(pem) => (certificates_in(pem)?, Vec::new()),
            Self::System => {
                let system = platform::system_authorities();
                (system.certificates, system.problems)
            }
        };
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(certificates);
        match self {
            Self::File(file) if unusable > 0 => Err(bad_file(file, "contains a certificate that cannot be used")),
            Self::Pem(_) if unusable > 0 => Err(bad_pem("contains a certificate that cannot be used")),
            _ if roots.is_empty() => Err(Error::Tls {
                server: server.to_owned(),
                problem: format!("no trusted certificate authority found{}", self.searched(&problems)),
                advice: self.install_authorities(),
                source: None,
                exchange: Exchange::default(),
            }),
            _ => Ok(roots),
        }
    }

    fn install_authorities(&self) -> String {
        let own = match self {
            Self::Environment { .. } => "Correct or unset SSL_CERT_FILE and SSL_CERT_DIR",
            Self::File(_) | Self::Pem(_) | Self::System => "Install the CA certificates of the system (package ca-certificates)",
        };
        format!("{own}, or set ca_file (TOKENWELL_CA_FILE) to a PEM file with the authority of this server.")
    }

    fn searched(&self, problems: &[String]) -> String {
        let source = match self {
            Self::File(_) | Self::Pem(_) => "",
            Self::Environment { .. } => " in SSL_CERT_FILE and SSL_CERT_DIR",
            Self::System => " in the system's certificate store",
        };
        problems.first().map_or_else(|| source.to_owned(), |problem| format!("{source}: {problem}"))
    }
}

/// The certificates in `file`. All of them must be readable, because the file is configured
/// explicitly.
fn one_file(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    match std::fs::metadata(file) {
        Err(error) => return Err(bad_file(file, &format!("cannot be opened: {}", os_reason(&error)))),
        // Opening a named pipe blocks until another process writes to it.
        Ok(metadata) if !metadata.is_file() => return Err(bad_file(file, "is not a regular file")),
        Ok(_) => {}
    }
    let (certificates, problems) = parts(load_certs_from_paths(Some(file), None));
    match problems.first() {
        Some(problem) => Err(bad_file(file, &format!("cannot be read as PEM: {problem}"))),
        None if certificates.is_empty() => Err(bad_file(file, "contains no PEM certificate")),
        None => Ok(certificates),
    }
}

/// The certificates in the setting `ca_pem`. All of them must be readable.
fn certificates_in(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match certificates {
        Err(_) => Err(bad_pem("cannot be read as PEM")),
        Ok(certificates) if certificates.is_empty() => Err(bad_pem("contains no PEM certificate")),
        Ok(certificates) => Ok(certificates),
    }
}

/// The usable certificates in the file and the directories. Unreadable files are reported and
/// skipped.
fn from_environment(file: Option<&Path>, directories: &[PathBuf]) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let sources =
        file.map(|file| (Some(file), None)).into_iter().chain(directories.iter().map(|directory| (None, Some(directory.as_path()))));
    let mut all = (Vec::new(), Vec::new());
    for (file, directory) in sources {
        let (certificates, problems) = parts(load_certs_from_paths(file, directory));
        all.0.extend(certificates);
        all.1.extend(problems);
    }
    all
}

fn parts(loaded: CertificateResult) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    (loaded.certs, loaded.errors.iter().map(|error| without_os_number(&error.to_string())).collect())
}

fn bad_file(file: &Path, problem: &str) -> Error {
    Error::NotConfigured {
        problem: format!("ca_file: `{}` {problem}", printable(&file.to_string_lossy(), 1024)),
        hint: "Set ca_file (TOKENWELL_CA_FILE) to a PEM file with the certificate of the authority that signs the server's certificate, or remove it to trust the system's authorities."
            .to_owned(),
    }
}

fn bad_pem(problem: &str) -> Error {
    Error::NotConfigured {
        problem: format!("ca_pem {problem}"),
        hint: "Set ca_pem (TOKENWELL_CA_PEM) to the PEM certificate of the authority that signs the server's certificate, with its line breaks, or remove it to trust the system's authorities."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::{Config, ConfigBuilder};
    use crate::error::Status;
    use crate::grant::test_server::authority;

    const SERVER: &str = "https://a.example";

    fn with(builder: ConfigBuilder) -> Authorities {
        builder.client_id("mdb_sa_id_1").client_secret("secret").build().unwrap().authorities
    }

    fn variables(environment: &[(&'static str, &Path)]) -> ConfigBuilder {
        let environment: Vec<_> = environment.iter().map(|(name, path)| (*name, path.as_os_str().to_owned())).collect();
        Config::builder().environment(move |name| environment.iter().find(|(set, _)| *set == name).map(|(_, path)| path.clone()))
    }

    fn from_variables(environment: &[(&'static str, &Path)]) -> Authorities {
        with(variables(environment).from_environment(false))
    }

    #[test]
    fn a_configured_file_is_the_only_source() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, authority().pem()).unwrap();

        let named = with(variables(&[("SSL_CERT_FILE", Path::new("/not/read"))]).ca_file(&file));

        assert!(matches!(&named, Authorities::File(path) if *path == file), "{named:?}");
        assert_eq!(named.roots(SERVER).unwrap().len(), 1);
    }

    #[test]
    fn an_unusable_configured_file_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("empty.pem"), "").unwrap();
        std::fs::write(path("no-pem.pem"), "no certificate here\n").unwrap();
        std::fs::write(path("torn.pem"), "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
        std::fs::write(path("junk.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        std::fs::create_dir(path("directory.pem")).unwrap();

        for name in ["missing.pem", "empty.pem", "no-pem.pem", "torn.pem", "junk.pem", "directory.pem"] {
            let authorities = Authorities::File(path(name));

            for error in [authorities.check().unwrap_err(), authorities.tls(SERVER).unwrap_err()] {
                assert_eq!(error.status(), Status::NotConfigured, "{name}");
                let message = error.to_string();
                assert!(message.starts_with("ca_file: ") && message.contains(name), "{message}");
            }
        }
    }

    #[test]
    fn ssl_cert_file_and_ssl_cert_dir_are_honored() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("one.pem");
        std::fs::write(&file, authority().pem()).unwrap();

        assert_eq!(from_variables(&[("SSL_CERT_FILE", &file)]).roots(SERVER).unwrap().len(), 1);
        assert_eq!(from_variables(&[("SSL_CERT_DIR", directory.path())]).roots(SERVER).unwrap().len(), 1);
    }

    #[test]
    fn empty_variables_are_not_set() {
        for empty in ["", " "] {
            let (file, directory) = (("SSL_CERT_FILE", Path::new(empty)), ("SSL_CERT_DIR", Path::new(empty)));

            for environment in [&[file][..], &[directory], &[file, directory]] {
                assert_eq!(from_variables(environment), Authorities::System, "{environment:?}");
            }
        }
    }

    #[test]
    fn r6_a_relative_path_does_not_change_with_the_working_directory() {
        let here = std::env::current_dir().unwrap();

        assert_eq!(with(Config::builder().ca_file("ca.pem")), Authorities::File(here.join("ca.pem")));
        let Authorities::Environment { file, directories } =
            from_variables(&[("SSL_CERT_FILE", Path::new("ca.pem")), ("SSL_CERT_DIR", Path::new("certs"))])
        else {
            panic!("the variables were not used");
        };
        assert_eq!((file, directories), (Some(here.join("ca.pem")), vec![here.join("certs")]));
    }

    #[test]
    fn r5_the_authorities_of_the_system_can_be_chosen_against_the_environment() {
        let hostile = || variables(&[("SSL_CERT_FILE", Path::new("/hostile.pem")), ("SSL_CERT_DIR", Path::new("/hostile"))]);

        for builder in [hostile().ca_file("system"), hostile().ca_system(), hostile().from_environment(false).without_environment()] {
            assert_eq!(with(builder), Authorities::System);
        }
        let privileged = hostile().client_id("mdb_sa_id_1").client_secret("secret").built_as_privileged().unwrap();
        assert_eq!(privileged.authorities, Authorities::System);
    }

    #[test]
    fn ca_pem_is_the_only_source_and_is_checked_when_the_client_is_created() {
        let authority = authority();
        let pem = authority.pem();
        let authorities = with(Config::builder().ca_pem(pem));

        assert_eq!(authorities.roots(SERVER).unwrap().len(), 1);
        assert_eq!(with(Config::builder().ca_pem(format!("{pem}{pem}"))).roots(SERVER).unwrap().len(), 2);
        for torn in ["-----BEGIN CERTIFICATE-----\nMIIB\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let error = with(Config::builder().ca_pem(torn)).check().unwrap_err();
            assert!(error.status() == Status::NotConfigured && error.to_string().starts_with("ca_pem "), "{error}");
        }
    }

    #[test]
    fn an_environment_without_authorities_is_an_error_that_names_the_searched_sources() {
        let error = from_variables(&[("SSL_CERT_FILE", Path::new("/nonexistent/ca.pem"))]).tls(SERVER).unwrap_err();

        assert_eq!(error.status(), Status::Tls);
        let message = error.to_string();
        assert!(message.contains("SSL_CERT_FILE") && message.contains("/nonexistent/ca.pem"), "{message}");
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
