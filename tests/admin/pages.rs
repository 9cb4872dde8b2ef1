//! Lists of several pages.

use crate::support::{ACCOUNTS, Bench, client_id, page};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokenwell::Status;
use tokenwell::admin::service_accounts::AdminError;

/// Answers one GET of the list with each of `pages`.
fn serve(bench: &Bench, pages: impl IntoIterator<Item = Value>) {
    let fault = |body| json!({ "path": ACCOUNTS, "method": "GET", "times": 1, "status": 200, "body": body });
    bench.faults(pages.into_iter().map(fault).collect());
}

fn read(bench: &Bench) -> Result<Vec<String>, AdminError> {
    bench.of_organization().list().map(|account| account.map(|account| account.client_id)).collect()
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(client_id).collect()
}

#[test]
fn l5_every_object_of_a_list_of_any_length_is_returned_once() {
    for total in [0, 1, 100, 101, 500, 501, 1000] {
        let bench = Bench::new();
        let starts = (0..total.max(1)).step_by(500);
        let next = format!("{}{ACCOUNTS}?pageNum=2", bench.emulator.base_url());
        let pages: Vec<_> =
            starts.map(|start| page(start, (total - start).min(500), total, (start + 500 < total).then_some(&*next))).collect();
        // All pages but the last one are read once more.
        let numbers: Vec<_> = (1..=pages.len()).chain(1..pages.len()).collect();
        serve(&bench, numbers.iter().map(|number| pages[number - 1].clone()));

        assert_eq!(read(&bench).unwrap(), ids(0..total), "{total}");
        assert_eq!(bench.requests("GET", ACCOUNTS), numbers.len(), "{total}");
        let last = bench.emulator.last_request(ACCOUNTS).unwrap();
        assert_eq!(last.query.unwrap(), format!("itemsPerPage=500&pageNum={}", numbers.last().unwrap()));
    }
}

#[test]
fn l5_a_page_without_links_ends_with_the_total() {
    let bench = Bench::new();
    let bare = |start: usize, count: usize| {
        let mut page = page(start, count, 600, None);
        page.as_object_mut().unwrap().remove("links");
        page
    };
    serve(&bench, [bare(0, 500), bare(500, 100), bare(0, 500)]);

    assert_eq!(read(&bench).unwrap().len(), 600);
}

#[test]
fn l5_an_object_that_is_removed_between_pages_hides_no_other() {
    let bench = Bench::new();
    let after_removal = |start: usize, count: usize, next| page(start + 1, count, 599, next);
    // The first object is removed after the first page, so that the next page begins one later.
    serve(
        &bench,
        [
            page(0, 500, 600, Some("/x")),
            after_removal(500, 99, None),
            after_removal(0, 500, Some("/x")),
            after_removal(500, 99, None),
            after_removal(0, 500, Some("/x")),
        ],
    );

    let read = read(&bench).unwrap();

    assert_eq!(read.len(), read.iter().collect::<BTreeSet<_>>().len(), "no duplicates");
    assert!(ids(1..600).iter().all(|id| read.contains(id)), "{}", read.len());
}

#[test]
fn l5_an_object_that_is_added_between_pages_is_no_duplicate() {
    let bench = Bench::new();
    let after_addition = [page(599, 1, 601, None)["results"].clone(), page(0, 499, 601, Some("/x"))["results"].clone()];
    let results: Vec<Value> = after_addition.iter().flat_map(|part| part.as_array().unwrap().clone()).collect();
    let mut first = page(0, 0, 601, Some("/x"));
    first["results"] = results.into();
    serve(&bench, [page(0, 500, 600, Some("/x")), page(499, 100, 601, None), first.clone(), page(499, 100, 601, None), first]);

    let read = read(&bench).unwrap();

    assert_eq!((read.len(), read.iter().collect::<BTreeSet<_>>().len()), (600, 600));
}

/// The pages of a list of these numbers.
fn pages_of(numbers: &[usize]) -> Vec<Value> {
    let starts = (0..numbers.len()).step_by(500);
    let page_from = |start: usize| {
        let own = &numbers[start..numbers.len().min(start + 500)];
        let mut shown = page(0, 0, numbers.len(), (start + 500 < numbers.len()).then_some("/x"));
        shown["results"] = own.iter().map(|number| json!({ "clientId": client_id(*number), "name": "n" })).collect();
        shown
    };
    starts.map(page_from).collect()
}

