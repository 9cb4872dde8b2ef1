//! The tables of statuses and exit codes are the same in code, in the pages and in the help.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Command;
use tokenwell::Status;
use tokenwell::error::ExitCode;

/// The cells of the rows of the table in `page` that has this header, without the header.
fn table(page: &str, header: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect(page);
    let rows = text.lines().skip_while(|line| *line != header).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_readme_has_every_status_with_its_name_exit_code_and_meaning() {
    let expected: Vec<_> = Status::all()
        .map(|status| [status.code().to_string(), status.name().into(), status.exit_code().number().to_string(), status.meaning().into()])
        .collect();

    assert_eq!(table("README.md", "| status | name | exit code | meaning |"), expected);
}

#[test]
fn the_page_of_the_command_has_every_exit_code_and_marks_those_that_are_planned() {
    let expected: Vec<_> = ExitCode::all()
        .map(|code| [code.number().to_string(), format!("{}{}", code.meaning(), if code.is_planned() { " (planned)" } else { "" })])
        .collect();

    assert_eq!(table("docs/cli.md", "| code | meaning |"), expected);
}

#[test]
fn the_help_has_the_exit_codes_of_the_commands_that_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_tokenwell")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();

    let lines: Vec<_> = help.split("Exit codes:\n").nth(1).expect("the section").lines().map(str::trim).collect();

    let expected: Vec<_> =
        ExitCode::all().filter(|code| !code.is_planned()).map(|code| format!("{}  {}", code.number(), code.meaning())).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_c_header_has_every_status() {
    let header = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/tokenwell.h")).unwrap();

    for status in Status::all() {
        let line = format!("TOKENWELL_STATUS_{} = {},", status.name(), status.code());
        assert!(header.contains(&line), "{line}");
    }
}
