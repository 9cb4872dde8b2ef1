//! `sa create`, `update`, `delete`, `invite`, `secret add|delete` and `access add|delete`: what they
//! change, what they refuse, and where a secret goes.

use crate::sa::{ACCOUNTS, created, id_of, org};
use crate::support::{Scene, json, stderr, stdout, text, until};
use serde_json::{Value, json};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

/// How many requests of the service account API changed something.
pub fn changes(scene: &Scene) -> usize {
    let is_change = |method: &str, path: &str| method != "GET" && path.contains("/serviceAccounts");
    scene.emulator.requests().requests.iter().filter(|request| is_change(&request.method, &request.path)).count()
}

pub fn accounts(scene: &Scene) -> Vec<Value> {
    let list = json(&scene.tokenwell(["sa", "list", "--org", DEFAULT_ORG_ID, "--json"]).assert().success());
    list.as_array().unwrap().iter().filter(|account| account["clientId"] != DEFAULT_CLIENT_ID).cloned().collect()
}

pub fn find(scene: &Scene, name: &str) -> String {
    let found: Vec<_> = accounts(scene).into_iter().filter(|account| account["name"] == name).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    id_of(&found[0]).to_owned()
}

/// Whether a token is issued for the credential.
pub fn is_valid(scene: &Scene, client_id: &str, secret: &str) -> bool {
    let mut command = scene.tokenwell(["token", "--no-cache"]);
    command.env("MONGODB_ATLAS_CLIENT_ID", client_id).env("MONGODB_ATLAS_CLIENT_SECRET", secret).assert().get_output().status.success()
}

pub fn read(scene: &Scene, name: &str) -> String {
    std::fs::read_to_string(scene.path(name)).unwrap().trim_end_matches('\n').to_owned()
}

fn life(scene: &Scene, level: [&str; 2], role: &str, other_role: &str) {
    let run = |arguments: &[&str]| scene.tokenwell([arguments, &level].concat()).assert().success();
    let name = format!("life of {}", level[0].trim_start_matches('-'));
    let id = stdout(&run(&["sa", "create", &name, "--role", role, "--to", "file:a.secret", "-q"])).trim_end().to_owned();
    assert!(is_valid(scene, &id, &read(scene, "a.secret")));
    assert!(stdout(&run(&["sa", "list"])).contains(&id));

    let message = stderr(&run(&["sa", "update", &id, "--add-role", other_role, "--name", "renamed"]));
    assert!(message.contains(&format!("roles of {id}: +{other_role}\n")), "{message}");
    let shown = json(&run(&["sa", "show", &id, "--json"]));
    assert_eq!((&shown["name"], shown["roles"].as_array().unwrap().len()), (&json!("renamed"), 2));
    let message = stderr(&run(&["sa", "update", &id, "--role", other_role, "--role", role]));
    assert!(message.contains("no change"), "a set has no order: {message}");
    run(&["sa", "update", &id, "--remove-role", other_role]);

    let first = shown["secrets"][0]["id"].as_str().unwrap().to_owned();
    run(&["sa", "secret", "add", &id, "--expires", "8h", "--to", "file:b.secret"]);
    assert!(is_valid(scene, &id, &read(scene, "b.secret")));
    run(&["sa", "secret", "delete", &id, &first, "--yes"]);
    assert!(!is_valid(scene, &id, &read(scene, "a.secret")) && is_valid(scene, &id, &read(scene, "b.secret")));

    run(&["sa", "access", "add", &id, "192.0.2.1", "2001:DB8::/32", "192.0.2.1/32"]);
    let message = stderr(&run(&["sa", "access", "add", &id, "2001:db8:0::/32"]));
    assert!(message.contains("no change"), "{message}");
    run(&["sa", "access", "delete", &id, "2001:db8::/32", "--yes"]);
    let message = stderr(&run(&["sa", "access", "delete", &id, "2001:db8::/32", "--yes"]));
    assert!(message.contains("no change for 2001:db8::/32"), "{message}");
    assert_eq!(stdout(&run(&["sa", "access", "list", &id, "-q"])), "192.0.2.1\n");

    run(&["sa", "delete", &id, "--yes"]);
    scene.tokenwell([&["sa", "show", &id][..], &level].concat()).assert().code(5);
    std::fs::remove_file(scene.path("a.secret")).unwrap();
    std::fs::remove_file(scene.path("b.secret")).unwrap();
}

