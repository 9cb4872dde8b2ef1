//! The metrics of an audit, for a textfile directory. They have no timestamps, and what is unknown has no
//! metric.

use super::findings::Audited;
use crate::failure::Failure;
use crate::sink::file::SinkFile;
use std::fmt::Write as _;
use std::path::Path;
use tokenwell::Status;
use tokenwell::admin::service_accounts::milliseconds;
use tokenwell::error::printable_path;

/// The file, if it can be written. Other users read it.
pub(super) fn checked(path: &Path) -> Result<SinkFile, Failure> {
    if path.extension().is_none_or(|extension| extension != "prom") {
        return Err(Failure::new(
            Status::InvalidArgument,
            format!("--metrics: `{}` does not end in .prom", printable_path(path)),
            "The textfile collector reads only files with this extension.",
        ));
    }
    let file = SinkFile::at(path, 0o644)?;
    file.check_writable()?;
    Ok(file)
}

/// The metrics in the text format of Prometheus. Only an audit that succeeded writes them, so the time of
/// the last success is the time of this one.
pub(super) fn render(audited: &[Audited], now_ms: u64) -> String {
    let mut metrics = String::new();
    let mut family = |name: &str, help: &str, samples: Vec<(String, u64)>| {
        let _ = write!(metrics, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        for (labels, value) in samples {
            let _ = writeln!(metrics, "{name}{labels} {value}");
        }
    };
    let label =
        |account: &Audited| format!("client_id=\"{}\",name=\"{}\"", escaped(&account.account.client_id), escaped(&account.account.name));
    let ends = audited.iter().flat_map(|account| {
        let secrets = account.account.secrets.iter().filter_map(|secret| Some((secret, milliseconds(secret.expires_at.as_deref()?)?)));
        secrets.map(move |(secret, end)| (format!("{{{},secret_id=\"{}\"}}", label(account), escaped(&secret.id)), end / 1000))
    });
    family("tokenwell_sa_secret_expiry_timestamp_seconds", "When a secret of a service account ends.", ends.collect());
    let entries = audited.iter().filter_map(|account| Some((format!("{{{}}}", label(account)), account.list.as_ref().ok()?.len() as u64)));
    family(
        "tokenwell_sa_access_list_entries",
        "Entries of the API access list. No sample if the list could not be read.",
        entries.collect(),
    );
    let findings = audited.iter().flat_map(|account| {
        let mut kinds: Vec<_> = account.findings.iter().map(|finding| finding.kind.name()).collect();
        kinds.sort_unstable();
        let mut counted: Vec<(&str, u64)> = Vec::new();
        for kind in kinds {
            match counted.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => counted.push((kind, 1)),
            }
        }
        counted.into_iter().map(move |(kind, count)| (format!("{{{},kind=\"{kind}\"}}", label(account)), count))
    });
    family("tokenwell_sa_findings", "Findings of the audit.", findings.collect());
    family("tokenwell_sa_audit_last_success_timestamp_seconds", "When the last audit ended.", vec![(String::new(), now_ms / 1000)]);
    metrics
}

/// The value of a label: a backslash, a quotation mark and a newline are escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
