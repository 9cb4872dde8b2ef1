//! The results of the checks, as a table, as JSON and as a report for a bug tracker.

use super::builds;
use super::host;
use super::redaction::redacted;
use crate::failure::{Failure, NO_CREDENTIAL};
use crate::style::Style;
use crate::terminal::{Cell, Stream, Table};
use std::time::{Duration, Instant, SystemTime};
use tokenwell::error::{Error, ExitCode, os_reason, printable};

/// The maximum length of a shown string. Paths are long, and the end of a message matters.
const MAX_LENGTH: usize = 2000;

/// The longest result of a failed check in the table; a longer one is below it.
const LONGEST_CELL: usize = 52;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Ok,
    Warn,
    Fail,
    Skip,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Ok => Style::Ok,
            Self::Warn => Style::Warn,
            Self::Fail => Style::Fail,
            Self::Skip => Style::Dim,
        }
    }
}

#[derive(Debug)]
struct Check {
    name: &'static str,
    level: Level,
    found: String,
    /// The sources without a credential, one a line.
    checked_sources: Vec<String>,
    advice: Option<String>,
    /// A stable name of the problem, for programs.
    finding: Option<&'static str>,
    took: Duration,
}

#[derive(Debug)]
pub(super) struct Report {
    checks: Vec<Check>,
    exit_code: Option<ExitCode>,
    /// What the checks have changed, as sentences without a subject: "requested a token".
    changes: Vec<String>,
    /// The source of each setting, without its value: "client_id: environment variable …".
    sources: Vec<String>,
    /// When the secret in use ends, and after how many seconds, if that is known.
    secret_end: Option<(String, u64)>,
    started: Instant,
    /// When the check in progress began: when the previous one ended.
    step: Instant,
}

impl Default for Report {
    fn default() -> Self {
        let now = Instant::now();
        Self { checks: Vec::new(), exit_code: None, changes: Vec::new(), sources: Vec::new(), secret_end: None, started: now, step: now }
    }
}

