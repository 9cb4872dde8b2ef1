//! One host sends one token request: many concurrent processes in every language share one token
//! cache and one server.
//!
//! ```text
//! cargo test --features cli,emulator,capi --test storm                                       only Rust processes
//! cargo test --features cli,emulator,capi --test storm -- --shim 'python=python3 shim.py'    also another language; repeatable
//! cargo test --features cli,emulator,capi --test storm -- --rounds 100                       more rounds of the random tests
//! cargo test --features cli,emulator,capi --test storm -- --seed 7                           other processes and times to kill
//! cargo test --features cli,emulator,capi --test storm -- --only killed                      only tests with this name part
//! ```
//!
//! The shims are those of `tests/vectors/README.md`. Start reading at `cold_start`. `crowd` manages
//! the processes; `scene` has their server and cache. `make storm` runs all languages. The test is
//! for Unix only: it uses signals and file modes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod broken_store;
#[path = "../vectors/case.rs"]
#[allow(dead_code)]
mod case;
mod cold_start;
mod crowd;
mod lost_holder;
mod neighbours;
#[path = "../vectors/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../vectors/protocol.rs"]
#[allow(dead_code)]
mod protocol;
mod refusal;
mod replacement;
#[path = "../vectors/rust_shim.rs"]
mod rust_shim;
mod scene;

use crowd::{ANSWER_TIMEOUT, Crowd};
use process::ShimCommand;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

const PROCESSES: usize = 64;
/// The number of commands that run in addition to the processes of the crowd.
const COMMANDS: usize = 4;

/// The parameters of a test.
struct Storm {
    crowd: Crowd,
    rounds: u64,
    random: fastrand::Rng,
}

type Test = (&'static str, fn(&mut Storm));

/// `tests![module::name, …]` pairs each function with its name.
macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => { &[$((stringify!($name), $module::$name as fn(&mut Storm))),*] };
}

const TESTS: &[Test] = tests![
    cold_start::i15_sixty_four_cold_processes_make_one_request,
    lost_holder::i15_the_holder_of_the_lock_is_killed_and_at_most_one_more_asks,
    lost_holder::i15_the_holder_of_the_lock_is_stopped_and_the_others_finish_in_time,
    refusal::after_a_429_no_process_sends_a_request,
    refusal::after_a_429_no_command_sends_a_request,
    replacement::concurrent_forced_refreshes_send_one_request,
    replacement::a_token_forced_by_a_command_serves_later_forced_refreshes,
    replacement::concurrent_gets_with_a_long_min_ttl_send_one_request,
    replacement::an_invalidated_token_is_replaced_for_all_processes,
    broken_store::i10_a_broken_store_costs_nobody_the_token,
    neighbours::i16_two_ids_at_one_server_never_meet,
    neighbours::i16_one_id_at_two_servers_never_meets_itself,
    neighbours::two_profiles_of_one_account_share_a_token,
];

struct Options {
    languages: Vec<ShimCommand>,
    rounds: u64,
    seed: u64,
    only: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments == ["--serve-shim"] {
        return rust_shim::serve();
    }
    match parse(arguments).map(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("storm: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: Vec<String>) -> Result<Options, String> {
    let this_program = std::env::current_exe().map_err(|error| error.to_string())?;
    let this_program = this_program.to_str().ok_or("this program's path is not UTF-8")?.to_owned();
    let rust = ShimCommand { name: "rust".to_owned(), words: vec![this_program, "--serve-shim".to_owned()], timeout: ANSWER_TIMEOUT };
    let mut options = Options { languages: vec![rust], rounds: 3, seed: 1, only: String::new() };

    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} requires a value"));
        match argument.as_str() {
            "--shim" => options.languages.push(shim(&value()?)?),
            "--rounds" => options.rounds = number(&argument, &value()?)?,
            "--seed" => options.seed = number(&argument, &value()?)?,
            "--only" => options.only = value()?,
            // The options that `cargo test` passes to every test program.
            "--nocapture" | "--no-capture" | "--quiet" | "-q" | "--include-ignored" | "--show-output" => {}
            "--test-threads" | "--color" | "--format" => drop(value()?),
            other => return Err(format!("unknown option {other}; the options are listed in tests/storm/main.rs")),
        }
    }
    Ok(options)
}

fn number(option: &str, value: &str) -> Result<u64, String> {
    value.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("{option} {value}: expected a number of at least 1"))
}

fn shim(value: &str) -> Result<ShimCommand, String> {
    let (name, command) = value.split_once('=').unwrap_or_default();
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if name.is_empty() || words.is_empty() {
        return Err(format!("--shim {value}: expected NAME=COMMAND ARGUMENTS"));
    }
    Ok(ShimCommand { name: name.to_owned(), words, timeout: ANSWER_TIMEOUT })
}

/// Runs the tests and returns whether all passed. After a failure the next test gets new processes.
fn run(options: &Options) -> bool {
    let start = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let mut kept: Option<Crowd> = None;
    for (name, test) in TESTS.iter().filter(|(name, _)| name.contains(&options.only)) {
        let start = Instant::now();
        let crowd = kept.take();
        let end = catch_unwind(AssertUnwindSafe(|| {
            let crowd = crowd.unwrap_or_else(|| Crowd::start(&options.languages, PROCESSES));
            let mut storm = Storm { crowd, rounds: options.rounds, random: fastrand::Rng::with_seed(options.seed) };
            test(&mut storm);
            storm.crowd
        }));
        let took = start.elapsed().as_secs_f64();
        match end {
            Ok(crowd) => {
                passed += 1;
                kept = Some(crowd);
                println!("ok      {name} ({took:.1} s)");
            }
            Err(_) => {
                failed += 1;
                println!("FAILED  {name} ({took:.1} s), --rounds {} --seed {}", options.rounds, options.seed);
            }
        }
    }
    if let Some(crowd) = kept {
        let end = catch_unwind(AssertUnwindSafe(|| crowd.quit()));
        failed += usize::from(end.is_err());
    }
    println!("storm: {passed} passed, {failed} failed ({:.1} s)", start.elapsed().as_secs_f64());
    failed == 0 && passed > 0
}
