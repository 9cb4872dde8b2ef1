//! Reads the certificate authorities that the operating system trusts.
//!
//! No environment variable is read here. `rustls_native_certs::load_native_certs` reads
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` each time it is called, so it is not used.

use rustls::pki_types::CertificateDer;

/// The certificates, and what kept others from being read.
#[derive(Debug, Default)]
pub(crate) struct SystemAuthorities {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) problems: Vec<String>,
}

/// Returns the authorities in the first bundle and in all directories of this list that exist:
/// Linux distributions, Android and the BSDs differ in where they keep them.
#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) fn system_authorities() -> SystemAuthorities {
    use rustls_native_certs::load_certs_from_paths;
    use std::path::Path;

    const BUNDLES: &[&str] = if cfg!(any(target_os = "linux", target_os = "android")) {
        &[
            // Debian, Ubuntu, Arch, Gentoo.
            "/etc/ssl/certs/ca-certificates.crt",
            // Fedora, RHEL.
            "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            "/etc/pki/tls/certs/ca-bundle.crt",
            // openSUSE.
            "/etc/ssl/ca-bundle.pem",
            "/etc/pki/tls/cacert.pem",
            // Alpine.
            "/etc/ssl/cert.pem",
            "/opt/etc/ssl/certs/ca-certificates.crt",
        ]
    } else {
        &[
            // FreeBSD, DragonFly.
            "/usr/local/etc/ssl/cert.pem",
            "/usr/local/share/certs/ca-root-nss.crt",
            // OpenBSD.
            "/etc/ssl/cert.pem",
            // NetBSD.
            "/etc/openssl/certs/ca-certificates.crt",
            // Solaris, illumos.
            "/etc/certs/ca-certificates.crt",
            "/etc/ssl/cacert.pem",
        ]
    };
    const DIRECTORIES: &[&str] = if cfg!(any(target_os = "linux", target_os = "android")) {
        &["/etc/ssl/certs", "/etc/pki/tls/certs"]
    } else {
        &["/etc/ssl/certs", "/usr/local/share/certs", "/etc/certs/CA"]
    };
    let bundle = BUNDLES.iter().map(Path::new).find(|path| path.exists());
    let mut directories = DIRECTORIES.iter().map(Path::new).filter(|path| path.is_dir());

    let mut found = SystemAuthorities::default();
    let mut add = |file: Option<&Path>, directory: Option<&Path>| {
        let loaded = load_certs_from_paths(file, directory);
        found.certificates.extend(loaded.certs);
        found.problems.extend(loaded.errors.iter().map(|error| crate::error::without_os_number(&error.to_string())));
    };
    // Together, because links in the first directory lead to the bundle, which is then read once.
    add(bundle, directories.next());
    directories.for_each(|directory| add(None, Some(directory)));
    found
}

/// Returns the authorities of the keychains. The settings of the user override those of the
/// administrator, which override those of the system.
#[cfg(target_os = "macos")]
pub(crate) fn system_authorities() -> SystemAuthorities {
    use security_framework::trust_settings::{Domain, TrustSettings, TrustSettingsForCertificate as Setting};
    use std::collections::BTreeMap;

    let mut found = SystemAuthorities::default();
    let mut known = BTreeMap::new();
    for domain in [Domain::User, Domain::Admin, Domain::System] {
        let settings = TrustSettings::new(domain);
        let certificates = match settings.iter() {
            Ok(certificates) => certificates,
            Err(problem) => {
                found.problems.push(format!("cannot read the trust settings of a keychain: {problem}"));
                continue;
            }
        };
        for certificate in certificates {
            match settings.tls_trust_settings_for_certificate(&certificate) {
                // A certificate without settings is trusted as a root.
                Ok(setting) => {
                    let trusted = matches!(setting, None | Some(Setting::TrustRoot | Setting::TrustAsRoot));
                    known.entry(certificate.to_der()).or_insert(trusted);
                }
                Err(problem) => found.problems.push(format!("cannot read the trust settings of a certificate: {problem}")),
            }
        }
    }
    found.certificates = known.into_iter().filter(|(_, trusted)| *trusted).map(|(der, _)| CertificateDer::from(der)).collect();
    found
}

/// Returns the authorities for server authentication in the store `ROOT` of the user, which
/// includes that of the machine.
#[cfg(windows)]
pub(crate) fn system_authorities() -> SystemAuthorities {
    use schannel::cert_context::ValidUses;
    use schannel::cert_store::CertStore;

    const SERVER_AUTHENTICATION: &str = "1.3.6.1.5.5.7.3.1";
    let mut found = SystemAuthorities::default();
    match CertStore::open_current_user("ROOT") {
        Err(error) => found.problems.push(format!("cannot open the certificate store ROOT: {}", crate::error::os_reason(&error))),
        Ok(store) => {
            let usable = store.certs().filter(|certificate| {
                let for_servers = match certificate.valid_uses() {
                    Ok(ValidUses::All) => true,
                    Ok(ValidUses::Oids(uses)) => uses.iter().any(|each| each == SERVER_AUTHENTICATION),
                    Err(_) => false,
                };
                for_servers && certificate.is_time_valid().unwrap_or(false)
            });
            found.certificates = usable.map(|certificate| CertificateDer::from(certificate.to_der().to_vec())).collect();
        }
    }
    found
}
