//! A save that is killed, or fails, at each of its system calls in turn. `strace` injects the
//! fault.

use crate::child::{self, BEGINS, ENDS};
use crate::support::Bench;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;

/// One system call of a save, as strace counts them: its name, and its number among the calls of
/// this name on its thread.
type Call = (String, usize);

/// Returns the system calls of one save on `bench`.
fn calls_of_a_save(bench: &Bench) -> Vec<Call> {
    let trace = bench.beside("trace");
    let arguments = ["-f", "-qq", "-o", trace.to_str().unwrap()];
    let said = child::outcome(&mut child::command_under("strace", &arguments, "save_traced", &bench.directory(), "old"));
    assert_eq!(said, "saved");

    let trace = fs::read_to_string(&trace).unwrap();
    let thread = trace.lines().find(|line| line.contains(BEGINS)).unwrap().split(' ').next().unwrap();
    let mut counts = BTreeMap::<&str, usize>::new();
    let (mut calls, mut within) = (Vec::new(), false);
    for line in trace.lines().filter_map(|line| line.strip_prefix(thread)) {
        let Some((name, _)) = line
            .trim_start()
            .split_once('(')
            .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()))
        else {
            continue;
        };
        let count = counts.entry(name).or_default();
        *count += 1;
        within = (within || line.contains(BEGINS)) && !line.contains(ENDS);
        if within && !line.contains(BEGINS) {
            calls.push((name.to_owned(), *count));
        }
    }
    assert!(calls.iter().any(|(name, _)| name == "write"), "a save writes: {calls:?}");
    calls
}

/// Runs a save of `token` with `fault` at `call`.
fn save_with(bench: &Bench, fault: &str, (name, count): &Call) -> (std::process::ExitStatus, Option<String>) {
    let inject = format!("inject={name}:{fault}:when={count}");
    let only = format!("trace={name}");
    let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &only, "-e", &inject];
    child::run(&mut child::command_under("strace", &arguments, "save_traced", &bench.directory(), "new"))
}

/// Asserts that the record is one of `allowed`, that no other slot is disturbed, and that the store
/// is still usable.
fn assert_sound(bench: &Bench, allowed: &[Option<&str>], at: &str) {
    bench.assert_neighbour_undisturbed(at);
    let found = bench.token();
    assert!(allowed.contains(&found.as_deref()), "{at}: {found:?} is not one of {allowed:?}");
    bench.save("next");
    assert_eq!(bench.token().as_deref(), Some("next"), "{at}: the next writer");
    bench.assert_neighbour_undisturbed(at);
}

#[test]
fn i14_a_save_killed_at_any_system_call_leaves_the_old_record_or_the_new_one() {
    let calls = calls_of_a_save(&Bench::with_neighbour("old"));
    let mut killed = 0;

    for call in &calls {
        let bench = Bench::with_neighbour("old");
        let (status, _) = save_with(&bench, "signal=KILL", call);
        killed += usize::from(status.signal() == Some(9));
        assert_sound(&bench, &[Some("old"), Some("new")], &format!("killed at {call:?}"));
    }

    assert!(killed >= 8 && killed + 4 >= calls.len(), "only {killed} of {} were killed", calls.len());
}

#[test]
fn i14_a_first_save_killed_at_any_system_call_leaves_nothing_or_the_record() {
    let calls = calls_of_a_save(&Bench::beside_a_neighbour());
    let mut killed = 0;

    for call in &calls {
        let bench = Bench::beside_a_neighbour();
        let (status, _) = save_with(&bench, "signal=KILL", call);
        killed += usize::from(status.signal() == Some(9));
        assert_sound(&bench, &[None, Some("new")], &format!("killed at {call:?}"));
    }

    assert!(killed >= 8 && killed + 4 >= calls.len(), "only {killed} of {} were killed", calls.len());
}

#[test]
fn i13_a_save_that_the_system_turns_down_at_any_call_says_so_and_leaves_the_old_record() {
    // Memory and threads do not belong to the store, and Rust aborts the process if they fail.
    // geteuid never fails.
    const NOT_OURS: [&str; 10] =
        ["geteuid", "mmap", "munmap", "mremap", "mprotect", "madvise", "brk", "futex", "rt_sigaction", "sched_yield"];
    let calls = calls_of_a_save(&Bench::with_neighbour("old"));
    let calls: Vec<_> = calls.into_iter().filter(|(name, _)| !NOT_OURS.contains(&name.as_str())).collect();
    let mut refused = BTreeMap::<&str, usize>::new();

    for error in ["ENOSPC", "EROFS", "EIO", "EMFILE", "EACCES", "EINTR"] {
        for call in &calls {
            let bench = Bench::with_neighbour("old");
            let (status, said) = save_with(&bench, &format!("error={error}"), call);
            let at = format!("{error} at {call:?}");
            let said = said.unwrap_or_else(|| panic!("{at}: {status}"));
            let expected = if said == "saved" { "new" } else { "old" };
            assert_eq!(bench.token().as_deref(), Some(expected), "{at}: {said}");
            if !call.0.starts_with("unlink") {
                assert_eq!(bench.files().len(), 1, "{at}: {:?}", bench.files());
            }
            *refused.entry(error).or_default() += usize::from(said != "saved");
            assert!(error != "EINTR" || said == "saved" || call.0 == "getrandom", "{at}: an interrupted call is repeated: {said}");
            assert_sound(&bench, &[Some(expected)], &at);
        }
    }

    assert!(refused.iter().all(|(error, count)| *error == "EINTR" || *count >= 5), "the errors were seen: {refused:?}");
}
