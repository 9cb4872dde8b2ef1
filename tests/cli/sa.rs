//! `sa list`, `show`, `projects`, `access list` and `secret list`: what they print, and what they say
//! when the API refuses.

use crate::support::{Scene, json, stderr, stdout};
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

pub const ACCOUNTS: &str = "/api/atlas/v2/orgs/0e0000000000000000000001/serviceAccounts";

/// Creates an account with `tokenwell api` and returns it.
pub fn created(scene: &Scene, level: &str, name: &str, role: &str, hours: u32) -> Value {
    let body = json!({ "name": name, "description": "made by a test", "roles": [role], "secretExpiresAfterHours": hours }).to_string();
    let answer = scene.tokenwell(["api", "POST", &format!("{level}/serviceAccounts"), "--data", &body]).assert().success();
    serde_json::from_str(&stdout(&answer)).unwrap()
}

pub fn org() -> String {
    format!("orgs/{DEFAULT_ORG_ID}")
}

pub fn id_of(account: &Value) -> &str {
    account["clientId"].as_str().unwrap()
}

#[test]
fn l5_list_prints_every_account_as_a_table_as_json_and_as_ids() {
    let scene = Scene::new();
    let deploy = created(&scene, &org(), "deploy", "ORG_READ_ONLY", 720);

    let table = stdout(&scene.tokenwell(["sa", "list"]).assert().success());
    let array = json(&scene.tokenwell(["sa", "list", "--json"]).assert().success());
    let ids = stdout(&scene.tokenwell(["sa", "list", "-q"]).assert().success().stderr(""));

    let line = table.lines().find(|line| line.starts_with(id_of(&deploy))).unwrap();
    assert!(line.contains("deploy") && line.contains("in 29 d") && line.ends_with("ORG_READ_ONLY"), "{table}");
    assert_eq!(table.lines().count(), 2, "{table}");
    assert_eq!(ids, format!("{DEFAULT_CLIENT_ID}\n{}\n", id_of(&deploy)));
    assert_eq!(array[1]["clientId"], deploy["clientId"]);
    assert!(array[1]["secrets"][0]["secret"].is_null() && !table.contains("mdb_sa_sk_"), "{array}");
}

#[test]
fn the_organization_is_the_only_one_of_the_account_or_the_one_that_is_named() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["sa", "list"]).assert().success());
    assert!(message.contains(&format!("organization {DEFAULT_ORG_ID} (Emulated organization), the only one of this account")), "{message}");
    scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID]).assert().success().stderr("");
    scene.tokenwell(["sa", "list"]).env("MONGODB_ATLAS_ORG_ID", DEFAULT_ORG_ID).assert().success().stderr("");

    scene.tokenwell(["sa", "list", "--project", DEFAULT_PROJECT_ID]).env("MONGODB_ATLAS_ORG_ID", DEFAULT_ORG_ID).assert().success();
    let path = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT_ID}/serviceAccounts");
    assert!(scene.emulator.last_request(&path).is_some());
    for (arguments, problem) in
        [(["sa", "list", "--org", "../x"], "--org: `../x` is not an id"), (["sa", "list", "--project", ""], "--project: `` is not an id")]
    {
        let message = stderr(&scene.tokenwell(arguments).assert().code(2).stdout(""));
        assert!(message.contains(problem), "{message}");
    }
    let message = stderr(&scene.tokenwell(["sa", "list"]).env("MCLI_PROJECT_ID", "a b").assert().code(2));
    assert!(message.contains("MCLI_PROJECT_ID: `a b` is not an id"), "{message}");
}

#[test]
fn an_account_without_an_organization_has_to_name_one() {
    let scene = Scene::new();
    let none = json!([{ "path": "/api/atlas/v2/orgs", "status": 200, "body": { "results": [] } }]);
    scene.emulator.set_faults(none).unwrap();

    let message = stderr(&scene.tokenwell(["sa", "list"]).assert().code(2).stdout(""));

    assert!(message.contains("can access no organization") && message.contains("--project"), "{message}");
}