#[test]
fn an_account_lives_from_create_to_delete_at_both_levels() {
    let scene = Scene::new();
    life(&scene, ["--org", DEFAULT_ORG_ID], "ORG_READ_ONLY", "ORG_MEMBER");
    assert_eq!(accounts(&scene), Vec::<Value>::new());
    life(&scene, ["--project", DEFAULT_PROJECT_ID], "GROUP_READ_ONLY", "GROUP_OWNER");
    assert_eq!(accounts(&scene).len(), 1, "an account that was detached from a project exists in its organization");
}

#[test]
fn l13_after_a_detach_the_command_that_deletes_the_account_is_named() {
    let scene = Scene::new();
    let account = created(&scene, &format!("groups/{DEFAULT_PROJECT_ID}"), "deploy", "GROUP_OWNER", 24);

    let message = stderr(&scene.tokenwell(["sa", "delete", "--project", DEFAULT_PROJECT_ID, id_of(&account), "-y"]).assert().success());

    assert!(message.contains(&format!("`tokenwell sa delete --org {DEFAULT_ORG_ID} {}`", id_of(&account))), "{message}");
}

#[test]
fn a_secret_goes_to_a_profile_that_works() {
    let scene = Scene::new();

    scene
        .tokenwell(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "profile:deploy", "--to", "file:x"])
        .assert()
        .success()
        .stdout("");

    let id = find(&scene, "deploy");
    let shown = json(&scene.tokenwell(["profile", "show", "deploy", "--json"]).assert().success());
    assert_eq!((shown["client_id"].as_str(), shown["settings"]["base_url"].as_str()), (Some(&*id), Some(scene.emulator.base_url())));
    let mut command = scene.tokenwell(["token", "--profile", "deploy"]);
    for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
        command.env_remove(name);
    }
    command.assert().success();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(scene.path("x")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // The profile and the file of another account are not replaced.
    for target in ["profile:deploy", "file:x"] {
        scene.tokenwell(["sa", "create", "b", "--role", "ORG_MEMBER", "--to", target]).assert().code(8);
    }
    assert_eq!(accounts(&scene).len(), 1);
}

