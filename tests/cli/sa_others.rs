//! A command that changes one account leaves all others as they are, and with `--dry-run` it changes
//! nothing and prints the requests that it sends without it.

use crate::sa::{created, id_of};
use crate::sa_changes::find;
use crate::support::{Scene, stdout};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

const NAME: &str = "the one that is changed";

/// Everything that the API shows of the accounts at both levels, by client id, as JSON.
fn state(scene: &Scene) -> BTreeMap<String, String> {
    let mut state = BTreeMap::<String, String>::new();
    for level in [format!("orgs/{DEFAULT_ORG_ID}"), format!("groups/{DEFAULT_PROJECT_ID}")] {
        let path = format!("{level}/serviceAccounts");
        let get = |path: &str| stdout(&scene.tokenwell(["api", "GET", path]).assert().success());
        let list: Value = serde_json::from_str(&get(&path)).unwrap();
        for account in list["results"].as_array().unwrap() {
            let mut account = account.clone();
            let id = id_of(&account).to_owned();
            if id == DEFAULT_CLIENT_ID {
                // It is used by these commands.
                account["secrets"][0].as_object_mut().unwrap().remove("lastUsedAt");
            }
            let access = get(&format!("{path}/{id}/accessList"));
            state.entry(id).or_default().push_str(&format!("{level}: {account} {access}\n"));
        }
    }
    state
}