#[test]
fn expiring_within_has_an_exit_code() {
    let scene = Scene::new();
    scene.tokenwell(["sa", "list", "--expiring-within", "30d"]).assert().success().stdout("");
    let soon = created(&scene, &org(), "soon", "ORG_MEMBER", 24);
    created(&scene, &org(), "later", "ORG_MEMBER", 8760);

    let assert = scene.tokenwell(["sa", "list", "--expiring-within", "30d", "-q"]).assert().code(12);

    assert_eq!(stdout(&assert), format!("{}\n", id_of(&soon)));
    let array = json(&scene.tokenwell(["sa", "list", "--expiring-within", "30d", "--json"]).assert().code(12));
    assert_eq!((array.as_array().unwrap().len(), &array[0]["clientId"]), (1, &soon["clientId"]));
    let table = stdout(&scene.tokenwell(["sa", "list", "--expiring-within", "30d", "--org", DEFAULT_ORG_ID]).assert().code(12).stderr(""));
    assert!(table.starts_with(id_of(&soon)) && table.lines().count() == 1, "{table}");
    // Nothing to report is an empty result in every form.
    let none =
        |flag: &'static str| scene.tokenwell(["sa", "list", "--expiring-within", "1h", "--org", DEFAULT_ORG_ID, flag]).assert().success();
    none("--json").stdout("[]\n").stderr("");
    none("-q").stdout("").stderr("");
    scene.tokenwell(["sa", "list", "--expiring-within", "1h"]).assert().success();
    scene.tokenwell(["sa", "list", "--expiring-within", "30"]).assert().code(2);
}

#[test]
fn show_is_about_the_account_that_is_signed_in_unless_another_one_is_named() {
    let scene = Scene::new();
    let deploy = created(&scene, &org(), "deploy", "ORG_READ_ONLY", 24);

    let own = stdout(&scene.tokenwell(["sa", "show"]).assert().success());
    let other = stdout(&scene.tokenwell(["sa", "show", id_of(&deploy)]).assert().success());
    let object = json(&scene.tokenwell(["sa", "show", id_of(&deploy), "--json"]).assert().success());

    assert!(own.contains(DEFAULT_CLIENT_ID) && own.contains("ORG_OWNER"), "{own}");
    assert!(other.contains("deploy") && other.contains("in 23 h") && other.contains("never"), "{other}");
    assert_eq!((&object["name"], &object["roles"][0]), (&json!("deploy"), &json!("ORG_READ_ONLY")));
    let message = stderr(&scene.tokenwell(["sa", "show", "mdb_sa_id_000000000000000000000009"]).assert().code(5).stdout(""));
    assert!(message.contains("SERVICE_ACCOUNT_NOT_FOUND") && message.contains("hint: Check the ids"), "{message}");
    let message = stderr(&scene.tokenwell(["sa", "show", "mdb_sa_sk_canary"]).assert().code(2).stdout(""));
    assert!(!message.contains("canary"), "{message}");
}

#[test]
fn fields_of_a_later_version_are_in_the_json() {
    let scene = Scene::new();
    let later = json!({ "clientId": DEFAULT_CLIENT_ID, "roles": ["ORG_OF_2030"], "color": { "hue": 7 } });
    scene.emulator.set_faults(json!([{ "path": format!("{ACCOUNTS}/*"), "status": 200, "body": later }])).unwrap();

    let object = json(&scene.tokenwell(["sa", "show", "--json"]).assert().success());

    assert_eq!((&object["color"]["hue"], &object["roles"][0]), (&json!(7), &json!("ORG_OF_2030")));
}

#[test]
fn the_secrets_the_access_list_and_the_projects_of_an_account_are_listed() {
    let scene = Scene::new();
    let deploy = created(&scene, &format!("groups/{DEFAULT_PROJECT_ID}"), "deploy", "GROUP_READ_ONLY", 24);
    let id = id_of(&deploy);
    let path = format!("{ACCOUNTS}/{id}/accessList");
    let entries = json!([{ "ipAddress": "192.0.2.1" }, { "cidrBlock": "2001:db8::/32" }]).to_string();
    scene.tokenwell(["api", "POST", &path, "--data", &entries]).assert().success();

    let secrets = stdout(&scene.tokenwell(["sa", "secret", "list", id]).assert().success());
    let access = stdout(&scene.tokenwell(["sa", "access", "list", id, "-q"]).assert().success());
    let projects = stdout(&scene.tokenwell(["sa", "projects", id]).assert().success());

    assert!(secrets.contains(deploy["secrets"][0]["id"].as_str().unwrap()) && secrets.contains("mdb_sa_sk_****"), "{secrets}");
    assert!(!secrets.contains(deploy["secrets"][0]["secret"].as_str().unwrap()), "{secrets}");
    assert_eq!((access.as_str(), projects), ("192.0.2.1\n2001:db8::/32\n", format!("{DEFAULT_PROJECT_ID}\n")));
    let array = json(&scene.tokenwell(["sa", "access", "list", id, "--json"]).assert().success());
    assert_eq!((&array[1]["cidrBlock"], &array[1]["requestCount"]), (&json!("2001:db8::/32"), &json!(0)));
    let message = stderr(&scene.tokenwell(["sa", "access", "list"]).assert().success().stdout(""));
    assert!(message.contains("is empty: every address may use the API"), "{message}");
}

