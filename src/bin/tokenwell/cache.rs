//! `tokenwell cache`: shows and clears the files of the shared cache.

use crate::failure::Failure;
use crate::output;
use crate::settings::{builder, is_variable_of};
use crate::terminal::{Stream, Table};
use crate::wanted::duration;
use clap::Subcommand;
use std::time::{Duration, SystemTime};
use tokenwell::error::{Error, duration_text};
use tokenwell::store::{FileStore, RecordFile, Store as _, StoreError};
use tokenwell::{Config, Status};

/// Show or clear the files of the shared token cache
///
/// The files are encrypted with a key derived from the client secret. Without the secret, not even
/// tokenwell can tell which account a file belongs to.
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
  tokenwell cache clear --older-than 30d

  Drop the token of one account; this needs the credential of the account
    tokenwell invalidate";

#[derive(Subcommand)]
enum Action {
    /// Print the path of the cache directory, even if it does not exist
    #[command(after_long_help = "Examples:\n  ls -l \"$(tokenwell cache path)\"")]
    Path,
    /// List the files with their sizes and ages
    #[command(after_long_help = "Examples:\n  tokenwell cache list\n  tokenwell cache list --json | jq length")]
    List {
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Remove the cache files; the tokens remain valid until they expire
    #[command(after_long_help = "Examples:\n  tokenwell cache clear\n  tokenwell cache clear --older-than 30d")]
    Clear {
        /// Remove only files that no program has written for this long, for example 30d; lock files
        /// too
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        older_than: Option<Duration>,
    },
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let store = store()?;
    match args.action {
        Action::Path => output::line(&store.location()),
        Action::List { json } => list(&store.records().map_err(|error| unusable(&error))?, json),
        Action::Clear { older_than } => {
            let cleared = older_than.map_or_else(|| store.clear(), |age| store.clear_unused(age));
            let count = cleared.map_err(|error| unusable(&error))?;
            output::message(&format!("removed {count} {} from {}", if count == 1 { "file" } else { "files" }, store.location()));
            Ok(())
        }
    }
}

/// Opens the store that a client would use. A configuration that cannot be read is an error,
/// because the default directory might not be the intended one.
fn store() -> Result<FileStore, Failure> {
    const READ: [&str; 4] = ["cache", "cache_dir", "cache_unsafe", "profile"];
    let is_read = |variable: &str| !is_variable_of(variable, |setting| !READ.contains(&setting));
    let mut builder = builder().environment(move |name| if is_read(name) { std::env::var_os(name) } else { None });
    // The account does not matter here. This one prevents a search in keyrings and in the files of
    // other programs.
    builder.set("client_id", b"mdb_sa_id_unused")?;
    builder.set("client_secret", b"unused")?;
    Ok(store_of(&builder.build()?)?)
}

/// Opens the store that a client of `config` uses if its cache is on.
pub(crate) fn store_of(config: &Config) -> Result<FileStore, Error> {
    Ok(FileStore::open(config.resolved_cache_dir()?, config.cache_unsafe()).below(config.cache_parent()))
}

fn list(records: &[RecordFile], json: bool) -> Result<(), Failure> {
    if json {
        let record = |record: &RecordFile| serde_json::json!({ "name": record.name, "size": record.size, "age": age(record).map(|age| age.as_secs()) });
        return output::line(&serde_json::Value::from_iter(records.iter().map(record)).to_string());
    }
    if records.is_empty() {
        output::message("the token cache is empty");
        return Ok(());
    }
    let mut table = Table::default();
    for record in records {
        let age = age(record).map_or("unknown age".to_owned(), |age| format!("{} old", duration_text(age)));
        table.row([record.name.as_str().into(), format!("{:>6} bytes", record.size).into(), age.into()]);
    }
    output::line(&table.render(Stream::Out))
}

/// The age of the file in whole seconds.
fn age(record: &RecordFile) -> Option<Duration> {
    let age = SystemTime::now().duration_since(record.written?).unwrap_or_default();
    Some(Duration::from_secs(age.as_secs()))
}

fn unusable(problem: &StoreError) -> Failure {
    Failure::new(
        Status::Refused,
        format!("cannot use the token cache: {problem}"),
        "See docs/token-cache.md for its location and the required permissions.",
    )
}