#[test]
fn l5_one_object_added_and_one_removed_between_pages_hide_no_other() {
    let before: Vec<usize> = (0..1100).collect();
    // Which page is read before the change, and what is removed: from the same page, from an earlier one.
    for (read_before, removed) in [(1, 10), (2, 10), (2, 700)] {
        let after: Vec<usize> = before.iter().copied().filter(|number| *number != removed).chain([1100]).collect();
        let (old, new) = (pages_of(&before), pages_of(&after));
        let bench = Bench::new();
        let first_reading = old[..read_before].iter().chain(&new[read_before..]);
        // The check of the first reading ends at the first page that has changed.
        let check = &new[..=removed / 500];
        serve(&bench, first_reading.chain(check).chain(&new).chain(&new[..2]).cloned());

        let read = read(&bench).unwrap();

        let unique: BTreeSet<_> = read.iter().cloned().collect();
        assert_eq!(read.len(), unique.len(), "no duplicates");
        assert!(ids(after).iter().all(|id| unique.contains(id)), "{read_before} {removed}: {}", read.len());
        assert_eq!(bench.requests("GET", ACCOUNTS), 3 + check.len() + 3 + 2);
    }
}

#[test]
fn l5_a_list_whose_pages_never_agree_is_an_error() {
    let bench = Bench::new();
    let removed = |number: usize| (0..602).filter(|other| *other != number).collect::<Vec<_>>();
    serve(&bench, (0..60).map(|number| pages_of(&removed(number)).remove(usize::from(number % 3 == 1))));

    let error = read(&bench).unwrap_err();

    assert!(error.to_string().contains("changes while it is read"), "{error}");
    assert_eq!(bench.requests("GET", ACCOUNTS), 5 * 3);
}

#[test]
fn l5_pages_that_cannot_be_right_are_errors_and_no_loop() {
    let repeated = || page(0, 500, 2000, Some("/x"));
    let mut without_results = page(0, 0, 600, None);
    without_results.as_object_mut().unwrap().remove("results");
    let endless = (0..40).map(|number| page(number * 500, 500, 600, Some("/x")));
    let changing = (0..40).flat_map(|number| [page(0, 500, 600 + 2 * number, Some("/x")), page(500, 100, 601 + 2 * number, None)]);
    let cases: [(&str, Vec<Value>); 6] = [
        ("of an earlier page", vec![repeated(), repeated(), repeated()]),
        ("not a page of a list", vec![page(0, 500, 600, Some("/x")), without_results]),
        ("another server", vec![page(0, 500, 600, Some("https://evil.example/x?pageNum=2"))]),
        ("more results than its totalCount", endless.collect()),
        ("changes while it is read", changing.collect()),
        ("not a page of a list", vec![json!([])]),
    ];
    for (problem, pages) in cases {
        let bench = Bench::new();
        serve(&bench, pages);

        let error = read(&bench).unwrap_err();

        assert!(error.to_string().contains(problem), "{problem}: {error}");
        assert_eq!(error.status(), Status::Protocol, "{error}");
        assert!(bench.requests("GET", ACCOUNTS) < 20, "{problem}");
    }
}

#[test]
fn l5_an_error_on_a_later_page_is_an_error_of_the_list() {
    let bench = Bench::new();
    let fault = |body| json!({ "path": ACCOUNTS, "times": 1, "status": 200, "body": body });
    bench.faults(
        json!([fault(page(0, 500, 1200, Some("/x"))), fault(page(500, 500, 1200, Some("/x"))), { "path": ACCOUNTS, "status": 403 }]),
    );

    let listed: Vec<_> = bench.of_organization().list().collect();

    assert_eq!(listed.len(), 1001, "an iterator ends with its error");
    assert_eq!(listed.last().unwrap().as_ref().unwrap_err().status(), Status::CredentialRejected);
    assert_eq!(read(&bench).unwrap_err().api().unwrap().status, 403);
}