#[test]
fn l5_an_error_on_a_later_page_prints_no_list() {
    let scene = Scene::new();
    let results: Vec<_> = (0..500).map(|number| json!({ "clientId": format!("mdb_sa_id_{number:024x}") })).collect();
    let next = json!([{ "rel": "next", "href": format!("{}{ACCOUNTS}?pageNum=2", scene.emulator.base_url()) }]);
    let page = json!({ "results": results, "totalCount": 600, "links": next });
    let faults = json!([{ "path": ACCOUNTS, "times": 1, "status": 200, "body": page }, { "path": ACCOUNTS, "status": 404 }]);

    for form in ["--json", "-q", "--color=never"] {
        scene.emulator.set_faults(faults.clone()).unwrap();
        scene.tokenwell(["sa", "list", form]).assert().code(5).stdout("");
    }
}

#[test]
fn l8_a_403_names_the_needed_role_and_the_roles_of_the_account() {
    let scene = Scene::new();
    let refused = json!({ "error": 403, "errorCode": "USER_UNAUTHORIZED", "detail": "no" });
    scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "status": 403, "body": refused }])).unwrap();

    let message = stderr(&scene.tokenwell(["sa", "list"]).assert().code(4).stdout(""));

    assert!(message.contains("HTTP status 403: no [USER_UNAUTHORIZED]"), "{message}");
    assert!(
        message.contains("needs the role Organization Read Only (ORG_READ_ONLY)") && message.contains("It has ORG_OWNER here."),
        "{message}"
    );
}

#[test]
fn l9_a_refused_address_is_named_with_the_command_that_adds_it() {
    let scene = Scene::new();
    let path = format!("{ACCOUNTS}/{DEFAULT_CLIENT_ID}/accessList");
    scene.tokenwell(["api", "POST", &path, "--data", r#"[{"ipAddress":"192.0.2.1"}]"#]).assert().success();

    for arguments in [&["sa", "list"][..], &["sa", "list", "--org", DEFAULT_ORG_ID]] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(4).stdout(""));
        assert!(message.contains(&format!("`tokenwell sa access add {DEFAULT_CLIENT_ID} 127.0.0.1`")), "{message}");
        assert!(message.contains("the access list of a project for its clusters is another one"), "{message}");
    }
}

#[test]
fn as_selects_the_account_that_sends_the_requests() {
    let scene = Scene::new();
    let deploy = created(&scene, &org(), "deploy", "ORG_READ_ONLY", 24);
    let secret = scene.private("secret", deploy["secrets"][0]["secret"].as_str().unwrap());
    scene.write_profile(&format!(
        "[reader]\nclient_id = \"{}\"\nclient_secret_file = \"{}\"\nbase_url = \"{}\"\n",
        id_of(&deploy),
        crate::support::text(&secret),
        scene.emulator.base_url()
    ));
    let mut command = scene.tokenwell(["sa", "show", "--as", "reader", "-q"]);
    for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
        command.env_remove(name);
    }

    assert_eq!(stdout(&command.assert().success()), format!("{}\n", id_of(&deploy)));
    let with_project =
        std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).unwrap() + &format!("project_id = \"{DEFAULT_PROJECT_ID}\"\n");
    scene.write_profile(&with_project);
    scene.tokenwell(["sa", "list", "--as", "reader"]).assert().success();
    assert!(scene.emulator.last_request(&format!("/api/atlas/v2/groups/{DEFAULT_PROJECT_ID}/serviceAccounts")).is_some());
    scene.tokenwell(["sa", "show", "--as", "reader", "--profile", "reader"]).assert().code(2);
}

#[test]
fn a_name_in_the_place_of_a_client_id_is_said_to_be_one() {
    let scene = Scene::new();
    created(&scene, &org(), "deploy", "ORG_MEMBER", 720);

    for arguments in [&["sa", "show", "deploy"][..], &["sa", "secret", "list", "deploy"], &["sa", "delete", "deploy", "--yes"]] {
        let message = stderr(&scene.tokenwell([arguments, &["--org", DEFAULT_ORG_ID]].concat()).assert().code(5).stdout(""));
        assert!(
            message.contains("`deploy` is not a client id: those of Atlas begin with mdb_sa_id_. `tokenwell sa list` prints them."),
            "{message}"
        );
    }
    let unknown = format!("{}0", &DEFAULT_CLIENT_ID[..DEFAULT_CLIENT_ID.len() - 1]);
    let message = stderr(&scene.tokenwell(["sa", "show", &unknown, "--org", DEFAULT_ORG_ID]).assert().code(5));
    assert!(message.contains("Check the ids"), "{message}");
}
