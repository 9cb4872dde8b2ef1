//! Tests of the command from outside: exit codes, standard output and standard error. One file per
//! command.
#![cfg(all(feature = "emulator", feature = "cli"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod api;
mod api_jq;
mod cache;
#[cfg(unix)]
mod completions;
mod credential;
mod doctor;
mod doctor_report;
#[cfg(target_os = "linux")]
mod dots;
mod env;
mod errors;
#[cfg(unix)]
mod examples;
#[cfg(unix)]
mod exec;
#[cfg(target_os = "linux")]
mod harden;
mod help;
mod ids;
#[cfg(unix)]
mod lines;
mod login;
mod login_checks;
mod logs;
mod mistakes;
mod other_servers;
mod output;
mod profile;
#[cfg(target_os = "linux")]
mod prompt;
#[cfg(unix)]
mod proxy;
mod revoke;
mod sa;
mod sa_audit;
mod sa_changes;
mod sa_life;
mod sa_lifetime;
#[cfg(unix)]
mod sa_log;
mod sa_others;
mod sa_secret_slots;
#[cfg(unix)]
mod sa_targets;
#[cfg(unix)]
mod secret_end;
mod sink;
#[cfg(unix)]
mod sink_once;
#[cfg(target_os = "linux")]
mod snapshots;
mod status;
mod suggestions;
mod support;
#[cfg(target_os = "linux")]
mod terminal;
mod time;
mod timeout;
mod token;
mod usage;
#[cfg(target_os = "linux")]
mod warm;
mod whoami;
