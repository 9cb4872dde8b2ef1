//! Runs the cases of `tests/vectors/*.json` against the public API of each language (see
//! `tests/vectors/README.md`).
//!
//! ```text
//! cargo test --features cli,emulator,capi --test vectors                                         the runner's own tests, then Rust
//! cargo test --features cli,emulator,capi --test vectors -- --shim 'python=python3 shim.py'      another language; repeatable
//! cargo test --features cli,emulator,capi --test vectors -- --case redirect                      only cases with this name part
//! cargo test --features cli,emulator,capi --test vectors -- --slow                               longer timeouts, for valgrind
//! cargo test --features cli,emulator,capi --test vectors -- --self-test                          only the runner's own tests
//! ```
//!
//! Start reading at `run::run`. `case` reads the files, `process` and `protocol` communicate with a
//! shim, `world` has the servers that the shims connect to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "vectors/case.rs"]
mod case;
#[path = "vectors/process.rs"]
mod process;
#[path = "vectors/protocol.rs"]
mod protocol;
#[path = "vectors/run.rs"]
mod run;
#[path = "vectors/rust_shim.rs"]
mod rust_shim;
#[path = "vectors/self_test.rs"]
mod self_test;
#[allow(dead_code)] // Its tests run in tests/prose.
#[path = "prose/sentences.rs"]
mod sentences;
#[allow(dead_code)] // tests/prose uses all of it.
#[path = "prose/words.rs"]
mod words;
#[path = "vectors/world.rs"]
mod world;

use case::{Case, STATUS_NAMES};
use process::ShimCommand;
use run::Outcome;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::World;

const TIMEOUT: Duration = Duration::from_secs(60);
const SLOW_TIMEOUT: Duration = Duration::from_secs(300);

/// The statuses whose messages no case can show: success, a bug, statuses that no call returns yet, and one of the command alone.
const NOT_SHOWN: [&str; 5] = ["OK", "INTERNAL", "PENDING", "NOT_CACHED", "CANNOT_WRITE"];

#[derive(Default)]
struct Options {
    shims: Vec<String>,
    /// From `--case`. A run without a match fails.
    cases: Option<String>,
    /// From `cargo test FILTER`, which all test programs receive. A run without a match succeeds.
    filter: Option<String>,
    slow: bool,
    only_self_test: bool,
    list: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--serve-shim"] => return rust_shim::serve(),
        ["--serve-defective-shim", defect] => return self_test::serve(defect),
        _ => {}
    }
    let result = parse(arguments).and_then(|options| run_all(&options));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("vectors: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: Vec<String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} requires a value"));
        match argument.as_str() {
            "--shim" => options.shims.push(value()?),
            "--case" => options.cases = Some(value()?),
            "--slow" => options.slow = true,
            "--self-test" => options.only_self_test = true,
            "--list" => options.list = true,
            // The options that `cargo test` passes to every test program.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
            "--test-threads" | "--color" | "--format" => drop(value()?),
            other if other.starts_with("--test-threads=") || other.starts_with("--color=") => {}
            other if !other.starts_with('-') => options.filter = Some(other.to_owned()),
            other => return Err(format!("unknown option {other}; the options are listed in tests/vectors.rs")),
        }
    }
    Ok(options)
}

/// Runs the selected tests and returns whether all of them passed.
fn run_all(options: &Options) -> Result<bool, String> {
    let cases = case::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"))?;
    if options.list {
        cases.iter().for_each(|case| println!("{}: test", case.name));
        return Ok(true);
    }
    let is_selected = |case: &&Case| [&options.cases, &options.filter].into_iter().flatten().all(|part| case.name.contains(part.as_str()));
    let selected: Vec<&Case> = cases.iter().filter(is_selected).collect();
    if selected.is_empty() && options.cases.is_none() && options.filter.is_some() {
        println!("vectors: no case matches the filter");
        return Ok(true);
    }

    let timeout = if options.slow { SLOW_TIMEOUT } else { TIMEOUT };
    let mut all_passed = true;
    if options.only_self_test || (options.shims.is_empty() && options.filter.is_none() && options.cases.is_none()) {
        all_passed &= self_test::run()?;
        if options.only_self_test {
            return Ok(all_passed);
        }
    }
    let shims =
        if options.shims.is_empty() { vec![this_program("rust", &["--serve-shim"], timeout)?] } else { external(options, timeout)? };
    for shim in &shims {
        all_passed &= run_language(shim, &selected, selected.len() == cases.len())?;
    }
    Ok(all_passed)
}

/// Runs `cases` in one language. Prints the skipped and failed cases and the summary line.
fn run_language(shim: &ShimCommand, cases: &[&Case], all_cases: bool) -> Result<bool, String> {
    let start = Instant::now();
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let tally = run::run(shim, cases, &World::start()?, directory.path(), |case, outcome| match outcome {
        Outcome::Passed => {}
        Outcome::Skipped(reason) => println!("{}: skipped {}: {reason}", shim.name, case.name),
        Outcome::Failed(failure) => {
            println!("{}: FAILED {} ({}), {}", shim.name, case.name, case.file, failure.location);
            println!("    why      {}", case.why);
            println!("    expected {}", failure.expected);
            println!("    got      {}", failure.got);
            if let Some(stderr) = failure.stderr.as_deref().filter(|stderr| !stderr.trim().is_empty()) {
                println!("    standard error of the shim:\n{stderr}");
            }
        }
    })?;
    let skipped = if tally.skipped == 0 { String::new() } else { format!(", {} skipped", tally.skipped) };
    println!("{}: {} passed, {} failed{skipped} ({:.1} s)", shim.name, tally.passed, tally.failed, start.elapsed().as_secs_f64());
    if tally.passed + tally.failed == 0 {
        println!("{}: no case ran", shim.name);
    }
    let unseen: Vec<_> = STATUS_NAMES.into_iter().filter(|name| !NOT_SHOWN.contains(name) && !tally.errors.contains(*name)).collect();
    if all_cases && !unseen.is_empty() {
        println!("{}: no case shows the message of {}", shim.name, unseen.join(", "));
        return Ok(false);
    }
    Ok(tally.is_success())
}

fn external(options: &Options, timeout: Duration) -> Result<Vec<ShimCommand>, String> {
    let read = |shim: &String| {
        let (name, command) = shim.split_once('=').ok_or_else(|| format!("--shim {shim}: expected NAME=COMMAND ARGUMENTS"))?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if name.is_empty() || words.is_empty() {
            return Err(format!("--shim {shim}: expected NAME=COMMAND ARGUMENTS"));
        }
        Ok(ShimCommand { name: name.to_owned(), words, timeout })
    };
    options.shims.iter().map(read).collect()
}

/// Returns the command that runs this test program as a shim, so that Rust is tested in a separate
/// process like every other language.
fn this_program(name: &str, arguments: &[&str], timeout: Duration) -> Result<ShimCommand, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = program.to_str().ok_or("this program's path is not UTF-8")?.to_owned();
    let words = std::iter::once(program).chain(arguments.iter().map(|&word| word.to_owned())).collect();
    Ok(ShimCommand { name: name.to_owned(), words, timeout })
}
