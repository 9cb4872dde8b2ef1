//! The help of every command, as it is printed: no retired word.

use crate::words::Words;
use std::process::Command;

fn help(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tokenwell")).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_retired_word_is_in_the_help_of_any_command() {
    let words = Words::of_this_project();
    let overview = help(&[]);
    let list = overview.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let commands: Vec<_> =
        list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !matches!(*name, "" | "help")).collect();
    assert!(commands.len() >= 16, "{commands:?}");

    for pages in std::iter::once(vec![]).chain(commands.iter().map(|name| vec![*name])) {
        let found = words.in_prose(&help(&pages));
        assert!(found.is_empty(), "tokenwell {pages:?} --help: {found:?}");
    }
}