/// The requests of the service account API that may change something, in the form of `--dry-run`.
fn sent(scene: &Scene) -> Vec<String> {
    let requests = scene.emulator.requests().requests;
    let changing = requests.iter().filter(|request| request.method != "GET" && request.path.contains("/serviceAccounts"));
    changing.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Accounts with roles at both levels, two secrets and access lists. The last one is changed.
fn accounts_of(scene: &Scene) -> String {
    let level = format!("groups/{DEFAULT_PROJECT_ID}");
    for (name, role) in [("first", "GROUP_OWNER"), ("second", "GROUP_READ_ONLY"), (NAME, "GROUP_READ_ONLY")] {
        let account = created(scene, &level, name, role, 720);
        let path = format!("orgs/{DEFAULT_ORG_ID}/serviceAccounts/{}", id_of(&account));
        let entries = json!([{ "ipAddress": "192.0.2.1" }, { "cidrBlock": "2001:db8::/32" }]).to_string();
        scene.tokenwell(["api", "POST", &format!("{path}/accessList"), "--data", &entries]).assert().success();
        if name != NAME {
            let hours = json!({ "secretExpiresAfterHours": 48 }).to_string();
            scene.tokenwell(["api", "POST", &format!("{path}/secrets"), "--data", &hours]).assert().success();
        }
    }
    find(scene, NAME)
}

struct Case {
    arguments: Vec<&'static str>,
    /// What `--dry-run` prints, below the path of the accounts. `ID` and `SECRET` stand for the ids.
    requests: &'static [(&'static str, &'static str)],
    /// Whether it is about an account that does not exist yet.
    creates: bool,
}

fn case(arguments: &[&'static str], requests: &'static [(&'static str, &'static str)]) -> Case {
    Case { arguments: arguments.to_vec(), requests, creates: arguments[0] == "create" }
}

/// Every command that changes something, in an order in which each of them has an effect.
fn cases(role: &'static str, other_role: &'static str, is_project: bool) -> Vec<Case> {
    let mut cases = vec![
        case(&["create", "new", "--role", role, "--show-secret"], &[("POST", "")]),
        case(
            &["create", "with a list", "--role", role, "--to", "file:a", "--access", "198.51.100.7"],
            &[("POST", ""), ("POST", "/CLIENT_ID/accessList")],
        ),
        case(&["update", "ID", "--name", "renamed", "--description", "new"], &[("PATCH", "/ID")]),
        case(&["update", "ID", "--add-role", other_role], &[("PATCH", "/ID")]),
        case(&["update", "ID", "--remove-role", other_role], &[("PATCH", "/ID")]),
        case(&["update", "ID", "--role", other_role, "--role", role], &[("PATCH", "/ID")]),
        case(&["secret", "add", "ID", "--to", "file:b", "--expires", "8h"], &[("POST", "/ID/secrets")]),
        case(&["secret", "delete", "ID", "SECRET", "--yes"], &[("DELETE", "/ID/secrets/SECRET")]),
        case(&["access", "add", "ID", "203.0.113.0/24", "192.0.2.9"], &[("POST", "/ID/accessList")]),
        case(
            &["access", "delete", "ID", "2001:db8::/32", "192.0.2.1", "--yes"],
            &[("DELETE", "/ID/accessList/2001:db8::%2F32"), ("DELETE", "/ID/accessList/192.0.2.1")],
        ),
        case(&["delete", "ID", "--yes"], &[("DELETE", "/ID")]),
    ];
    if is_project {
        // After the deletion, which only detaches it.
        cases.push(case(&["invite", "ID", "--role", role], &[("POST", "/ID:invite")]));
    }
    cases
}

fn check(level: [&'static str; 2], path: &str, roles: [&'static str; 2]) {
    let scene = Scene::new();
    let id = accounts_of(&scene);
    let secret = stdout(&scene.tokenwell(["sa", "secret", "list", &id, "-q"]).assert().success()).trim().to_owned();
    let mut before = state(&scene);
    assert_eq!(before.len(), 4, "the accounts and the default one");
    for case in cases(roles[0], roles[1], level[0] == "--project") {
        let named = |text: &str| text.replace("CLIENT_ID", "(a)").replace("ID", &id).replace("SECRET", &secret).replace("(a)", "CLIENT_ID");
        // Only whole words are ids: roles and targets have such letters too.
        let words: Vec<_> =
            case.arguments.iter().map(|word| if matches!(*word, "ID" | "SECRET") { named(word) } else { (*word).to_owned() }).collect();
        let arguments: Vec<_> = ["sa"].into_iter().chain(words.iter().map(String::as_str)).chain(level).collect();
        let expected: Vec<_> = case.requests.iter().map(|(method, item)| format!("{method} {path}{}", named(item))).collect();
        let already_sent = sent(&scene).len();

        let printed = stdout(&scene.tokenwell([&arguments[..], &["--dry-run"]].concat()).assert().success());

        assert_eq!(printed.lines().collect::<Vec<_>>(), expected, "{arguments:?}");
        assert_eq!(sent(&scene).len(), already_sent, "{arguments:?} sends only reads");
        assert_eq!(state(&scene), before, "{arguments:?} changes nothing");

        scene.tokenwell(arguments.iter().copied()).assert().success();

        let mut after = state(&scene);
        let new: Vec<_> = after.keys().filter(|id| !before.contains_key(*id)).cloned().collect();
        assert_eq!(new.len(), usize::from(case.creates), "{arguments:?}");
        let changed = new.first().cloned().unwrap_or_else(|| id.clone());
        assert_ne!(after.get(&changed), before.get(&changed), "{arguments:?} has an effect");
        let sent = sent(&scene)[already_sent..].iter().map(|request| request.replace("%2f", "%2F")).collect::<Vec<_>>();
        assert_eq!(sent, expected.iter().map(|request| request.replace("CLIENT_ID", &changed)).collect::<Vec<_>>(), "{arguments:?}");
        let whole = after.clone();
        after.remove(&changed);
        before.remove(&changed);
        assert_eq!(after, before, "{arguments:?} changes another account");
        before = whole;
    }
}

#[test]
fn l10_other_accounts_of_the_organization_stay_as_they_are() {
    let path = format!("/api/atlas/v2/orgs/{DEFAULT_ORG_ID}/serviceAccounts");
    check(["--org", DEFAULT_ORG_ID], &path, ["ORG_READ_ONLY", "ORG_BILLING_ADMIN"]);
}

#[test]
fn l10_other_accounts_of_the_project_stay_as_they_are() {
    let path = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT_ID}/serviceAccounts");
    check(["--project", DEFAULT_PROJECT_ID], &path, ["GROUP_READ_ONLY", "GROUP_OWNER"]);
}
