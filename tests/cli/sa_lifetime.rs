//! `--expires`, and the maximum of the organization.

use crate::sa_changes::{accounts, changes, find};
use crate::support::{Scene, json, stderr};
use serde_json::json;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

fn capped(hours: u32) -> Scene {
    let scene = Scene::new();
    let settings = json!({ "maxServiceAccountSecretValidityInHours": hours }).to_string();
    scene.tokenwell(["api", "PATCH", &format!("orgs/{DEFAULT_ORG_ID}/settings"), "--data", &settings]).assert().success();
    scene
}

#[test]
fn l13_a_lifetime_above_the_maximum_of_the_organization_names_it_and_the_flag_that_passes() {
    for (hours, flag) in [(720, "30d"), (100, "100h")] {
        let scene = capped(hours);
        let create = ["sa", "create", "deploy", "--to", "file:x", "--role"];
        let of_organization: &[&str] = &["ORG_MEMBER", "--org", DEFAULT_ORG_ID];
        let of_project: &[&str] = &["GROUP_READ_ONLY", "--project", DEFAULT_PROJECT_ID];
        for (level, expires, asked) in [
            (of_organization, &["--expires", "8760h"][..], 8760),
            (of_project, &["--expires", "8760h"], 8760),
            (of_organization, &[], 2160),
            (of_organization, &["--dry-run", "--expires", "40d"], 960),
        ] {
            let message = stderr(&scene.tokenwell([&create[..], level, expires].concat()).assert().code(2).stdout(""));
            assert!(message.contains(&format!("at most {hours} h, and {asked} h were requested")), "{message}");
            assert!(message.contains(&format!("Use --expires {flag},")), "{message}");
        }
        let add = ["sa", "secret", "add", DEFAULT_CLIENT_ID, "--to", "file:x", "--org", DEFAULT_ORG_ID];
        let message = stderr(&scene.tokenwell([&add[..], &["--expires", "8760h"]].concat()).assert().code(2).stdout(""));
        assert!(message.contains(&format!("Use --expires {flag},")), "{message}");
        assert!(accounts(&scene).is_empty() && !scene.path("x").exists(), "nothing was created, and nothing shortened");

        scene.tokenwell([&create[..], of_organization, &["--expires", flag]].concat()).assert().success();
        let secrets = json(&scene.tokenwell(["sa", "secret", "list", &find(&scene, "deploy"), "--json"]).assert().success());
        let time = |name: &str| humantime::parse_rfc3339(secrets[0][name].as_str().unwrap()).unwrap();
        assert_eq!(time("expiresAt").duration_since(time("createdAt")).unwrap().as_secs(), u64::from(hours) * 3600);
    }
}

#[test]
fn l13_a_maximum_that_cannot_be_read_leaves_the_error_of_the_api() {
    let scene = capped(720);
    scene.emulator.set_faults(json!([{ "path": format!("/api/atlas/v2/orgs/{DEFAULT_ORG_ID}/settings"), "status": 403 }])).unwrap();
    let before = changes(&scene);

    let create = ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "file:x", "--org", DEFAULT_ORG_ID];
    let message = stderr(&scene.tokenwell(create).assert().code(5).stdout(""));

    assert!(message.contains("secretExpiresAfterHours must be a whole number from 8 to 720"), "{message}");
    assert_eq!(changes(&scene), before + 1, "sent once");
}
