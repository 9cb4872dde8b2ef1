//! `sink --once` with what runs later: refused, with what to do instead.

use crate::support::{Scene, stderr};

#[test]
fn once_refuses_what_runs_after_the_first_token_and_says_what_to_do() {
    let scene = Scene::new();

    for (flags, flag, instead) in [
        (&["--exec", "true"][..], "--exec", "run it afterwards: tokenwell sink --once FILE && PROGRAM"),
        (&["--signal", "HUP:/run/app.pid"], "--signal", "run it afterwards: tokenwell sink --once FILE && kill -HUP PID"),
        (&["--metrics", "m"], "--metrics", "or leave out --metrics"),
        (&["--remove-when-expired"], "--remove-when-expired", "or leave out --remove-when-expired"),
        (&["--remove-on-exit"], "--remove-on-exit", "or leave out --remove-on-exit"),
    ] {
        let arguments = ["sink", "--once", "t"].into_iter().chain(flags.iter().copied());
        let message = stderr(&scene.tokenwell(arguments).assert().code(2).stdout(""));

        let problem = format!("tokenwell: {flag} cannot be used with --once, which ends as soon as the files are written");
        assert!(message.starts_with(&problem) && message.contains(instead), "{message}");
    }
    assert!(!scene.path("t").exists());
    assert_eq!(scene.emulator.counters().connections, 0);
}
