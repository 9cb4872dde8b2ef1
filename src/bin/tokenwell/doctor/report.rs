//! The results of the checks, as a table and as JSON.

use crate::failure::{Failure, NO_CREDENTIAL};
use tokenwell::error::{Error, ExitCode, printable};

/// The maximum length of a shown string. Paths are long, and the end of a message matters.
const MAX_LENGTH: usize = 2000;

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
}

#[derive(Debug)]
struct Check {
    name: &'static str,
    level: Level,
    found: String,
    /// The sources without a credential, one a line.
    checked_sources: Vec<String>,
    advice: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
    exit_code: Option<ExitCode>,
}

impl Report {
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Level::Ok, found, None);
    }

    pub(super) fn warn(&mut self, name: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.add(name, Level::Warn, found, Some(advice.into()));
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
            Failure::Own { exit_code, problem, hint } => self.fail(name, *exit_code, problem, hint),
            Failure::Reported { exit_code } => self.fail(name, *exit_code, "failed", ""),
            Failure::Output(error) => self.fail(name, failure.exit_code(), error.to_string(), ""),
        }
    }

    /// The exit code of the first failure, or success.
    pub(super) fn exit_code(&self) -> ExitCode {
        self.exit_code.unwrap_or(ExitCode::Success)
    }

    pub(super) fn as_json(&self) -> String {
        let check = |check: &Check| {
            let mut object =
                serde_json::json!({ "name": check.name, "level": check.level.name(), "found": check.found, "advice": check.advice });
            if !check.checked_sources.is_empty() {
                object["looked_at"] = check.checked_sources.as_slice().into();
            }
            object
        };
        serde_json::json!({ "checks": self.checks.iter().map(check).collect::<Vec<_>>(), "exit_code": self.exit_code().number() })
            .to_string()
    }

    pub(super) fn as_text(&self) -> String {
        let line = |check: &Check| {
            let looked_at = if check.checked_sources.is_empty() { String::new() } else { "; checked:".to_owned() };
            let sources: String = check.checked_sources.iter().map(|source| format!("\n{:26}{source}", "")).collect();
            let advice = check.advice.as_ref().map(|advice| format!("\n{:22}{advice}", "")).unwrap_or_default();
            format!("{:<4}  {:<14}  {}{looked_at}{sources}{advice}", check.level.name(), check.name, check.found)
        };
        self.checks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn add(&mut self, name: &'static str, level: Level, found: impl Into<String>, advice: Option<String>) {
        let advice = advice.filter(|advice| !advice.is_empty()).map(|advice| printable(&advice, MAX_LENGTH));
        self.checks.push(Check { name, level, found: printable(&found.into(), MAX_LENGTH), checked_sources: Vec::new(), advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_first_failure() {
        let mut report = Report::default();
        report.ok("one", "good");
        report.warn("two", "slow", "check it");
        assert_eq!(report.exit_code(), ExitCode::Success);

        report.fail("three", ExitCode::Tls, "broken", "fix it");
        report.fail("four", ExitCode::Server, "broken too", "fix it");

        assert_eq!(report.exit_code(), ExitCode::Tls);
    }

    #[test]
    fn each_checked_source_is_on_a_separate_line() {
        let mut report = Report::default();
        let looked_at = vec!["options --client-id (not set)".to_owned(), "profile default in /f: no such file".to_owned()];
        report.error("configuration", &Error::NoCredential { checked_sources: looked_at.clone(), hint: "log in".to_owned() });

        let lines = [
            "fail  configuration   there is no client id and secret; checked:",
            "                          options --client-id (not set)",
            "                          profile default in /f: no such file",
            "                      log in",
        ];
        assert_eq!(report.as_text(), lines.join("\n"));
        let json: serde_json::Value = serde_json::from_str(&report.as_json()).unwrap_or_default();
        assert_eq!(json["checks"][0]["looked_at"], serde_json::json!(looked_at));
    }

    #[test]
    fn the_advice_is_on_the_next_line() {
        let mut report = Report::default();
        report.fail("connect", ExitCode::Server, "refused\u{1b}", "open the port");

        assert_eq!(report.as_text(), "fail  connect         refused\\u{1b}\n                      open the port");
    }
}
