//! The whole life of an account at both levels.

use crate::support::{ACCOUNTS, Bench, account};
use serde_json::{Value, json};
use tokenwell::admin::service_accounts::{Change, Network, ServiceAccounts};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_PROJECT_ID};

fn life(bench: &Bench, of: &ServiceAccounts<'_>, first_role: &str, other_role: &str) {
    let created = of.create(&account("deploy", first_role)).unwrap();
    let id = created.account.client_id.clone();
    assert_eq!((created.account.name.as_str(), created.account.roles.as_slice()), ("deploy", &[first_role.to_owned()][..]));
    assert!(bench.is_valid(&id, created.secret.value.expose()));
    assert!(of.list().any(|each| each.unwrap().client_id == id));
    assert_eq!(of.get(&id).unwrap().secrets[0].id, created.secret.description.id);

    let roles = vec![other_role.to_owned(), first_role.to_owned(), other_role.to_owned()];
    let changed = of.update(&id, &Change { description: Some("changed".to_owned()), roles: Some(roles), ..Change::default() }).unwrap();
    assert_eq!((changed.name.as_str(), changed.description.as_str(), changed.roles.len()), ("deploy", "changed", 2));

    let second = of.create_secret(&id, 8).unwrap();
    assert!(bench.is_valid(&id, second.value.expose()) && second.description.expires_at.is_some());
    let third = of.create_secret(&id, 8).unwrap_err();
    assert_eq!(third.api().unwrap().status, 400, "{third}");
    of.delete_secret(&id, &created.secret.description.id).unwrap();
    assert!(!bench.is_valid(&id, created.secret.value.expose()));

    let networks: Vec<_> = ["192.0.2.1", "2001:db8::/32", "192.0.2.1/32"].into_iter().map(|text| Network::parse(text).unwrap()).collect();
    assert_eq!(of.add_access(&id, &networks).unwrap().len(), 2);
    of.delete_access(&id, networks[1]).unwrap();
    let left: Vec<_> = of.access_list(&id).unwrap().map(|entry| entry.unwrap().network().unwrap().to_string()).collect();
    assert_eq!(left, ["192.0.2.1"]);

    of.delete(&id).unwrap();
    assert!(of.get(&id).unwrap_err().is_not_found());
}

#[test]
fn an_account_of_an_organization_lives_from_create_to_delete() {
    let bench = Bench::new();
    life(&bench, &bench.of_organization(), "ORG_READ_ONLY", "ORG_MEMBER");

    let encoded = bench.emulator.requests().requests.iter().any(|request| request.path.ends_with("/accessList/2001:db8::%2F32"));
    assert!(encoded, "the address in the path is encoded");
}

#[test]
fn an_account_of_a_project_lives_from_create_to_detach() {
    let bench = Bench::new();
    life(&bench, &bench.of_project(), "GROUP_READ_ONLY", "GROUP_OWNER");

    let detached: Vec<_> = bench.of_organization().list().map(|each| each.unwrap().name).filter(|name| name == "deploy").collect();
    assert_eq!(detached.len(), 1, "an account that is detached from a project exists in its organization");
}

#[test]
fn an_account_is_invited_to_a_project() {
    let bench = Bench::new();
    let id = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap().account.client_id;
    for fault in [None, Some("mid_reply"), Some("before_reply")] {
        let path = format!("/api/atlas/v2/groups/{DEFAULT_PROJECT_ID}/serviceAccounts/{id}:invite");
        bench.faults(fault.map_or(json!([]), |close| json!([{ "path": path, "times": 1, "close": close }])));

        let invited = bench.of_project().invite(&id, &["GROUP_READ_ONLY".to_owned()]).unwrap();

        assert_eq!(invited.roles, ["GROUP_READ_ONLY"], "{fault:?}");
        let projects: Vec<_> = bench.of_organization().projects(&id).unwrap().map(|each| each.unwrap().group_id).collect();
        assert_eq!(projects, [DEFAULT_PROJECT_ID]);
        bench.of_project().delete(&id).unwrap();
    }
}

#[test]
fn fields_and_roles_of_a_later_version_are_kept() {
    let bench = Bench::new();
    let later = json!({
        "clientId": "mdb_sa_id_000000000000000000000009", "roles": ["ORG_OF_2030"], "systemManaged": false, "color": { "hue": 7 }, "description": null,
        "secrets": [{ "id": "1", "created": "2026-01-01T00:00:00Z", "strength": 2 }],
    });
    bench.faults(json!([{ "path": format!("{ACCOUNTS}/*"), "status": 200, "body": later }]));

    let read = bench.of_organization().get("mdb_sa_id_000000000000000000000009").unwrap();

    assert_eq!((read.roles[0].as_str(), read.system_managed, read.description.as_str()), ("ORG_OF_2030", Some(false), ""));
    assert_eq!((&read.other["color"]["hue"], &read.secrets[0].other["strength"]), (&json!(7), &json!(2)));
    assert_eq!(read.secrets[0].created_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(serde_json::to_value(&read).unwrap()["color"]["hue"], 7);
}

#[test]
fn l11_both_names_of_a_field_of_the_access_list_are_read() {
    let bench = Bench::new();
    let entries = json!([{ "cidrBlock": "192.0.2.0/24", "count": 3, "created": "a" }, { "ipAddress": "192.0.2.1", "requestCount": 4, "createdAt": "b" }]);
    bench.faults(json!([{ "path": format!("{ACCOUNTS}/*"), "status": 200, "body": { "results": entries } }]));

    let read: Vec<_> = bench.of_organization().access_list(DEFAULT_CLIENT_ID).unwrap().map(Result::unwrap).collect();

    let seen: Vec<_> = read.iter().map(|entry| (entry.request_count, entry.created_at.as_deref())).collect();
    assert_eq!(seen, [(Some(3), Some("a")), (Some(4), Some("b"))]);
}

#[test]
fn l10_other_accounts_stay_as_they_are() {
    let bench = Bench::new();
    let of = bench.of_organization();
    let bystander = of.create(&account("bystander", "ORG_READ_ONLY")).unwrap().account.client_id;
    of.add_access(&bystander, &[Network::parse("192.0.2.9").unwrap()]).unwrap();
    let view = || -> Value {
        let entries: Vec<_> = of.access_list(&bystander).unwrap().map(Result::unwrap).collect();
        json!([of.get(&bystander).unwrap(), entries])
    };
    let before = view();

    life(&bench, &of, "ORG_READ_ONLY", "ORG_MEMBER");
    life(&bench, &bench.of_project(), "GROUP_READ_ONLY", "GROUP_OWNER");

    assert_eq!(view(), before);
}

#[test]
fn no_secret_is_in_the_debug_output_or_in_the_json_of_an_account() {
    let bench = Bench::new();
    let created = bench.of_organization().create(&account("deploy", "ORG_MEMBER")).unwrap();

    let printed = format!("{created:?} {}", serde_json::to_string(&created.account).unwrap());

    assert!(!printed.contains(created.secret.value.expose()), "{printed}");
    assert!(!created.account.secrets[0].other.contains_key("secret"), "{printed}");
}
