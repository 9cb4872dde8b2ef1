//! The path of a request, from what the user typed.

use crate::failure::Failure;
use crate::ids::{IDS, Id};
use tokenwell::Status;
use tokenwell::error::printable;
use url::form_urlencoded;

const PREFIX: &str = "/api/atlas/v2";

/// The placeholders with their names in the documentation of the Admin API, in the order of [`IDS`].
const PLACEHOLDERS: [&[&str]; IDS.len()] = [&["org", "orgId"], &["project", "projectId", "group", "groupId"]];

/// Replaces placeholders with the values that `value` has for a variable or for a member of a profile, and adds the prefix of the Admin API, unless the
/// path has one. A URL is left as it is, and so is a path that leads to another host: the library
/// refuses both if they leave the server.
pub(super) fn resolve(typed: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, Failure> {
    let path = replaced(typed, value)?;
    let is_complete = path == "/api" || path.starts_with("/api/") || path.starts_with("//") || path.contains("://") || path.contains('\\');
    if path.split(['?', '#']).next().is_none_or(|path| path.trim().is_empty()) {
        let hint = "Write a path such as orgs.";
        return Err(Failure::new(Status::InvalidArgument, "the path is empty", hint));
    }
    Ok(match path.strip_prefix('/') {
        _ if is_complete => path,
        None if path.starts_with("api/") => format!("/{path}"),
        Some(rest) => format!("{PREFIX}/{rest}"),
        None => format!("{PREFIX}/{path}"),
    })
}

/// Adds `fields` to the query of `path`.
pub(super) fn with_query(path: String, fields: &[(String, String)]) -> String {
    if fields.is_empty() {
        return path;
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{query}")
}

/// Sets the parameter `name` in the query of `path`.
pub(super) fn with_parameter(path: &str, name: &str, value: &str) -> String {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let is_other = |part: &&str| !part.is_empty() && part.split('=').next() != Some(name);
    let mut parts: Vec<_> = query.split('&').filter(is_other).map(str::to_owned).collect();
    parts.push(format!("{name}={value}"));
    format!("{bare}?{}", parts.join("&"))
}

/// The value of the parameter `name` in the query of `path`, if it is a number.
pub(super) fn number(path: &str, name: &str) -> Option<u64> {
    let (_, query) = path.split_once('?')?;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name)?.1.parse().ok()
}

fn replaced(typed: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, Failure> {
    let mut path = String::new();
    let mut rest = typed;
    while let Some((before, after)) = rest.split_once('{') {
        let wrong = |problem: String, hint: String| Failure::new(Status::InvalidArgument, format!("the path {problem}"), hint);
        let names = "The placeholders are {org} and {project}.".to_owned();
        let Some((name, after)) = after.split_once('}') else {
            return Err(wrong(format!("`{}` has a `{{` without a `}}`", printable(typed, 200)), names));
        };
        let placeholder = PLACEHOLDERS.iter().zip(&IDS).find(|(placeholders, _)| placeholders.contains(&name));
        let Some((_, Id { member, variables, what })) = placeholder else {
            return Err(wrong(
                format!("contains the unknown placeholder {{{}}}", printable(name, 60)),
                format!("{names} Write other ids yourself."),
            ));
        };
        let sources = variables.iter().chain([member]);
        let found = sources.into_iter().find_map(|name| Some((*name, value(name).filter(|value| !value.is_empty())?)));
        let Some((source, value)) = found else {
            let lists = if *what == "project" { "groups" } else { "orgs" };
            let hint = format!(
                "Set {}, or {member} in the profile, to the id of the {what}. `tokenwell api {lists} --jq '.results[].id'` prints the ids.",
                variables[0]
            );
            return Err(wrong(format!("contains {{{name}}}, but {} is not set", variables[0]), hint));
        };
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            let hint = format!("Set {source} to the id of the {what}, 24 hexadecimal digits.");
            return Err(Failure::new(Status::InvalidArgument, format!("{source}: `{}` is not an id", printable(&value, 60)), hint));
        }
        path.push_str(before);
        path.push_str(&value);
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn resolved(typed: &str) -> String {
        resolve(typed, |name| Some(name.to_ascii_lowercase())).map_err(|failure| failure.message()).unwrap()
    }

    #[test]
    fn the_prefix_is_added_unless_it_is_there() {
        for (typed, path) in [
            ("orgs", "/api/atlas/v2/orgs"),
            ("/orgs?pageNum=2", "/api/atlas/v2/orgs?pageNum=2"),
            ("/api/atlas/v2/orgs", "/api/atlas/v2/orgs"),
            ("api/atlas/v2/orgs", "/api/atlas/v2/orgs"),
            ("/api/public/v1.0/x", "/api/public/v1.0/x"),
            ("apiKeys", "/api/atlas/v2/apiKeys"),
            ("https://a.example/orgs", "https://a.example/orgs"),
            ("//a.example/orgs", "//a.example/orgs"),
            ("/\\a.example", "/\\a.example"),
            ("/", "/api/atlas/v2/"),
            ("orgs/{org}/x/{groupId}", "/api/atlas/v2/orgs/mongodb_atlas_org_id/x/mongodb_atlas_project_id"),
        ] {
            assert_eq!(resolved(typed), path, "{typed}");
        }
    }

    #[test]
    fn what_cannot_be_a_path_is_refused() {
        for (typed, value, expected) in [
            ("", "a", "the path is empty"),
            ("?a=b", "a", "the path is empty"),
            ("orgs/{id}", "a", "unknown placeholder {id}"),
            ("orgs/{org", "a", "a `{` without a `}`"),
            ("orgs/{org}", "", "contains {org}, but MONGODB_ATLAS_ORG_ID is not set"),
            ("orgs/{org}", "../x", "MONGODB_ATLAS_ORG_ID: `../x` is not an id"),
        ] {
            let message = resolve(typed, |_| Some(value.to_owned())).unwrap_err().message().unwrap();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_parameter_is_added_or_replaced() {
        assert_eq!(with_parameter("/a", "pageNum", "2"), "/a?pageNum=2");
        assert_eq!(with_parameter("/a?pageNum=1&b=c", "pageNum", "2"), "/a?b=c&pageNum=2");
        assert_eq!(number("/a?b=c&pageNum=7", "pageNum"), Some(7));
        assert_eq!(with_query("/a?b".to_owned(), &[("c d".to_owned(), "e&f".to_owned())]), "/a?b&c+d=e%26f");
    }
}
