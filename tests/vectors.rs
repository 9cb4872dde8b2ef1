//! Runs the cases of `tests/vectors/*.json` against one language's public API after another (see `tests/vectors/README.md`).
//!
//! ```text
//! cargo test --test vectors                                         the runner's own tests, then Rust
//! cargo test --test vectors -- --shim 'python=python3 shim.py'      another language; may be given several times
//! cargo test --test vectors -- --case redirect                      only the cases with this in their name
//! cargo test --test vectors -- --slow                               more patience with each answer, for valgrind
//! cargo test --test vectors -- --self-test                          only the runner's own tests
//! ```
//!
//! Start reading at `run::run`; `case` reads the files, `process` and `protocol` talk to a shim, `world` is what the shims talk to.
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
#[path = "vectors/world.rs"]
mod world;

use case::Case;
use process::ShimCommand;
use run::Outcome;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::World;

const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_WHEN_SLOW: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Options {
    shims: Vec<String>,
    /// From `--case`: a run in which nothing matches is a failure.
    cases: Option<String>,
    /// From `cargo test FILTER`, which all test programs get: nothing to match is no failure.
    filter: Option<String>,
    slow: bool,
    only_self_test: bool,
    list: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--serve-shim"] => return rust_shim::serve(),
        ["--serve-lie", lie] => return self_test::serve(lie),
        _ => {}
    }
    let end = parse(arguments).and_then(|options| tests(&options));
    match end {
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
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--shim" => options.shims.push(value()?),
            "--case" => options.cases = Some(value()?),
            "--slow" => options.slow = true,
            "--self-test" => options.only_self_test = true,
            "--list" => options.list = true,
            // What `cargo test` passes to every test program.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
            "--test-threads" | "--color" | "--format" => drop(value()?),
            other if other.starts_with("--test-threads=") || other.starts_with("--color=") => {}
            other if !other.starts_with('-') => options.filter = Some(other.to_owned()),
            other => return Err(format!("there is no option {other}; see the head of tests/vectors.rs")),
        }
    }
    Ok(options)
}

/// Whether all went well.
fn tests(options: &Options) -> Result<bool, String> {
    let cases = case::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"))?;
    if options.list {
        cases.iter().for_each(|case| println!("{}: test", case.name));
        return Ok(true);
    }
    let wanted = |case: &&Case| [&options.cases, &options.filter].into_iter().flatten().all(|part| case.name.contains(part.as_str()));
    let chosen: Vec<&Case> = cases.iter().filter(wanted).collect();
    if chosen.is_empty() && options.cases.is_none() && options.filter.is_some() {
        println!("vectors: no case of this name");
        return Ok(true);
    }

    let patience = if options.slow { PATIENCE_WHEN_SLOW } else { PATIENCE };
    let mut all_well = true;
    if options.only_self_test || (options.shims.is_empty() && options.filter.is_none() && options.cases.is_none()) {
        all_well &= self_test::run()?;
        if options.only_self_test {
            return Ok(all_well);
        }
    }
    let shims =
        if options.shims.is_empty() { vec![this_program("rust", &["--serve-shim"], patience)?] } else { external(options, patience)? };
    for shim in &shims {
        all_well &= language(shim, &chosen)?;
    }
    Ok(all_well)
}

/// Runs `cases` in one language and prints what did not pass and the closing line.
fn language(shim: &ShimCommand, cases: &[&Case]) -> Result<bool, String> {
    let start = Instant::now();
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let tally = run::run(shim, cases, &World::start()?, folder.path(), |case, outcome| match outcome {
        Outcome::Passed => {}
        Outcome::Skipped(reason) => println!("{}: skipped {}: {reason}", shim.name, case.name),
        Outcome::Failed(failure) => {
            println!("{}: FAILED {} ({}), {}", shim.name, case.name, case.file, failure.place);
            println!("    why      {}", case.why);
            println!("    expected {}", failure.expected);
            println!("    got      {}", failure.got);
            if let Some(complaints) = failure.complaints.as_deref().filter(|text| !text.trim().is_empty()) {
                println!("    standard error of the shim:\n{complaints}");
            }
        }
    })?;
    let skipped = if tally.skipped == 0 { String::new() } else { format!(", {} skipped", tally.skipped) };
    println!("{}: {} passed, {} failed{skipped} ({:.1} s)", shim.name, tally.passed, tally.failed, start.elapsed().as_secs_f64());
    if tally.passed + tally.failed == 0 {
        println!("{}: no case ran, so nothing is proven", shim.name);
    }
    Ok(tally.is_green())
}

fn external(options: &Options, patience: Duration) -> Result<Vec<ShimCommand>, String> {
    let read = |shim: &String| {
        let (name, command) = shim.split_once('=').ok_or_else(|| format!("--shim {shim}: write NAME=COMMAND ARGUMENTS"))?;
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if name.is_empty() || words.is_empty() {
            return Err(format!("--shim {shim}: write NAME=COMMAND ARGUMENTS"));
        }
        Ok(ShimCommand { name: name.to_owned(), words, patience })
    };
    options.shims.iter().map(read).collect()
}

/// This test program again, as a shim: so Rust is as far from the runner as every other language.
fn this_program(name: &str, arguments: &[&str], patience: Duration) -> Result<ShimCommand, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = program.to_str().ok_or("this program's path is not UTF-8")?.to_owned();
    let words = std::iter::once(program).chain(arguments.iter().map(|&word| word.to_owned())).collect();
    Ok(ShimCommand { name: name.to_owned(), words, patience })
}
