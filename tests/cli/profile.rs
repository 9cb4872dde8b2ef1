//! `profile list`, `show`, `use`, `rename` and `remove`.

use crate::support::{Scene, is_token, json, stderr, stdout, text};
use assert_cmd::Command;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// The command without an account and a server in the environment.
fn bare<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = scene.tokenwell(arguments);
    for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
        command.env_remove(name);
    }
    command
}

fn login(scene: &Scene, profile: &str) {
    let arguments =
        ["login", "--profile", profile, "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin", "--base-url", scene.emulator.base_url()];
    bare(scene, arguments).write_stdin(DEFAULT_CLIENT_SECRET).assert().success();
}

fn atlas_cli(scene: &Scene, content: &str) -> std::path::PathBuf {
    let folder = if cfg!(target_os = "macos") { "Library/Application Support/atlascli" } else { "config/atlascli" };
    std::fs::create_dir_all(scene.path(folder)).unwrap();
    scene.private(&format!("{folder}/config.toml"), content)
}

fn file(scene: &Scene) -> String {
    std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).unwrap()
}

fn secrets(scene: &Scene) -> Vec<String> {
    let entries = std::fs::read_dir(scene.path("config/tokenwell/secrets")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn n36_list_shows_every_profile_with_its_server_account_and_secret() {
    let scene = Scene::new();
    login(&scene, "default");
    login(&scene, "stg");
    let ours = scene.path("config/tokenwell/config.toml");
    let theirs = atlas_cli(&scene, "[prod]\nclient_id = 'mdb_sa_id_1'\nservice = 'cloudgov'\n[key]\npublic_api_key = 'abc'\n");

    let list = stdout(&bare(&scene, ["profile", "list"]).assert().success().stderr(""));

    let url = scene.emulator.base_url();
    let expected = [
        text(&ours).to_owned(),
        format!("* default  {url}  {DEFAULT_CLIENT_ID}  file"),
        format!("  stg      {url}  {DEFAULT_CLIENT_ID}  file"),
        format!("{} (Atlas CLI)", text(&theirs)),
        "  key   not usable: it contains an API key, not a service account".to_owned(),
        "  prod  https://cloud.mongodbgov.com  mdb_sa_id_1  keyring".to_owned(),
    ];
    assert_eq!(list.lines().collect::<Vec<_>>(), expected);

    let answer = json(&bare(&scene, ["profile", "list", "--json"]).env("TOKENWELL_PROFILE", "stg").assert().success());
    let members = |index: usize| {
        let entry = &answer[index];
        (entry["name"].as_str().unwrap(), entry["used"] == true, entry["default"] == true, entry["program"].as_str().unwrap())
    };
    assert_eq!(members(0), ("default", false, true, "tokenwell"));
    assert_eq!(members(1), ("stg", true, false, "tokenwell"));
    assert_eq!(members(3), ("prod", false, false, "atlascli"));
    assert_eq!((&answer[0]["server"], &answer[0]["secret"]["kind"]), (&url.into(), &"file".into()));
    assert_eq!(answer[3]["secret"], serde_json::json!({"kind": "keyring", "service": "atlascli_prod"}));
    assert!(!answer.to_string().contains(DEFAULT_CLIENT_SECRET));
}

#[test]
fn n36_list_without_a_profile_says_how_to_make_one() {
    let scene = Scene::new();

    let assert = bare(&scene, ["profile", "list"]).assert().success().stdout("");

    assert!(stderr(&assert).contains("there is no profile; `tokenwell login` creates one"), "{}", stderr(&assert));
    assert_eq!(json(&bare(&scene, ["profile", "list", "--json"]).assert().success()), serde_json::json!([]));
}

#[test]
fn n36_a_file_that_is_missing_is_not_an_empty_list() {
    let scene = Scene::new();

    let assert = bare(&scene, ["profile", "list"]).env("TOKENWELL_CONFIG_FILE", "/nonexistent/file").assert().code(3).stdout("");

    let message = stderr(&assert);
    assert!(message.contains("/nonexistent/file (set by TOKENWELL_CONFIG_FILE)"), "{message}");
    assert!(message.contains("no profile can be read from"), "{message}");
}

#[test]
fn n36_list_shows_the_usable_file_beside_one_that_is_not() {
    let scene = Scene::new();
    login(&scene, "default");
    atlas_cli(&scene, "not toml");

    let assert = bare(&scene, ["profile", "list"]).assert().success();

    assert!(stdout(&assert).contains("* default"), "{}", stdout(&assert));
    assert!(stderr(&assert).contains("atlascli/config.toml:1 is not valid TOML"), "{}", stderr(&assert));
}

#[test]
fn n36_show_has_every_setting_but_no_secret() {
    let scene = Scene::new();
    scene.write_profile(
        "[stg]\nclient_id = 'one'\nclient_secret = 'canary'\ntoken_url = 'https://login.example/token'\nproxy = 'http://u:canary@proxy.example:1'\n\
         timeout_ms = 5000\n",
    );

    let shown = stdout(&bare(&scene, ["profile", "show", "stg"]).assert().success());
    let answer = json(&bare(&scene, ["profile", "show", "stg", "--json"]).assert().success());

    for part in ["client_id   one", "token_url   https://login.example/token", "proxy       http://proxy.example:1", "timeout_ms  5000"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(shown.contains("secret      in the profile itself"), "{shown}");
    assert_eq!(answer["settings"]["timeout_ms"], "5000");
    assert!(!shown.contains("canary") && !answer.to_string().contains("canary"));
}

#[test]
fn n36_use_selects_the_profile_of_all_commands() {
    let scene = Scene::new();
    login(&scene, "stg");
    let before = file(&scene);
    bare(&scene, ["token"]).assert().code(3);

    let message = stderr(&bare(&scene, ["profile", "use", "stg"]).assert().success().stdout(""));

    assert!(message.contains("profile stg is now the default"), "{message}");
    assert_eq!(file(&scene), format!("default_profile = \"stg\"\n\n{before}"));
    assert!(is_token(stdout(&bare(&scene, ["token"]).assert().success()).trim_end()));
    assert!(stdout(&bare(&scene, ["profile", "list"]).assert().success()).contains("* stg"));
    let source = json(&bare(&scene, ["status", "--json"]).assert().success())["sources"]["client_id"].clone();
    assert!(source.as_str().unwrap().starts_with("profile stg in "), "{source}");

    // logout names it, and the default is gone with it.
    let message = stderr(&bare(&scene, ["logout"]).assert().success());
    assert!(
        message.contains("removing profile stg (set by default_profile in ") && message.contains("it was the default profile"),
        "{message}"
    );
    assert!(!file(&scene).contains("default_profile"), "{}", file(&scene));
}

#[test]
fn n36_use_of_a_profile_that_does_not_exist_changes_nothing() {
    let scene = Scene::new();
    login(&scene, "stg");
    let before = file(&scene);

    let message = stderr(&bare(&scene, ["profile", "use", "production"]).assert().code(3));

    assert!(message.contains("there is no profile production: the profiles are stg"), "{message}");
    assert_eq!(file(&scene), before);
}

#[test]
fn n36_use_default_is_the_way_back() {
    let scene = Scene::new();
    login(&scene, "default");
    login(&scene, "stg");
    bare(&scene, ["profile", "use", "stg"]).assert().success();

    bare(&scene, ["profile", "use", "default"]).assert().success();

    assert!(!file(&scene).contains("default_profile"), "{}", file(&scene));
}

#[test]
fn n36_use_default_removes_the_line_also_without_a_profile_of_that_name() {
    let scene = Scene::new();
    login(&scene, "stg");
    bare(&scene, ["profile", "use", "stg"]).assert().success();

    bare(&scene, ["profile", "use", "default"]).assert().success();

    assert!(!file(&scene).contains("default_profile"), "{}", file(&scene));
}

#[test]
fn n36_a_variable_that_overrides_the_default_is_named() {
    let scene = Scene::new();
    login(&scene, "stg");

    let message = stderr(&bare(&scene, ["profile", "use", "stg"]).env("MCLI_PROFILE", "other").assert().success());

    assert!(message.contains("MCLI_PROFILE selects profile other; unset it to use the default"), "{message}");
}

#[test]
fn a_default_profile_that_does_not_exist_is_an_error_that_names_the_line() {
    let scene = Scene::new();
    let path = scene.write_profile("default_profile = 'gone'\n");

    let message = stderr(&bare(&scene, ["token"]).assert().code(3));

    assert!(message.contains(&format!("there is no profile gone (set by default_profile in {}:1)", text(&path))), "{message}");
    // A program that has its credential needs no profile.
    scene.tokenwell(["token"]).assert().success();
}

#[test]
fn a_default_profile_that_is_no_name_is_an_error() {
    let scene = Scene::new();
    for (value, problem) in [("3", "must be a string, not an integer"), ("'a b'", "contains a space"), ("''", "is empty")] {
        scene.write_profile(&format!("default_profile = {value}\n"));

        for command in [&["token"][..], &["logout"], &["profile", "list"]] {
            let message = stderr(&bare(&scene, command.iter().copied()).assert().code(2));
            assert!(message.contains("default_profile in ") && message.contains(problem), "{command:?}: {message}");
        }
    }
}

#[test]
fn n36_rename_keeps_the_place_the_comments_and_the_secret() {
    let scene = Scene::new();
    login(&scene, "stg");
    let kept = format!(
        "# ours\n\n# staging\n{}\n[zz]\nclient_id = 'z' # z\n",
        file(&scene).replace("client_secret_file", "timeout_ms = 7000 # ms\nclient_secret_file")
    );
    scene.write_profile(&kept);
    bare(&scene, ["profile", "use", "stg"]).assert().success();

    let message = stderr(&bare(&scene, ["profile", "rename", "stg", "staging"]).assert().success().stdout(""));

    assert!(message.contains("renamed profile stg to staging") && message.contains("still the default"), "{message}");
    let [secret] = secrets(&scene).try_into().unwrap();
    let old = kept.split("secrets/").nth(1).unwrap().split('"').next().unwrap();
    assert!(secret.starts_with("staging~"), "{secret}");
    let expected = kept.replace("[stg]", "[staging]").replace(old, &secret);
    assert_eq!(file(&scene), format!("default_profile = \"staging\"\n\n{expected}"));
    assert!(is_token(stdout(&bare(&scene, ["token", "--profile", "staging", "--force-refresh"]).assert().success()).trim_end()));
}

#[test]
fn n36_rename_to_an_existing_or_invalid_name_changes_nothing() {
    let scene = Scene::new();
    login(&scene, "one");
    login(&scene, "two");
    let before = (file(&scene), secrets(&scene));

    for (old, new, code, part) in
        [("one", "two", 2, "two exists in "), ("one", "a b", 2, "NEW contains a space"), ("no", "three", 3, "there is no profile no in ")]
    {
        let message = stderr(&bare(&scene, ["profile", "rename", old, new]).assert().code(code));
        assert!(message.contains(part), "{message}");
    }

    assert_eq!((file(&scene), secrets(&scene)), before);
}

#[test]
fn n36_remove_removes_profile_secret_and_cached_token() {
    let scene = Scene::new();
    login(&scene, "stg");

    let message = stderr(&bare(&scene, ["profile", "remove", "stg"]).assert().success().stdout(""));

    assert!(message.starts_with(&format!("tokenwell: removing profile stg: {DEFAULT_CLIENT_ID} at ")), "{message}");
    assert!(!file(&scene).contains("[stg]") && secrets(&scene).is_empty());
    assert!(json(&scene.tokenwell(["status", "--json"]).assert().success())["token"].is_null());
    bare(&scene, ["profile", "remove", "stg"]).assert().code(3);
}

#[test]
fn a_profile_that_cannot_be_used_does_not_become_the_default() {
    let scene = Scene::new();
    login(&scene, "stg");
    let path = scene.path("config/tokenwell/config.toml");
    let content =
        format!("{}\n[broken]\nclient_idd = \"x\"\n\n[gone]\nclient_id = \"mdb_sa_id_1\"\nclient_secret_file = \"none\"\n", file(&scene));
    std::fs::write(&path, &content).unwrap();

    for (name, problem) in [("broken", "unknown setting client_idd"), ("gone", "its secret file ")] {
        let message = stderr(&bare(&scene, ["profile", "use", name]).assert().code(3).stdout(""));
        assert!(message.contains(&format!("profile {name} is not the default: ")) && message.contains(problem), "{message}");
        assert!(message.contains(&format!("tokenwell login --profile {name} --force")), "{message}");
        assert_eq!(file(&scene), content);
    }
}

#[test]
fn removing_the_default_profile_says_what_is_used_then() {
    let scene = Scene::new();
    for name in ["stg", "prod", "default"] {
        login(&scene, name);
    }
    bare(&scene, ["profile", "use", "stg"]).assert().success();

    let other = stderr(&bare(&scene, ["profile", "remove", "prod"]).assert().success());
    assert!(!other.contains("default profile"), "{other}");
    let explicit = stderr(&bare(&scene, ["profile", "remove", "stg"]).assert().success());
    let expected = format!("it was the default profile; commands that select none now use profile default ({DEFAULT_CLIENT_ID} at ");
    assert!(explicit.contains(&expected), "{explicit}");

    login(&scene, "stg");
    let implicit = stderr(&bare(&scene, ["logout"]).assert().success());
    assert!(
        implicit.contains("it was the default profile; commands that select none now use no profile; `tokenwell profile use NAME`"),
        "{implicit}"
    );
    let mut last = bare(&scene, ["logout"]);
    let last = stderr(&last.env("TOKENWELL_PROFILE", "stg").assert().success());
    assert!(!last.contains("default profile"), "a variable selected it: {last}");
}
