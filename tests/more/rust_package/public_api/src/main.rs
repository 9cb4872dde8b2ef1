//! Compares the public items of a crate, from the JSON that rustdoc writes, with a listing.
//!
//!     public_api JSON LISTING            fails if they differ, and names each difference; the status is 3 if the JSON
//!                                        has a format that this program does not know
//!     public_api JSON LISTING --write    writes the listing

use std::collections::BTreeSet;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err((status, problem)) => {
            eprintln!("public_api: {problem}");
            ExitCode::from(status)
        }
    }
}

fn run() -> Result<bool, (u8, String)> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [json, listing, options @ ..] = arguments.as_slice() else {
        return Err((2, "pass the JSON of rustdoc and the listing".to_owned()));
    };
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()
        .map_err(|error| (3, format!("cannot read {json}: {error}")))?;
    // The implementations of Send and Sync are among the items: a program that needs them breaks without them.
    let found: BTreeSet<String> = api.items().map(ToString::to_string).collect();
    if options == ["--write"] {
        let lines: String = found.iter().map(|item| format!("{item}\n")).collect();
        return std::fs::write(listing, lines).map(|()| true).map_err(|error| (2, format!("cannot write {listing}: {error}")));
    }

    let listed = std::fs::read_to_string(listing).map_err(|error| (2, format!("cannot read {listing}: {error}")))?;
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let removed: Vec<_> = listed.difference(&found).collect();
    let added: Vec<_> = found.difference(&listed).collect();
    for item in &removed {
        println!("removed or changed, which breaks programs: {item}");
    }
    for item in &added {
        println!("added: {item}");
    }
    println!("{} public items, {} removed or changed, {} added", found.len(), removed.len(), added.len());
    Ok(removed.is_empty() && added.is_empty())
}