impl Report {
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Level::Ok, found, None);
    }

    pub(super) fn warn(&mut self, name: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Warn, found, Some(advice.into()));
    }

    /// A warning with a stable name, for programs.
    pub(super) fn warn_as(&mut self, name: &'static str, finding: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.warn(name, found, advice);
        if let Some(check) = self.checks.last_mut() {
            check.finding = Some(finding);
        }
    }

    /// When the secret ends, and after how many seconds.
    pub(super) fn secret_end(&mut self, at: &str, seconds: u64) {
        self.secret_end = Some((printable(at, 40), seconds));
    }

    pub(super) fn skip(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Level::Skip, found, None);
    }

    pub(super) fn fail(&mut self, name: &'static str, exit_code: ExitCode, found: impl Into<String>, advice: impl Into<String>) {
        self.exit_code.get_or_insert(exit_code);
        self.add(name, Level::Fail, found, Some(advice.into()));
    }

    pub(super) fn error(&mut self, name: &'static str, error: &Error) {
        if error.checked_sources().is_empty() {
            return self.fail(name, error.status().exit_code(), error.to_string(), error.hint());
        }
        self.fail(name, error.status().exit_code(), NO_CREDENTIAL, error.hint());
        if let Some(check) = self.checks.last_mut() {
            check.checked_sources = error.checked_sources().iter().map(|source| printable(source, MAX_LENGTH)).collect();
        }
    }

    pub(super) fn failure(&mut self, name: &'static str, failure: &Failure) {
        match failure {
            Failure::Library(error) | Failure::Late { error, .. } => self.error(name, error),
            Failure::Own { problem, hint, .. } => self.fail(name, failure.exit_code(), problem, hint),
            Failure::Reported { exit_code } => self.fail(name, *exit_code, "failed", ""),
            Failure::Output(error) => self.fail(name, failure.exit_code(), os_reason(error), ""),
        }
    }

    /// Makes an earlier check that was ok a warning, because a later check has found more.
    pub(super) fn reconsider(&mut self, name: &'static str, finding: &'static str, found: &str, advice: &str) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.name == name) {
            check.level = Level::Warn;
            check.finding = Some(finding);
            check.found = printable(found, MAX_LENGTH);
            check.advice = Some(printable(advice, MAX_LENGTH));
        }
    }

    pub(super) fn sources(&mut self, sources: impl Iterator<Item = String>) {
        self.sources = sources.map(|source| printable(&source, MAX_LENGTH)).collect();
    }

    pub(super) fn changed(&mut self, change: impl Into<String>) {
        self.changes.push(change.into());
    }

    /// The exit code of the first failure, or success.
    pub(super) fn exit_code(&self) -> ExitCode {
        self.exit_code.unwrap_or(ExitCode::Success)
    }

    pub(super) fn as_json(&self) -> String {
        let check = |check: &Check| {
            let mut object = serde_json::json!({
                "name": check.name,
                "level": check.level.name(),
                "found": check.found,
                "advice": check.advice,
                "finding": check.finding,
                "ms": milliseconds(check.took),
            });
            if !check.checked_sources.is_empty() {
                object["looked_at"] = check.checked_sources.as_slice().into();
            }
            object
        };
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "changes": self.changes,
            "secret_expires_at": self.secret_end.as_ref().map(|(at, _)| at),
            "secret_expires_in_seconds": self.secret_end.as_ref().map(|(_, seconds)| seconds),
            "summary": self.summary(),
            "ms": milliseconds(self.total()),
            "exit_code": self.exit_code().number(),
        })
        .to_string()
    }

    pub(super) fn as_text(&self) -> String {
        let mut table = Table::default();
        for check in &self.checks {
            let time = format!("{:>5} ms", milliseconds(check.took));
            table.row([Cell::styled(check.level.style(), check.level.name()), time.into(), check.name.into(), check.cell().into()]);
        }
        for check in self.checks.iter().filter(|check| matches!(check.level, Level::Warn | Level::Fail)) {
            table.explain(Cell::styled(check.level.style(), check.name), check.explanation());
        }
        format!("{}\n\n{}", table.render(Stream::Out), self.last_lines().join("\n"))
    }

    /// The report for a bug tracker. It can be published: see `redaction`.
    pub(super) fn as_bug_report(&self, client_id: Option<&str>) -> String {
        let mut lines = vec![
            builds::version(),
            format!("date: {}", humantime::format_rfc3339_seconds(SystemTime::now())),
            format!("system: {} {}", std::env::consts::OS, std::env::consts::ARCH),
            format!("kernel: {}", host::kernel()),
            format!("C library: {}", host::c_library()),
            format!("keyring: {}", if tokenwell::config::keyring::is_supported() { "supported" } else { "not in this build" }),
            String::new(),
        ];
        for check in &self.checks {
            let finding = check.finding.map(|finding| format!(" [{finding}]")).unwrap_or_default();
            lines.push(format!(
                "{:<4}  {:>5} ms  {:<14}{finding}  {}",
                check.level.name(),
                milliseconds(check.took),
                check.name,
                check.found
            ));
            lines.extend(check.checked_sources.iter().map(|source| format!("{:30}{source}", "")));
        }
        lines.push(String::new());
        lines.extend(self.sources.iter().cloned());
        lines.push(format!("variables: {}", host::set_variables()));
        lines.push(String::new());
        lines.extend(self.last_lines());
        let home = std::env::var("HOME").ok();
        redacted(&lines.join("\n"), client_id, home.as_deref())
    }

    fn last_lines(&self) -> Vec<String> {
        self.changes.iter().map(|change| format!("changed: {change}")).chain([self.summary()]).collect()
    }

    /// "all 9 checks are ok (120 ms)", "1 failed, 2 warnings, 6 ok, 3 skipped (120 ms)".
    fn summary(&self) -> String {
        let count = |level| self.checks.iter().filter(|check| check.level == level).count();
        let (failed, warnings, skipped) = (count(Level::Fail), count(Level::Warn), count(Level::Skip));
        let time = milliseconds(self.total());
        if failed + warnings + skipped == 0 {
            return format!("all {} checks are ok ({time} ms)", self.checks.len());
        }
        let warning = if warnings == 1 { "warning" } else { "warnings" };
        let parts = [(failed, "failed"), (warnings, warning), (count(Level::Ok), "ok"), (skipped, "skipped")];
        let parts: Vec<_> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
        format!("{} ({time} ms)", parts.join(", "))
    }

    fn total(&self) -> Duration {
        self.step.duration_since(self.started)
    }

    fn add(&mut self, name: &'static str, level: Level, found: impl Into<String>, advice: Option<String>) {
        let now = Instant::now();
        let took = now.duration_since(self.step);
        self.step = now;
        let advice = advice.filter(|advice| !advice.is_empty()).map(|advice| printable(&advice, MAX_LENGTH));
        let found = printable(&found.into(), MAX_LENGTH);
        self.checks.push(Check { name, level, found, checked_sources: Vec::new(), advice, finding: None, took });
    }
}

