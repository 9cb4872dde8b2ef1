//! Processes that wait for each other, in real time: slow servers, short deadlines, and a holder of
//! the lock that is killed or stopped.
//!
//! ```text
//! cargo test --features cli,emulator,capi --test processes -- --rounds 50
//! cargo test --features cli,emulator,capi --test processes -- --only killed --together 1
//! ```
//!
//! `make test-more` runs it (tests/more/processes.sh). Each round has a server and a cache directory
//! of its own, so rounds can run at the same time. TOKENWELL_COMMAND names another command to test.
//! For Unix only: it uses signals.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod host;
mod scenes;
mod waiting_costs;

use scenes::{Figures, SCENES, Scene};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

struct Options {
    rounds: usize,
    /// The number of rounds at the same time.
    together: usize,
    only: String,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("processes: {problem}");
            return ExitCode::FAILURE;
        }
    };
    let started = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let mut count = |name: &str, result: Result<String, String>, seconds: f64| match result {
        Ok(figures) => {
            passed += 1;
            println!("ok      {name}: {figures} ({seconds:.0} s)");
        }
        Err(problem) => {
            failed += 1;
            println!("FAILED  {name}: {problem} ({seconds:.0} s)");
        }
    };
    for scene in SCENES.iter().filter(|scene| scene.name.contains(&options.only)) {
        let started = Instant::now();
        count(scene.name, all_rounds(scene, &options), started.elapsed().as_secs_f64());
    }
    if waiting_costs::NAME.contains(&options.only) {
        let started = Instant::now();
        count(waiting_costs::NAME, without_panic(waiting_costs::measure).and_then(|measured| measured), started.elapsed().as_secs_f64());
    }
    println!("processes: {passed} passed, {failed} failed ({:.1} s)", started.elapsed().as_secs_f64());
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all rounds of a scene. Returns a summary of what was seen.
fn all_rounds(scene: &Scene, options: &Options) -> Result<String, String> {
    let next = Mutex::new(0..options.rounds);
    let seen = Mutex::new(Vec::<(usize, Figures)>::new());
    let panicked = Mutex::new(Vec::<String>::new());
    std::thread::scope(|scope| {
        for _ in 0..options.together.min(options.rounds) {
            scope.spawn(|| {
                loop {
                    let Some(round) = next.lock().unwrap().next() else { return };
                    match without_panic(|| (scene.round)(round)) {
                        Ok(figures) => seen.lock().unwrap().push((round, figures)),
                        Err(message) => panicked.lock().unwrap().push(format!("round {round}: {message}")),
                    }
                }
            });
        }
    });
    let (seen, panicked) = (seen.into_inner().unwrap(), panicked.into_inner().unwrap());
    if !panicked.is_empty() {
        return Err(panicked.join("; "));
    }
    let (requests, failures) = (
        seen.iter().map(|(_, figures)| figures.requests).max().unwrap(),
        seen.iter().map(|(_, figures)| figures.failures.len()).sum::<usize>(),
    );
    let summary = format!("{} rounds, at most {requests} requests in each, {failures} failures", options.rounds);
    let problems: Vec<String> = seen
        .iter()
        .filter(|(_, figures)| figures.requests > scene.most_requests || !figures.failures.is_empty())
        .map(|(round, figures)| {
            format!("round {round}: {} requests, {} failures {:?}", figures.requests, figures.failures.len(), figures.failures.first())
        })
        .collect();
    if problems.is_empty() { Ok(summary) } else { Err(format!("{summary}; allowed: {}\n  {}", scene.most_requests, problems.join("\n  "))) }
}

/// A panic must not hide which test it was.
fn without_panic<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|message| (*message).to_owned()));
        format!("panicked: {}", message.unwrap_or_default())
    })
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { rounds: 2, together: 2, only: String::new() };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} requires a value"));
        let number =
            |value: String| value.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{argument} {value}: expected a number"));
        match argument.as_str() {
            "--rounds" => options.rounds = number(value()?)?,
            "--together" => options.together = number(value()?)?,
            "--only" => options.only = value()?,
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
            "--test-threads" | "--color" | "--format" => drop(value()?),
            other => return Err(format!("unknown option {other}; the options are listed in tests/processes/main.rs")),
        }
    }
    Ok(options)
}