#[test]
fn a_secret_on_standard_output_has_the_form_of_its_reader() {
    let scene = Scene::new();
    let run = |name: &str, target: &[&str]| {
        let arguments = [&["sa", "create", name, "--role", "ORG_MEMBER"], target].concat();
        let out = stdout(&scene.tokenwell(arguments).assert().success());
        (find(&scene, name), out)
    };

    let (id, out) = run("a", &["--to", "json:terraform"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert!(object["client_id"] == *id && object.as_object().unwrap().len() == 2, "{out}");
    assert!(is_valid(&scene, &id, object["client_secret"].as_str().unwrap()));
    let (id, out) = run("b", &["--to", "json:aws-managed"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert!(
        object["clientId"] == *id && object["orgId"] == DEFAULT_ORG_ID && is_valid(&scene, &id, object["clientSecret"].as_str().unwrap())
    );
    let (id, out) = run("c", &["--show-secret", "-q"]);
    let secret = out.strip_prefix(&format!("MONGODB_ATLAS_CLIENT_ID={id}\nMONGODB_ATLAS_CLIENT_SECRET=")).unwrap();
    assert!(is_valid(&scene, &id, secret.trim_end()));

    let (id, out) = run("d", &["--to", "k8s-secret:atlas.operator"]);
    assert!(out.contains("  name: atlas.operator\n  labels:\n    atlas.mongodb.com/type: credentials\n"), "{out}");
    let value = |key: &str| {
        use base64::Engine as _;
        let line = out.lines().find_map(|line| line.strip_prefix(&format!("  {key}: "))).unwrap();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(line).unwrap()).unwrap()
    };
    assert_eq!((value("orgId").as_str(), value("clientId")), (DEFAULT_ORG_ID, id.clone()));
    assert!(is_valid(&scene, &id, &value("clientSecret")), "without a newline at its end");
}

#[test]
fn what_is_wrong_in_the_arguments_is_reported_before_any_request() {
    let scene = Scene::new();
    let create = ["sa", "create", "deploy", "--role", "ORG_MEMBER"];
    let cases: &[(&[&str], &str)] = &[
        (&[], "the secret would be lost"),
        (&["--to", "profile:"], "`profile:` is not a target"),
        (&["--to", "vault:x"], "`vault:x` is not a target"),
        (&["--to", "k8s-secret:Atlas"], "cannot be the name of a Secret"),
        (&["--to", "profile:a/b"], "--to"),
        (&["--to", "file:none/x"], "cannot write"),
        (&["--to", "json:terraform", "--json"], "only one result"),
        (&["--to", "json:terraform", "--to", "k8s-secret:x"], "only one result"),
        (&["--to", "file:x", "--to", "file:x"], "given twice"),
        (&["--show-secret", "--expires", "7h"], "--expires: a secret cannot be valid for 7 h"),
        (&["--show-secret", "--expires", "400d"], "Atlas allows 8 h to 8760 h"),
        (&["--show-secret", "--description", "a\nb"], "--description contains"),
        (&["--show-secret", "--role", "ORG_OWNR"], "Did you mean ORG_OWNER?"),
        (&["--show-secret", "--role", "GROUP_OWNER"], "is a role of a project"),
        (&["--show-secret", "--access", "192.0.2.77/24"], "For the whole network write 192.0.2.0/24"),
    ];
    for (arguments, problem) in cases {
        let assert = scene.tokenwell([&create[..], arguments, &["--org", DEFAULT_ORG_ID]].concat()).assert().failure().stdout("");
        assert!(stderr(&assert).contains(problem), "{arguments:?}: {}", stderr(&assert));
    }
    for (arguments, problem) in [
        (&["sa", "create", "a/b", "--role", "ORG_MEMBER", "--show-secret"][..], "NAME contains `/`"),
        (&["sa", "update", DEFAULT_CLIENT_ID], "there is nothing to change"),
        (&["sa", "invite", DEFAULT_CLIENT_ID, "--role", "GROUP_OWNER", "--org", DEFAULT_ORG_ID], "Use --project"),
        (&["sa", "access", "add", DEFAULT_CLIENT_ID, "010.0.0.1"], "ADDRESS: `010.0.0.1` has a number with a leading zero"),
        (&["sa", "secret", "delete", DEFAULT_CLIENT_ID, "a/b"], "ID: `a/b` is not an id"),
    ] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.contains(problem), "{message}");
    }
    assert_eq!(scene.emulator.counters().api_requests, 0);
}

#[test]
fn l1_the_secret_is_stored_before_the_access_list_is_requested() {
    for fault in [json!({ "status": 500 }), json!({ "close": "before_reply" })] {
        let scene = Scene::new();
        let mut fault = fault;
        fault["path"] = json!(format!("{ACCOUNTS}/*"));
        fault["method"] = json!("POST");
        scene.emulator.set_faults(json!([fault])).unwrap();

        let arguments =
            ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--access", "192.0.2.0/24", "--to", "file:x", "--org", DEFAULT_ORG_ID];
        let message = stderr(&scene.tokenwell(arguments).assert().code(15));

        let id = find(&scene, "deploy");
        assert!(is_valid(&scene, &id, &read(&scene, "x")));
        for command in [
            format!("`tokenwell sa access add --org {DEFAULT_ORG_ID} {id} 192.0.2.0/24`"),
            format!("`tokenwell sa delete --org {DEFAULT_ORG_ID} {id}`"),
        ] {
            assert!(message.contains(&command), "{message}");
        }
    }
}

#[test]
fn l2_a_lost_reply_leads_to_one_account_whose_secret_is_stored() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "method": "POST", "times": 1, "close": "mid_reply" }])).unwrap();

    let message = stderr(&scene.tokenwell(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "file:x"]).assert().success());

    assert!(message.contains("the reply was lost"), "{message}");
    let all = accounts(&scene);
    assert_eq!((all.len(), all[0]["secrets"].as_array().unwrap().len()), (1, 1), "{all:?}");
    assert!(is_valid(&scene, id_of(&all[0]), &read(&scene, "x")));
}

