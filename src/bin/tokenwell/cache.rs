//! `tokenwell cache`: where the shared files are, what lies there, and how to be rid of it.

use crate::failure::Failure;
use crate::output;
use crate::settings::{builder, is_variable_of};
use clap::Subcommand;
use std::time::{Duration, SystemTime};
use tokenwell::error::Error;
use tokenwell::store::{FileStore, RecordFile, Store as _, StoreError};
use tokenwell::{Config, Status};

/// Show or clear the files in which processes share tokens
///
/// The files are sealed: without the client secret nobody can tell whose tokens they hold, tokenwell neither.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell cache path
  tokenwell cache list
  tokenwell cache clear

  One account's token alone, with the credentials of that account
    tokenwell invalidate";

#[derive(Subcommand)]
enum Action {
    /// Print the directory, whether or not it exists
    #[command(after_long_help = "Examples:\n  ls -l \"$(tokenwell cache path)\"")]
    Path,
    /// List the files with their size and age
    #[command(after_long_help = "Examples:\n  tokenwell cache list\n  tokenwell cache list --json | jq length")]
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Remove tokenwell's own files from it; the tokens live on at the server until they expire
    #[command(after_long_help = "Examples:\n  tokenwell cache clear")]
    Clear,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let store = store()?;
    match args.action {
        Action::Path => output::line(&store.location()),
        Action::List { json } => list(&store.records().map_err(|error| unusable(&error))?, json),
        Action::Clear => {
            let count = store.clear().map_err(|error| unusable(&error))?;
            output::hint(&format!("removed {count} {} from {}", if count == 1 { "file" } else { "files" }, store.location()));
            Ok(())
        }
    }
}

/// The store that a client would use here. A configuration that cannot be read is an error: the files elsewhere are not those that were meant.
fn store() -> Result<FileStore, Failure> {
    const READ: [&str; 4] = ["cache", "cache_dir", "cache_unsafe", "profile"];
    let is_read = |variable: &str| !is_variable_of(variable, |setting| !READ.contains(&setting));
    let mut builder = builder().environment(move |name| if is_read(name) { std::env::var_os(name) } else { None });
    // Whose tokens lie there does not matter. With this account none is looked for, in no keyring and in no other program's file.
    for part in ["client_id", "client_secret"] {
        builder.set(part, b"anybody")?;
    }
    Ok(store_of(&builder.build()?)?)
}

/// The store that a client of `config` uses, unless it uses none.
pub(crate) fn store_of(config: &Config) -> Result<FileStore, Error> {
    Ok(FileStore::open(config.resolved_cache_dir()?, config.cache_unsafe()))
}

fn list(records: &[RecordFile], json: bool) -> Result<(), Failure> {
    if json {
        let record = |record: &RecordFile| serde_json::json!({ "name": record.name, "size": record.size, "age": age(record).map(|age| age.as_secs()) });
        return output::line(&serde_json::Value::from_iter(records.iter().map(record)).to_string());
    }
    if records.is_empty() {
        output::hint("there is nothing in the cache");
        return Ok(());
    }
    let line = |record: &RecordFile| {
        let age = age(record).map_or("unknown".to_owned(), |age| humantime::format_duration(age).to_string());
        format!("{}  {:>6} bytes  {age} old", record.name, record.size)
    };
    output::line(&records.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// In whole seconds.
fn age(record: &RecordFile) -> Option<Duration> {
    let age = SystemTime::now().duration_since(record.written?).unwrap_or_default();
    Some(Duration::from_secs(age.as_secs()))
}

fn unusable(error: &StoreError) -> Failure {
    Failure::new(
        Status::Refused,
        format!("the token cache cannot be used: {error}"),
        "docs/token-cache.md tells where it is and what is refused.",
    )
}
