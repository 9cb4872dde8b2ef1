//! `--metrics`: the figures of a sink in the format of OpenMetrics, for a collector that reads files.

use super::file::SinkFile;
use crate::failure::Failure;
use crate::output;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tokenwell::Token;

/// The metrics contain no secret, and the collector is another user.
const MODE: u32 = 0o644;

#[derive(Clone, Copy, Default)]
struct Figures {
    renewals: u64,
    failures: u64,
    expires_at: Option<SystemTime>,
    last_success: Option<SystemTime>,
}

pub(super) struct Metrics {
    file: SinkFile,
    figures: Figures,
    /// Whether the last write failed, which was reported.
    is_broken: bool,
}

impl Metrics {
    pub(super) fn at(path: &Path) -> Result<Self, Failure> {
        let file = SinkFile::at(path, MODE)?;
        file.check_writable()?;
        let mut metrics = Self { file, figures: Figures::default(), is_broken: false };
        metrics.write();
        Ok(metrics)
    }

    pub(super) fn renewed(&mut self, token: &Token) {
        let figures = &mut self.figures;
        figures.renewals += 1;
        (figures.expires_at, figures.last_success) = (Some(token.expires_at()), Some(SystemTime::now()));
        self.write();
    }

    pub(super) fn failed(&mut self) {
        self.figures.failures += 1;
        self.write();
    }

    /// A failure does not stop the sink, and is reported once.
    fn write(&mut self) {
        let written = self.file.replace(self.figures.to_open_metrics().as_bytes());
        if let (Err(Failure::Own { problem, .. }), false) = (&written, self.is_broken) {
            output::warning(&format!("--metrics: {problem}; the sink continues"));
        }
        self.is_broken = written.is_err();
    }
}

impl Figures {
    fn to_open_metrics(self) -> String {
        let mut page = String::new();
        let seconds = |time: Option<SystemTime>| time.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
        let mut gauge = |name: &str, help: &str, value: Option<u64>| {
            let _ = write!(page, "# TYPE {name} gauge\n# UNIT {name} seconds\n# HELP {name} {help}\n");
            if let Some(value) = value {
                let _ = writeln!(page, "{name} {value}");
            }
        };
        gauge("tokenwell_sink_token_expiry_timestamp_seconds", "When the token in the files expires.", seconds(self.expires_at));
        gauge("tokenwell_sink_last_success_timestamp_seconds", "When the files were last replaced.", seconds(self.last_success));
        let mut counter = |name: &str, help: &str, value: u64| {
            let _ = write!(page, "# TYPE {name} counter\n# HELP {name} {help}\n{name}_total {value}\n");
        };
        counter("tokenwell_sink_renewals", "How often the files were replaced.", self.renewals);
        counter("tokenwell_sink_failures", "How many attempts to replace them failed.", self.failures);
        page.push_str("# EOF\n");
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_page_ends_with_eof_and_omits_what_is_not_known() {
        let page = Figures::default().to_open_metrics();
        assert!(page.ends_with("tokenwell_sink_failures_total 0\n# EOF\n") && !page.contains("\ntokenwell_sink_token_expiry"), "{page}");

        let at = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        let page = Figures { renewals: 2, failures: 1, expires_at: at(17), last_success: at(16) }.to_open_metrics();
        assert!(page.contains("\ntokenwell_sink_token_expiry_timestamp_seconds 17\n"), "{page}");
        assert!(page.contains("\ntokenwell_sink_renewals_total 2\n"), "{page}");
    }
}
