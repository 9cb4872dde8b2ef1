//! What was found, as text and as JSON.

use crate::failure::Failure;
use tokenwell::error::{Error, printable};

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
    advice: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    checks: Vec<Check>,
    exit_code: u8,
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

    pub(super) fn fail(&mut self, name: &'static str, exit_code: u8, found: impl Into<String>, advice: impl Into<String>) {
        if self.exit_code == 0 {
            self.exit_code = exit_code;
        }
        self.add(name, Level::Fail, found, Some(advice.into()));
    }

    pub(super) fn error(&mut self, name: &'static str, error: &Error) {
        self.fail(name, error.status().exit_code(), error.to_string(), error.hint());
    }

    pub(super) fn failure(&mut self, name: &'static str, failure: &Failure) {
        match failure {
            Failure::Library(error) | Failure::Late { error, .. } => self.error(name, error),
            Failure::Own { exit_code, problem, hint } => self.fail(name, *exit_code, problem, hint),
            Failure::Answered { exit_code } => self.fail(name, *exit_code, "failed", ""),
            Failure::Output(error) => self.fail(name, 1, error.to_string(), ""),
        }
    }

    /// That of the first failure; 0 without one.
    pub(super) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    pub(super) fn as_json(&self) -> String {
        let check = |check: &Check| serde_json::json!({ "name": check.name, "level": check.level.name(), "found": check.found, "advice": check.advice });
        serde_json::json!({ "checks": self.checks.iter().map(check).collect::<Vec<_>>(), "exit_code": self.exit_code }).to_string()
    }

    pub(super) fn as_text(&self) -> String {
        let line = |check: &Check| {
            let advice = check.advice.as_ref().map(|advice| format!("\n{:22}{advice}", "")).unwrap_or_default();
            format!("{:<4}  {:<14}  {}{advice}", check.level.name(), check.name, check.found)
        };
        self.checks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn add(&mut self, name: &'static str, level: Level, found: impl Into<String>, advice: Option<String>) {
        let advice = advice.filter(|advice| !advice.is_empty()).map(|advice| printable(&advice, 1000));
        self.checks.push(Check { name, level, found: printable(&found.into(), 1000), advice });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_the_first_failure() {
        let mut report = Report::default();
        report.ok("one", "good");
        report.warn("two", "hm", "look at it");
        assert_eq!(report.exit_code(), 0);

        report.fail("three", 7, "broken", "mend it");
        report.fail("four", 5, "broken too", "mend it");

        assert_eq!(report.exit_code(), 7);
    }

    #[test]
    fn the_advice_stands_below_its_line() {
        let mut report = Report::default();
        report.fail("connect", 5, "refused\u{1b}", "open the port");

        assert_eq!(report.as_text(), "fail  connect         refused\\u{1b}\n                      open the port");
    }
}
