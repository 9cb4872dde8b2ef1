//! The lives of service accounts in `bindings/service_accounts/life.json`, with the command. Python,
//! Go and Node run the same steps.

use crate::support::{Scene, json, stderr};
use serde_json::{Value, json};
use std::collections::HashMap;
use tokenwell::emulator::{DEFAULT_ORG_ID, DEFAULT_PROJECT_ID};

const LIVES: &str = include_str!("../../bindings/service_accounts/life.json");

struct Life {
    scene: Scene,
    level: String,
    saved: HashMap<String, Value>,
}

#[test]
fn the_whole_life_of_an_account_of_an_organization() {
    live("an account of an organization");
}

#[test]
fn the_whole_life_of_an_account_of_a_project() {
    live("an account of a project");
}

fn live(name: &str) {
    let lives: Vec<Value> = serde_json::from_str(LIVES).unwrap();
    assert_eq!(lives.len(), 2, "each life has a test");
    let life = lives.iter().find(|life| life["name"] == name).unwrap();
    let saved = HashMap::from([("project".to_owned(), json!(DEFAULT_PROJECT_ID))]);
    let mut run = Life { scene: Scene::new(), level: text(&life["level"]).to_owned(), saved };
    for step in life["steps"].as_array().unwrap() {
        let step = run.filled(step);
        run.step(&step);
    }
}

impl Life {
    fn step(&mut self, step: &Value) {
        if step["call"] == "use" {
            assert_eq!(self.outcome_of_use(text(&step["secret"])), text(&step["outcome"]), "{step}");
            return;
        }
        if let Some(status) = step["error"].as_u64() {
            assert_eq!((status, &step["call"]), (404, &json!("get")), "the other errors have no test");
            let message = stderr(&self.command(step, &["show", self.id()]).assert().code(5).stdout(""));
            assert!(message.contains("HTTP status 404"), "{step}: {message}");
            return;
        }
        let found = self.call(step);
        let list = found.as_array().cloned().unwrap_or_default();
        assert!(step.get("result").is_none_or(|expected| fits(expected, &found)), "{step}: {found}");
        assert!(step.get("contains").is_none_or(|expected| list.iter().any(|one| fits(expected, one))), "{step}: {found}");
        assert!(step.get("lacks").is_none_or(|unexpected| !list.iter().any(|one| fits(unexpected, one))), "{step}: {found}");
        assert!(step["count"].as_u64().is_none_or(|count| list.len() as u64 == count), "{step}: {found}");
        for (name, path) in step["save"].as_object().into_iter().flatten() {
            let value = found.pointer(&format!("/{}", text(path).replace('.', "/"))).unwrap();
            self.saved.insert(name.clone(), value.clone());
        }
    }

    /// Runs the command for a step. The result is what a typed call of the other languages returns.
    fn call(&self, step: &Value) -> Value {
        let id = self.saved.get("id").map_or("", text);
        let file = format!("file:{}", step["save_secret"].as_str().unwrap_or_default());
        match text(&step["call"]) {
            "create" => {
                let attributes = &step["attributes"];
                let hours = format!("{}h", attributes["secretExpiresAfterHours"]);
                let mut arguments = vec!["create", text(&attributes["name"]), "--description", text(&attributes["description"])];
                arguments.extend(flags("--role", &attributes["roles"]));
                json!({ "account": self.read(step, &[&arguments[..], &["--expires", &hours, "--to", &file, "--json"]].concat()) })
            }
            "update" => {
                let attributes = &step["attributes"];
                let mut arguments = vec!["update", id, "--json", "--yes"];
                for (flag, name) in [("--name", "name"), ("--description", "description")] {
                    arguments.extend(attributes[name].as_str().map(|value| [flag, value]).into_iter().flatten());
                }
                arguments.extend(flags("--role", &attributes["roles"]));
                self.read(step, &arguments)
            }
            "create_secret" => {
                let secrets = || self.read(step, &["secret", "list", id, "--json"]).as_array().cloned().unwrap();
                let before = secrets();
                let hours = format!("{}h", step["hours"]);
                self.change(step, &["secret", "add", id, "--expires", &hours, "--to", &file]);
                let new: Vec<Value> = secrets().into_iter().filter(|one| before.iter().all(|old| old["id"] != one["id"])).collect();
                assert_eq!(new.len(), 1, "{step}");
                json!({ "description": new[0] })
            }
            "add_access" => {
                let networks = step["networks"].as_array().unwrap().iter().map(text);
                self.change(step, &["access", "add", id, "--yes"].into_iter().chain(networks).collect::<Vec<_>>());
                self.read(step, &["access", "list", id, "--json"])
            }
            "invite" => {
                let mut arguments = vec!["invite", id, "--json", "--yes"];
                arguments.extend(flags("--role", &step["roles"]));
                self.read(step, &arguments)
            }
            "list" => self.read(step, &["list", "--json"]),
            "get" => self.read(step, &["show", id, "--json"]),
            "access_list" => self.read(step, &["access", "list", id, "--json"]),
            "projects" => self.read(step, &["projects", id, "--json"]),
            "delete_access" => self.change(step, &["access", "delete", id, text(&step["network"]), "--yes"]),
            "delete_secret" => self.change(step, &["secret", "delete", id, text(&step["id_of_secret"]), "--yes"]),
            "delete" => self.change(step, &["delete", id, "--yes"]),
            other => panic!("no command for {other}"),
        }
    }

    fn id(&self) -> &str {
        text(&self.saved["id"])
    }

    fn command(&self, step: &Value, arguments: &[&str]) -> assert_cmd::Command {
        let level = match step["level"].as_str().unwrap_or(&self.level) {
            "organization" => ["--org", DEFAULT_ORG_ID],
            _ => ["--project", DEFAULT_PROJECT_ID],
        };
        self.scene.tokenwell([&["sa"], arguments, &level].concat())
    }

    fn read(&self, step: &Value, arguments: &[&str]) -> Value {
        json(&self.command(step, arguments).assert().success())
    }

    fn change(&self, step: &Value, arguments: &[&str]) -> Value {
        self.command(step, arguments).assert().success();
        Value::Null
    }

    /// Gets a token as the account, and sends one request with it.
    fn outcome_of_use(&self, secret: &str) -> &'static str {
        let value = std::fs::read_to_string(self.scene.path(secret)).unwrap();
        let mut command = self.scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]);
        command
            .env("MONGODB_ATLAS_CLIENT_ID", self.id())
            .env("MONGODB_ATLAS_CLIENT_SECRET", value.trim_end())
            .env("TOKENWELL_CACHE", "off");
        let assert = command.assert();
        let message = stderr(&assert);
        if assert.get_output().status.success() {
            "accepted"
        } else if message.contains("IP_ADDRESS_NOT_ON_ACCESS_LIST") {
            "refused"
        } else if message.contains("rejected the client") {
            "rejected"
        } else {
            panic!("{message}")
        }
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(name) if name.starts_with('$') => self.saved[&name[1..]].clone(),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), self.filled(member))).collect(),
            other => other.clone(),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

fn flags<'a>(flag: &'a str, values: &'a Value) -> Vec<&'a str> {
    values.as_array().into_iter().flatten().flat_map(|value| [flag, text(value)]).collect()
}

/// Whether `found` has all that is expected. A star is any string.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, value)| found.get(name).is_some_and(|one| fits(value, one)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(value, one)| fits(value, one))
        }
        (Value::String(star), Value::String(one)) if star == "*" => !one.is_empty(),
        (expected, found) => expected == found,
    }
}
