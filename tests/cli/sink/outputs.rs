//! Several files in several formats, and standard output.

use super::{Sink, content};
use crate::support::{Scene, is_token, stderr, stdout, text, until};
use nix::sys::signal::Signal;

#[test]
fn n25_a_dash_is_standard_output() {
    let scene = Scene::new();

    let token = stdout(&scene.tokenwell(["sink", "--once", "-"]).assert().success().stderr(""));
    let object = stdout(&scene.tokenwell(["sink", "--once", "--format", "json", "-"]).assert().success());
    let both = stdout(&scene.tokenwell(["sink", "--once", "--output", "header=-", "token"]).assert().success());

    assert!(is_token(&token), "{token}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&object).unwrap()["access_token"], token);
    assert_eq!(both, format!("Authorization: Bearer {token}\n"));
    assert_eq!(content(&scene.path("token")).unwrap(), token);
    assert!(!scene.path("-").exists());
}

#[test]
fn n25_standard_output_is_written_once() {
    let scene = Scene::new();

    let kept = stderr(&scene.tokenwell(["sink", "-"]).assert().code(2).stdout(""));
    let twice = stderr(&scene.tokenwell(["sink", "--once", "-", "--output", "json=-"]).assert().code(2).stdout(""));

    assert!(kept.contains("standard output cannot be kept up to date") && kept.contains("--once"), "{kept}");
    assert!(twice.contains("two outputs write to standard output"), "{twice}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn one_sink_writes_several_files() {
    let scene = Scene::new();
    let template =
        scene.write("app.tmpl", "[auth]\nheader = \"{{ authorization }}\"\nuntil = {{ expires_at_unix }} # {{expires_at}} { }\n");
    let from_template = format!("{}=app.conf", text(&template));
    let arguments =
        ["token", "--output", "json=a=b.json", "--output", "dotenv=token.env", "--output", "curl=c", "--template", &from_template];
    let mut sink = Sink::start(&scene, &arguments);

    let conf = until("the last file", || content(&scene.path("app.conf")));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    let token = content(&scene.path("token")).unwrap();
    let object: serde_json::Value = serde_json::from_str(&content(&scene.path("a=b.json")).unwrap()).unwrap();
    assert_eq!(object["access_token"], token);
    assert_eq!(content(&scene.path("token.env")).unwrap(), format!("MONGODB_ATLAS_ACCESS_TOKEN={token}\n"));
    assert_eq!(content(&scene.path("c")).unwrap(), format!("header = \"Authorization: Bearer {token}\"\n"));
    assert!(conf.starts_with(&format!("[auth]\nheader = \"Bearer {token}\"\nuntil = ")), "{conf}");
    assert!(conf.ends_with(&format!(" # {} {{ }}\n", object["expires_at"].as_str().unwrap())), "{conf}");
    assert_eq!(scene.emulator.counters().tokens_minted, 1);
}

#[test]
fn outputs_that_are_wrong_are_refused_before_a_token_is_requested() {
    let scene = Scene::new();
    scene.write("wrong.tmpl", "{{ secret }}");
    scene.write("right.tmpl", "{{ token }}");

    for (arguments, expected) in [
        (&["--output", "xml=a"][..], "`xml` is not a format: raw, header, curl, json, dotenv"),
        (&["--output", "json"], "expected FORMAT=FILE"),
        (&["--template", "wrong.tmpl=a"], "`wrong.tmpl` has the unknown placeholder `secret` in line 1"),
        (&["--template", "missing.tmpl=a"], "cannot read `missing.tmpl`"),
        (&["a", "--output", "json=a"], "the file a is used twice"),
        (&["a", "--output", "json=./a"], "the file ./a is used twice"),
        (&["a", "--metrics", "./a"], "the file a is used twice"),
        (&["--template", "right.tmpl=right.tmpl"], "the file right.tmpl is used twice"),
        (&["a", "--exec", "'"], "--exec: `'` is not a command line"),
        (&["a", "--signal", "KILL:/run/a.pid"], "--signal: `KILL` is not one of"),
        (&[], "missing: FILE"),
    ] {
        let message = stderr(&scene.tokenwell([&["sink"], arguments].concat()).assert().code(2).stdout(""));
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
    assert!(!scene.path("a").exists());
}
