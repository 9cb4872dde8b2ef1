//! `--paginate`: all pages of a list.
//!
//! Atlas numbers the pages. The next one is the same request with the next number, so that the query
//! stays as the user wrote it and a proxy in between is not bypassed. Only if the link to the next
//! page has no number, the link is followed; the library refuses it if it leads to another server.

use super::filter::Filter;
use super::{Caller, path, show};
use crate::failure::Failure;
use crate::wiped::Wiped;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use tokenwell::Status;
use tokenwell::error::printable;

/// The most results of a page that Atlas allows.
const ITEMS_PER_PAGE: u64 = 500;
/// The maximum size of an array of results.
const LARGEST_ARRAY: usize = 256 * 1024 * 1024;

const ITEMS: &str = "itemsPerPage";
const NUMBER: &str = "pageNum";

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
    #[serde(default)]
    links: Vec<Link>,
    #[serde(rename = "totalCount")]
    total: Option<u64>,
}

#[derive(Deserialize)]
struct Link {
    rel: String,
    href: String,
}

/// Prints the results of all pages: one array at the end, or what `filter` selects in each page as it
/// arrives.
pub(super) fn print_all(caller: &Caller<'_>, first: &str, filter: Option<&Filter>) -> Result<(), Failure> {
    let mut current = match path::number(first, ITEMS) {
        Some(_) => first.to_owned(),
        None => path::with_parameter(first, ITEMS, &ITEMS_PER_PAGE.to_string()),
    };
    let mut array = Wiped::of(&["["]);
    let mut seen = 0;
    let mut requested = HashSet::new();
    loop {
        let (reply, body) = caller.send(&current)?;
        if let Some(refusal) = caller.refusal(&current, &reply, &body) {
            show::document(&body)?;
            return Err(refusal);
        }
        let page: Page<'_> = serde_json::from_slice(&body).map_err(|_| not_a_list(first))?;
        match filter {
            Some(filter) => filter.print(&body, reply.content_type.as_deref())?,
            None => {
                for (index, result) in page.results.iter().enumerate() {
                    array.push(if seen == 0 && index == 0 { "\n" } else { ",\n" });
                    array.push(result.get());
                }
                if array.as_bytes().len() > LARGEST_ARRAY {
                    return Err(too_large(first));
                }
            }
        }
        let count = page.results.len() as u64;
        seen += count;
        match next(&current, &page, count, seen) {
            Some(next) => {
                if !requested.insert(std::mem::replace(&mut current, next)) || requested.contains(&current) {
                    return Err(loops(first));
                }
            }
            None => break,
        }
    }
    if filter.is_some() {
        return Ok(());
    }
    array.push(if seen == 0 { "]\n" } else { "\n]\n" });
    show::document(array.as_bytes())
}

/// The path of the page after `current`.
fn next(current: &str, page: &Page<'_>, count: u64, seen: u64) -> Option<String> {
    let number = path::number(current, NUMBER).unwrap_or(1);
    let by_number = || path::with_parameter(current, NUMBER, &number.saturating_add(1).to_string());
    match page.links.iter().find(|link| link.rel.rsplit('/').next() == Some("next")) {
        Some(link) if path::number(&link.href, NUMBER).is_none() => Some(link.href.clone()),
        // A page without results is the last one, whatever its link says.
        Some(_) => (count > 0).then(by_number),
        None if page.links.is_empty() => page.total.is_some_and(|total| count > 0 && seen < total).then(by_number),
        None => None,
    }
}

fn not_a_list(path: &str) -> Failure {
    let problem = format!("--paginate: the response of {} is not a page of a list: it has no array `results`", printable(path, 200));
    Failure::new(Status::InvalidArgument, problem, "Leave out --paginate.")
}

fn too_large(path: &str) -> Failure {
    let problem = format!("--paginate: the results of {} are larger than {} MiB", printable(path, 200), LARGEST_ARRAY / (1024 * 1024));
    Failure::new(Status::Protocol, problem, "Use --jq, which prints each page as it arrives.")
}

fn loops(path: &str) -> Failure {
    let problem = format!("--paginate: a page of {} names itself as the next one", printable(path, 200));
    Failure::new(Status::Protocol, problem, "This is a server error. Get the pages yourself with pageNum.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn after(current: &str, page: &str, seen: u64) -> Option<String> {
        let page: Page<'_> = serde_json::from_str(page).unwrap();
        let count = page.results.len() as u64;
        next(current, &page, count, seen)
    }

    #[test]
    fn the_next_page_is_the_same_request_with_the_next_number() {
        let next_by_number = r#"{"results":[1],"links":[{"rel":"next","href":"https://other.example/x?pageNum=2"}]}"#;
        assert_eq!(after("/a?b=c", next_by_number, 1).as_deref(), Some("/a?b=c&pageNum=2"));
        assert_eq!(after("/a?pageNum=4&b=c", next_by_number, 1).as_deref(), Some("/a?b=c&pageNum=5"));
        let cursor = r#"{"results":[1],"links":[{"rel":"next","href":"https://other.example/x?cursor=2"}]}"#;
        assert_eq!(after("/a", cursor, 1).as_deref(), Some("https://other.example/x?cursor=2"));
        assert_eq!(after("/a", r#"{"results":[1],"totalCount":2}"#, 1).as_deref(), Some("/a?pageNum=2"));
    }

    #[test]
    fn the_last_page_has_no_next_one() {
        for page in [
            r#"{"results":[1]}"#,
            r#"{"results":[1],"totalCount":1}"#,
            r#"{"results":[1],"totalCount":9,"links":[{"rel":"self","href":"/a"}]}"#,
            r#"{"results":[],"totalCount":9}"#,
            r#"{"results":[],"links":[{"rel":"next","href":"/a?pageNum=2"}]}"#,
        ] {
            assert_eq!(after("/a", page, 1), None, "{page}");
        }
    }
}
