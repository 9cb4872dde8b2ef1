//! The client id and the secret: from flags, variables, files and standard input.

use crate::support::{Scene, is_token, stderr, stdout, text};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// The command without the account of the scene.
fn without_account<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> assert_cmd::Command {
    let mut command = scene.tokenwell(arguments);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
    command
}

#[test]
fn n6_a_flag_for_one_half_and_a_variable_of_tokenwell_for_the_other_are_a_pair() {
    let scene = Scene::new();
    let file = scene.private("secret", DEFAULT_CLIENT_SECRET);
    let with = |arguments: &[&'static str], variables: &[(&str, &str)]| {
        let mut command = without_account(&scene, ["token"].into_iter().chain(arguments.iter().copied()));
        command.envs(variables.iter().copied());
        command
    };
    let id = ("TOKENWELL_CLIENT_ID", DEFAULT_CLIENT_ID);

    for mut command in [
        with(&["--client-id", DEFAULT_CLIENT_ID], &[("TOKENWELL_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)]),
        with(&["--client-id", DEFAULT_CLIENT_ID], &[("TOKENWELL_CLIENT_SECRET_FILE", text(&file))]),
        with(&["--client-id", DEFAULT_CLIENT_ID], &[id, ("TOKENWELL_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)]),
        with(&["--client-secret-file", "secret"], &[id]),
    ] {
        assert!(is_token(stdout(&command.assert().success()).trim_end()));
    }
    let mut by_stdin = with(&["--client-secret-stdin"], &[id]);
    assert!(is_token(stdout(&by_stdin.write_stdin(DEFAULT_CLIENT_SECRET).assert().success()).trim_end()));
}

#[test]
fn the_secret_of_another_account_is_never_used() {
    let scene = Scene::new();

    for (variables, named) in [
        (&[("TOKENWELL_CLIENT_ID", "other"), ("TOKENWELL_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)][..], "TOKENWELL_CLIENT_SECRET is set"),
        (&[("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_SECRET)], "MONGODB_ATLAS_CLIENT_SECRET is set"),
    ] {
        let mut command = without_account(&scene, ["token", "--client-id", DEFAULT_CLIENT_ID]);
        let message = stderr(&command.envs(variables.iter().copied()).assert().code(3).stdout(""));
        assert!(message.contains(named) && message.contains("same source"), "{message}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 0);
}

#[test]
fn n39_standard_input_and_a_file_have_the_same_rule_for_newlines() {
    let scene = Scene::new();

    for (ending, is_accepted) in [("", true), ("\n", true), ("\r\n", true), ("\n\n", false), ("\nmore", false), ("\n\n\n", false)] {
        let secret = format!("{DEFAULT_CLIENT_SECRET}{ending}");
        scene.private("secret", &secret);
        let code = if is_accepted { 0 } else { 3 };

        let by_file =
            without_account(&scene, ["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", "secret"]).assert().code(code);
        let mut by_stdin = without_account(&scene, ["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"]);
        let by_stdin = by_stdin.write_stdin(secret).assert().code(code);

        for assert in [by_file, by_stdin] {
            assert!(is_accepted || stderr(&assert).contains("contains more than one line"), "{ending:?}: {}", stderr(&assert));
            assert!(!stderr(&assert).contains(DEFAULT_CLIENT_SECRET));
        }
    }
}

#[test]
fn the_error_for_a_missing_credential_names_the_profiles_that_have_one() {
    let scene = Scene::new();
    let profile = |name: &str| format!("[{name}]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = '{DEFAULT_CLIENT_SECRET}'\n");
    let hint = || stderr(&without_account(&scene, ["token"]).assert().code(3).stdout(""));

    assert!(!hint().contains("--profile"), "{}", hint());
    scene.write_profile(&format!("[empty]\ntimeout_ms = 5000\n\n{}", profile("staging")));
    assert!(hint().contains("hint: The profile staging has an account: use --profile staging, or make it the default with"), "{}", hint());
    scene.write_profile(&(profile("staging") + &profile("prod") + "[broken]\nclient_idd = 'x'\n"));
    assert!(hint().contains("hint: The profiles prod, staging have accounts: use --profile NAME"), "{}", hint());

    let mut inside = without_account(&scene, ["token"]);
    let inside = stderr(&inside.env("TOKENWELL_EXEC_DEPTH", "1").assert().code(3));
    assert!(inside.contains("runs inside `tokenwell exec`") && inside.contains("The profiles prod, staging"), "{inside}");
}

#[test]
fn the_hint_of_a_rejection_names_settings_as_the_user_of_the_command_wrote_them() {
    let scene = Scene::new();
    let url = format!("{}/api/oauth/token", scene.emulator.base_url());
    let rejected = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = scene.tokenwell(["token", "--token-url", &url, "--force-refresh"].into_iter().chain(arguments.iter().copied()));
        command.env_remove("MONGODB_ATLAS_BASE_URL").env("MONGODB_ATLAS_CLIENT_SECRET", "wrong").envs(variables.iter().copied());
        stderr(&command.assert().code(4).stdout(""))
    };

    let unset = rejected(&[], &[]);
    assert!(unset.contains("set --auth-method.") && !unset.contains("auth_method"), "{unset}");
    let variable = rejected(&[], &[("TOKENWELL_AUTH_METHOD", "client_secret_basic")]);
    assert!(variable.contains("set TOKENWELL_AUTH_METHOD.") && !variable.contains("auth_method"), "{variable}");
    let flag = rejected(&["--auth-method", "client_secret_basic_raw"], &[]);
    assert!(flag.contains("set --auth-method."), "{flag}");
}