impl Check {
    /// The result for the table. The first part of a long problem, which is complete below the table.
    fn cell(&self) -> String {
        if !self.is_shortened() {
            return self.found.clone();
        }
        let end = [": ", "; ", ", "].iter().filter_map(|mark| self.found.find(mark)).filter(|end| (8..=LONGEST_CELL).contains(end)).max();
        let start = end.map_or_else(|| first_words(&self.found), |end| self.found[..end].to_owned());
        format!("{start} …")
    }

    fn is_shortened(&self) -> bool {
        matches!(self.level, Level::Warn | Level::Fail) && self.found.chars().count() > LONGEST_CELL
    }

    fn explanation(&self) -> Vec<String> {
        let mut paragraphs = Vec::new();
        if self.is_shortened() || !self.checked_sources.is_empty() {
            let checked = if self.checked_sources.is_empty() { "" } else { "; checked:" };
            paragraphs.push(format!("{}{checked}", self.found));
        }
        paragraphs.extend(self.checked_sources.iter().map(|source| format!("  {source}")));
        paragraphs.extend(self.advice.clone());
        paragraphs
    }
}

/// The words of `text` that fit into a cell.
fn first_words(text: &str) -> String {
    let mut start = String::new();
    for word in text.split(' ') {
        if !start.is_empty() && start.chars().count() + word.chars().count() >= LONGEST_CELL {
            break;
        }
        if !start.is_empty() {
            start.push(' ');
        }
        start.push_str(word);
    }
    start
}

/// Whole milliseconds; the time of a check never needs more.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table without the times.
    fn lines(report: &Report) -> Vec<String> {
        let without_time = |line: &str| match line.split_once(" ms  ") {
            Some((start, rest)) => format!("{}  {rest}", start[..4].trim_end()),
            None => line.split(" (").next().unwrap_or_default().to_owned(),
        };
        report.as_text().lines().map(without_time).collect()
    }

    #[test]
    fn the_exit_code_is_that_of_the_first_failure() {
        let mut report = Report::default();
        report.ok("one", "good");
        report.warn("two", "slow", "check it");
        assert_eq!(report.exit_code(), ExitCode::Success);

        report.fail("three", ExitCode::Tls, "broken", "fix it");
        report.fail("four", ExitCode::Server, "broken too", "fix it");

        assert_eq!(report.exit_code(), ExitCode::Tls);
        assert!(report.summary().starts_with("2 failed, 1 warning, 1 ok ("), "{}", report.summary());
    }

    #[test]
    fn each_checked_source_is_on_a_separate_line() {
        let mut report = Report::default();
        let looked_at = vec!["options --client-id (not set)".to_owned(), "profile default in /f: no such file".to_owned()];
        report.error("configuration", &Error::NoCredential { checked_sources: looked_at.clone(), hint: "log in".to_owned() });

        let expected = [
            "fail  configuration  there is no client id and secret",
            "",
            "configuration",
            "  there is no client id and secret; checked:",
            "    options --client-id",
            "    profile default in /f: no such file",
            "  log in",
            "",
            "1 failed",
        ];
        assert_eq!(lines(&report), expected);
        let json: serde_json::Value = serde_json::from_str(&report.as_json()).unwrap_or_default();
        assert_eq!(json["checks"][0]["looked_at"], serde_json::json!(looked_at));
    }

    #[test]
    fn a_long_problem_is_short_in_the_table_and_complete_below_it() {
        let mut report = Report::default();
        let long = format!("the token cache is not used: {} is owned by another user\u{1b}", "/very/long/path".repeat(9));
        report.warn("cache", long.clone(), "open it");

        let lines = lines(&report);

        assert_eq!(lines[0], "warn  cache  the token cache is not used …");
        let below = lines[3..].join(" ");
        assert!(below.contains("/very/long/path/very") && below.contains("another user\\u{1b}") && below.contains("open it"), "{below}");
    }

    #[test]
    fn an_earlier_check_can_become_a_warning() {
        let mut report = Report::default();
        report.ok("token", "from the cache");

        report.reconsider("token", "cached_token_rejected", "rejected", "look");

        let json: serde_json::Value = serde_json::from_str(&report.as_json()).unwrap_or_default();
        assert_eq!((&json["checks"][0]["level"], &json["checks"][0]["finding"]), (&"warn".into(), &"cached_token_rejected".into()));
        assert_eq!(report.exit_code(), ExitCode::Success);
    }
}