#[test]
fn a_secret_that_can_be_stored_nowhere_is_said_to_be_so() {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{ "path": ACCOUNTS, "method": "POST", "times": 1, "delay_ms": 3000, "then_serve": true }])).unwrap();
    let mut command = scene.plain(crate::support::command_path());
    command.args(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "file:x", "--org", DEFAULT_ORG_ID]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The targets were checked before the accounts are listed.
    until("the list", || scene.emulator.last_request(ACCOUNTS).map(drop));
    std::fs::create_dir(scene.path("x")).unwrap();

    let output = child.wait_with_output().unwrap();

    let message = String::from_utf8(output.stderr).unwrap();
    let id = find(&scene, "deploy");
    assert_eq!(output.status.code(), Some(15), "{message}");
    assert!(message.contains("is stored nowhere") && message.contains("is a directory"), "{message}");
    assert!(message.contains(&format!("`tokenwell sa secret delete --org {DEFAULT_ORG_ID} {id} ")), "{message}");
}

#[test]
fn l3_the_account_that_is_signed_in_is_not_locked_out_by_any_road() {
    let scene = Scene::new();
    let own = DEFAULT_CLIENT_ID;
    let before_any_request: &[&[&str]] = &[
        &["sa", "delete", own, "--yes"],
        &["sa", "delete", own, "--yes", "--org", DEFAULT_ORG_ID],
        &["sa", "delete", own, "--yes", "--project", DEFAULT_PROJECT_ID],
        &["sa", "update", own, "--remove-role", "ORG_OWNER", "--yes"],
        &["sa", "update", own, "--role", "ORG_READ_ONLY", "--yes"],
        &["sa", "update", own, "--role", "GROUP_READ_ONLY", "--yes", "--project", DEFAULT_PROJECT_ID],
    ];
    for arguments in before_any_request {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.contains("lock out the account that is signed in") && message.contains("--yes-delete-myself"), "{message}");
    }
    assert_eq!(scene.emulator.counters().requests, 0);

    let secret = json(&scene.tokenwell(["sa", "secret", "list", "--json"]).assert().success())[0]["id"].as_str().unwrap().to_owned();
    scene.tokenwell(["sa", "secret", "delete", own, &secret, "--yes"]).assert().code(2);
    // With a second secret it is still the one that is in use.
    scene.tokenwell(["sa", "secret", "add", own, "--to", "file:second"]).assert().success();
    scene.tokenwell(["sa", "secret", "delete", own, &secret, "--yes"]).assert().code(2);
    let second = json(&scene.tokenwell(["sa", "secret", "list", "--json"]).assert().success())[1]["id"].as_str().unwrap().to_owned();
    scene.tokenwell(["sa", "secret", "delete", own, &second, "--yes"]).assert().success();

    let deletes = scene.emulator.requests().requests.iter().filter(|request| request.method == "DELETE").count();
    assert_eq!(deletes, 1);
    scene.tokenwell(["sa", "delete", own, "--yes-delete-myself"]).assert().success();
}

#[test]
fn l4_an_access_list_that_locks_this_host_out_is_refused_with_the_command_that_does_not() {
    let scene = Scene::new();
    let own = DEFAULT_CLIENT_ID;

    let message = stderr(&scene.tokenwell(["sa", "access", "add", own, "198.51.100.0/24", "--yes"]).assert().code(2).stdout(""));
    assert!(message.contains(&format!("`tokenwell sa access add {own} 198.51.100.0/24 127.0.0.1`")), "{message}");
    assert_eq!(changes(&scene), 0);

    // A network covers the address too, and both are added with one request.
    scene.tokenwell(["sa", "access", "add", own, "198.51.100.0/24", "127.0.0.0/8"]).assert().success();
    assert_eq!(changes(&scene), 1);
    scene.tokenwell(["sa", "access", "add", own, "192.0.2.1"]).assert().success();
    let message = stderr(&scene.tokenwell(["sa", "access", "delete", own, "127.0.0.0/8", "--yes"]).assert().code(2));
    assert!(message.contains("127.0.0.1") && message.contains("--yes-delete-myself"), "{message}");
    scene.tokenwell(["sa", "access", "delete", own, "192.0.2.1", "--yes"]).assert().success();

    // Without the address as Atlas sees it: a warning, and a confirmation.
    scene.emulator.set_faults(json!([{ "path": "/api/private/ipinfo", "status": 404 }])).unwrap();
    let message = stderr(&scene.tokenwell(["sa", "access", "add", own, "203.0.113.0/24"]).assert().code(2));
    assert!(message.contains("does not say which address it sees") && message.contains("--yes"), "{message}");
    scene.tokenwell(["sa", "access", "add", own, "203.0.113.0/24", "--yes"]).assert().success();
}

