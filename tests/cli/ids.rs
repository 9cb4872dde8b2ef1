//! The organization and the project of a profile: they travel with the token, and fill in placeholders.

use crate::support::{Scene, json, stderr, stdout};
use assert_cmd::Command;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID};

const PROJECT: &str = "5f0000000000000000000002";

fn scene(ids: &str) -> Scene {
    let scene = Scene::new();
    scene.write_profile(&format!(
        "[stg]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = '{DEFAULT_CLIENT_SECRET}'\nbase_url = '{}'\n{ids}",
        scene.emulator.base_url()
    ));
    scene
}

fn ids() -> String {
    format!("org_id = '{DEFAULT_ORG_ID}'\nproject_id = '{PROJECT}'\n")
}

/// The command without the account of the scene.
fn bare<'a>(scene: &Scene, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = scene.tokenwell(arguments);
    for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
        command.env_remove(name);
    }
    command
}

#[cfg(unix)]
#[test]
fn n3_the_organization_and_the_project_of_a_profile_travel_with_the_token() {
    let scene = scene(&ids());

    let environment = stdout(&bare(&scene, ["exec", "--profile", "stg", "--", "env"]).assert().success());

    for expected in [format!("MONGODB_ATLAS_ORG_ID={DEFAULT_ORG_ID}"), format!("MONGODB_ATLAS_PROJECT_ID={PROJECT}")] {
        assert!(environment.lines().any(|line| line == expected), "{environment}");
    }
    // A variable has precedence over a profile, as everywhere.
    let mut command = bare(&scene, ["exec", "--profile", "stg", "--", "env"]);
    let environment = stdout(&command.env("MCLI_ORG_ID", "other").assert().success());
    assert!(!environment.contains("MONGODB_ATLAS_ORG_ID=") && environment.contains("MCLI_ORG_ID=other"), "{environment}");
}

#[test]
fn n3_env_sets_the_organization_and_the_project_of_a_profile() {
    let scene = scene(&ids());
    let printed = |shell: &str| stdout(&bare(&scene, ["env", "--profile", "stg", "--shell", shell]).assert().success());

    let sh = printed("sh");
    assert!(sh.contains(&format!("; export MONGODB_ATLAS_ORG_ID='{DEFAULT_ORG_ID}'; export MONGODB_ATLAS_PROJECT_ID='{PROJECT}'")), "{sh}");
    assert_eq!(sh.lines().count(), 1, "{sh}");
    for shell in ["dotenv", "gitlab", "github"] {
        let lines = printed(shell);
        assert!(lines.contains(&format!("\nMONGODB_ATLAS_ORG_ID={DEFAULT_ORG_ID}\nMONGODB_ATLAS_PROJECT_ID={PROJECT}\n")), "{lines}");
    }
    assert!(printed("cmd").contains(&format!("\nset \"MONGODB_ATLAS_ORG_ID={DEFAULT_ORG_ID}\"")), "{}", printed("cmd"));
}

#[test]
fn n3_the_placeholders_of_a_path_are_the_ids_of_the_profile() {
    let scene = scene(&ids());
    let path = "orgs/{org}/serviceAccounts";

    bare(&scene, ["api", path, "--profile", "stg"]).assert().success();
    let request = scene.emulator.last_request(&format!("/api/atlas/v2/orgs/{DEFAULT_ORG_ID}/serviceAccounts"));
    assert!(request.is_some());
    let mut by_variable = bare(&scene, ["api", path, "--profile", "stg"]);
    by_variable.env("MONGODB_ATLAS_ORG_ID", "5f00000000000000000000ff").assert().code(5);
    assert_eq!(json(&bare(&scene, ["profile", "show", "stg", "--json"]).assert().success())["settings"]["project_id"], PROJECT);
}

#[test]
fn the_ids_of_a_profile_whose_account_is_not_used_are_not_used() {
    let scene = scene(&ids());

    let message = stderr(&scene.tokenwell(["api", "orgs/{org}"]).env("TOKENWELL_PROFILE", "stg").assert().code(2).stdout(""));

    assert!(message.contains("MONGODB_ATLAS_ORG_ID is not set") && message.contains("or org_id in the profile"), "{message}");
}

#[test]
fn n3_an_id_that_is_none_is_an_error_of_its_line() {
    for (ids, problem) in
        [("org_id = '../x'\n", "is not an id"), ("project_id = 5\n", "must be a string, not an integer"), ("org_id = ''\n", "is not an id")]
    {
        let scene = scene(ids);
        let message = stderr(&bare(&scene, ["token", "--profile", "stg"]).assert().code(2).stdout(""));
        assert!(message.contains(problem) && message.contains("config.toml:5") && !message.contains("../x"), "{message}");
        let listed = json(&bare(&scene, ["profile", "list", "--json"]).assert().success());
        assert!(listed[0]["problem"].as_str().is_some_and(|found| found.contains(problem)), "{listed}");
    }
}

#[test]
fn n3_a_login_with_another_account_drops_the_ids_and_one_with_the_same_keeps_them() {
    let scene = scene(&ids());
    let config = || std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).unwrap();
    let login = |id: &str, url: &str| {
        let mut command = bare(
            &scene,
            ["login", "--profile", "stg", "--no-verify", "--force", "--client-secret-stdin", "--client-id", id, "--base-url", url],
        );
        command.write_stdin(DEFAULT_CLIENT_SECRET).assert().success();
    };

    login(DEFAULT_CLIENT_ID, scene.emulator.base_url());
    assert!(config().contains("org_id = ") && config().contains("project_id = "), "{}", config());
    login("mdb_sa_id_00000000000000000000abcd", scene.emulator.base_url());
    assert!(!config().contains("org_id") && !config().contains("project_id"), "{}", config());
}