#[test]
fn l7_every_address_needs_a_confirmation() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 24);
    for everything in ["0.0.0.0/0", "::/0"] {
        let message = stderr(&scene.tokenwell(["sa", "access", "add", id_of(&account), everything]).assert().code(2));
        assert!(message.contains("allows every address") && message.contains("--yes"), "{message}");
        scene.tokenwell(["sa", "access", "add", id_of(&account), everything, "--yes"]).assert().success();
    }
}

#[test]
fn destructive_acts_need_a_confirmation_without_a_terminal() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 24);
    let (id, secret) = (id_of(&account), account["secrets"][0]["id"].as_str().unwrap());
    scene.tokenwell(["sa", "access", "add", id, "192.0.2.1"]).assert().success();
    let before = changes(&scene);

    for arguments in [&["sa", "delete", id][..], &["sa", "secret", "delete", id, secret], &["sa", "access", "delete", id, "192.0.2.1"]] {
        let message = stderr(&scene.tokenwell(arguments.iter().copied()).assert().code(2).stdout(""));
        assert!(message.contains("Use --yes"), "{message}");
    }
    assert_eq!(changes(&scene), before);
}

#[test]
fn l8_an_update_that_replaces_roles_shows_what_is_lost() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_READ_ONLY", 24);
    let id = id_of(&account);

    let message = stderr(&scene.tokenwell(["sa", "update", id, "--role", "ORG_MEMBER"]).assert().success());
    assert!(message.contains(&format!("roles of {id}: +ORG_MEMBER -ORG_READ_ONLY")), "{message}");
    let message = stderr(&scene.tokenwell(["sa", "update", id, "--remove-role", "ORG_MEMBER"]).assert().code(2));
    assert!(message.contains("would have no role"), "{message}");
    let message = stderr(&scene.tokenwell(["sa", "update", id, "--add-role", "ORG_OF_2030"]).assert().code(5));
    assert!(message.contains("does not know the role ORG_OF_2030") && message.contains("HTTP status 400"), "{message}");
}

#[test]
fn if_absent_creates_one_account_of_a_name() {
    let scene = Scene::new();
    let create = ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--if-absent", "--show-secret", "--org", DEFAULT_ORG_ID];

    assert!(!stdout(&scene.tokenwell(create).assert().success()).is_empty());
    let message = stderr(&scene.tokenwell(create).assert().success().stdout(""));

    assert!(message.contains("no change"), "{message}");
    created(&scene, &org(), "deploy", "ORG_MEMBER", 24);
    let message = stderr(&scene.tokenwell(create).assert().code(8).stdout(""));
    assert!(message.contains("2 accounts have the name deploy") && accounts(&scene).len() == 2, "{message}");
}

#[test]
fn an_account_is_invited_to_a_project_and_leaves_it() {
    let scene = Scene::new();
    let account = created(&scene, &org(), "deploy", "ORG_MEMBER", 24);
    let project = ["--project", DEFAULT_PROJECT_ID];

    scene.tokenwell([&["sa", "invite", id_of(&account), "--role", "GROUP_READ_ONLY"], &project[..]].concat()).assert().success();

    assert_eq!(stdout(&scene.tokenwell(["sa", "projects", id_of(&account)]).assert().success()), format!("{DEFAULT_PROJECT_ID}\n"));
    let shown = json(&scene.tokenwell([&["sa", "show", id_of(&account), "--json"], &project[..]].concat()).assert().success());
    assert_eq!(shown["roles"], json!(["GROUP_READ_ONLY"]));
}

#[test]
fn no_new_secret_is_in_the_output_the_log_or_a_file_that_was_not_requested() {
    let scene = Scene::new();

    let create = scene.tokenwell(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "file:x", "--json", "-vv"]).assert().success();
    let secret = read(&scene, "x");
    let id = find(&scene, "deploy");
    let add = scene.tokenwell(["sa", "secret", "add", &id, "--to", "file:y", "-vv"]).assert().success();
    let second = read(&scene, "y");

    for assert in [&create, &add] {
        let printed = stdout(assert) + &stderr(assert);
        assert!(!printed.contains(&secret) && !printed.contains(&second) && !printed.contains("mdb_sa_sk_e"), "{printed}");
    }
    let mut files = vec![scene.path("")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !["x", "y"].iter().any(|name| path == scene.path(name)) {
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!content.contains(&secret) && !content.contains(&second), "{}", text(&path));
        }
    }
}
