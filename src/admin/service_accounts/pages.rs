//! All pages of a list, each object once.
//!
//! Atlas numbers its pages, so an object that is added or removed meanwhile moves others to another
//! page. If the total changes or a page overlaps with an earlier one, the list is read again from its
//! start, and what was returned already is left out.
//!
//! One object added and another removed leave the total as it was, and an object that moved from the
//! second page to the first one would be missing. A list of several pages is therefore checked: its pages
//! but the last one are read once more after the last one. If they are the same, they were so when the
//! last page was read, because the id of a removed object does not come back.

use super::error::AdminError;
use super::model::{AccessListEntry, ProjectOfAccount, ServiceAccount};
use super::send::{Request, Sender};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{HashSet, VecDeque};

/// The most results of a page that Atlas allows.
const ITEMS_PER_PAGE: u64 = 500;
/// How often a list that changes is read from its start.
const MOST_PASSES: u32 = 5;

/// An object of a list.
pub(super) trait Listed: DeserializeOwned {
    /// What identifies it within the list.
    fn key(&self) -> String;
}

impl Listed for ServiceAccount {
    fn key(&self) -> String {
        self.client_id.clone()
    }
}

impl Listed for AccessListEntry {
    fn key(&self) -> String {
        self.network().map_or_else(|| format!("{:?} {:?}", self.cidr_block, self.ip_address), |network| network.to_string())
    }
}

impl Listed for ProjectOfAccount {
    fn key(&self) -> String {
        self.group_id.clone()
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
struct Page<T> {
    results: Vec<T>,
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

/// The objects of a response, if it is the only page of a list.
pub(super) fn only_page<T: Listed>(body: &[u8]) -> Option<Vec<T>> {
    let page: Page<T> = serde_json::from_slice(body).ok()?;
    let is_whole = page.total.is_some_and(|total| total <= page.results.len() as u64);
    is_whole.then_some(page.results)
}

/// An iterator over the objects of a list. It requests a page when the ones before are used up. After
/// an error it ends: what it returned before is then not the whole list.
#[derive(Debug)]
pub struct Listing<'a, T> {
    sender: Sender<'a>,
    request: Request,
    ready: VecDeque<T>,
    returned: HashSet<String>,
    pass: Pass,
    passes: u32,
    /// How many pages were read once more, after the last one.
    checked: Option<usize>,
    is_done: bool,
    /// The server's time at the first page, if it sent one.
    date_ms: Option<u64>,
}

/// One reading of the list from its start.
#[derive(Debug, Default)]
struct Pass {
    /// The keys of each page.
    pages: Vec<Vec<String>>,
    total: Option<u64>,
    keys: HashSet<String>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

impl<'a, T> Listing<'a, T> {
    /// The list at the path of `request`, which may have a query.
    pub(super) fn new(sender: Sender<'a>, request: Request) -> Self {
        let (ready, returned) = (VecDeque::new(), HashSet::new());
        Self { sender, request, ready, returned, pass: Pass::default(), passes: 1, checked: None, is_done: false, date_ms: None }
    }

    pub(super) fn date_ms(&self) -> Option<u64> {
        self.date_ms
    }
}

#[allow(private_bounds)]
impl<T: Listed> Listing<'_, T> {
    fn page(&mut self, number: usize) -> Result<Page<T>, AdminError> {
        let separator = if self.request.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{separator}itemsPerPage={ITEMS_PER_PAGE}&pageNum={number}", self.request.path);
        let success = self.sender.send(&Request { path, ..self.request.clone() })?;
        let page: Page<T> = serde_json::from_slice(&success.body).map_err(|error| {
            // The error of serde names a field, and no value that could be a secret.
            AdminError::response(
                &self.request.name(),
                format!("the response is not a page of a list (line {}, column {})", error.line(), error.column()),
            )
        })?;
        self.date_ms = self.date_ms.or(success.date_ms);
        Ok(page)
    }

    /// Reads the next page, or after the last one an earlier page once more. Sets `is_done` at the end.
    fn advance(&mut self) -> Result<(), AdminError> {
        let Some(checked) = self.checked else { return self.read_page() };
        let page = self.page(checked + 1)?;
        let is_same = page.total == self.pass.total && page.results.iter().map(Listed::key).eq(self.pass.pages[checked].iter().cloned());
        if !is_same {
            return self.start_again();
        }
        self.end_of_pages(checked + 1);
        Ok(())
    }

    /// Continues after the last page, of which `checked` ones are known to be the same still.
    fn end_of_pages(&mut self, checked: usize) {
        self.checked = Some(checked);
        self.is_done = checked + 1 >= self.pass.pages.len();
    }

    fn read_page(&mut self) -> Result<(), AdminError> {
        let number = self.pass.pages.len() + 1;
        let page = self.page(number)?;
        let keys: Vec<_> = page.results.iter().map(Listed::key).collect();
        let known = keys.iter().filter(|key| self.pass.keys.contains(*key)).count();
        if number > 1 && (page.total != self.pass.total || (known > 0 && known < keys.len())) {
            return self.start_again();
        }
        if known > 0 {
            return Err(AdminError::response(
                &self.request.name(),
                format!("page {number} of the list has the results of an earlier page"),
            ));
        }
        let next = self.next_link(&page)?;
        self.pass.total = page.total;
        let count = keys.len() as u64;
        self.pass.keys.extend(keys.iter().cloned());
        self.pass.pages.push(keys.clone());
        let seen = self.pass.keys.len() as u64;
        if page.total.is_some_and(|total| seen > total.saturating_add(ITEMS_PER_PAGE)) {
            return Err(AdminError::response(&self.request.name(), format!("the list has more results than its totalCount ({seen})")));
        }
        for (key, result) in keys.into_iter().zip(page.results) {
            if self.returned.insert(key) {
                self.ready.push_back(result);
            }
        }
        let is_last = count == 0 || !next.unwrap_or_else(|| page.total.map_or(count >= ITEMS_PER_PAGE, |total| seen < total));
        if is_last {
            self.end_of_pages(0);
        }
        Ok(())
    }

    fn start_again(&mut self) -> Result<(), AdminError> {
        self.passes += 1;
        if self.passes > MOST_PASSES {
            return Err(AdminError::response(&self.request.name(), "the list changes while it is read; its pages do not fit together"));
        }
        self.pass = Pass::default();
        self.checked = None;
        Ok(())
    }

    /// Whether a link to a next page exists, if the page has links. One to another server is an error:
    /// the answer is not from the API.
    fn next_link(&self, page: &Page<T>) -> Result<Option<bool>, AdminError> {
        if page.links.is_empty() {
            return Ok(None);
        }
        let Some(next) = page.links.iter().find(|link| link.rel.rsplit('/').next() == Some("next")) else { return Ok(Some(false)) };
        if self.sender.api.is_own_url(&next.href) {
            return Ok(Some(true));
        }
        Err(AdminError::response(&self.request.name(), "the link to the next page leads to another server"))
    }
}

#[allow(private_bounds)]
impl<T: Listed> Iterator for Listing<'_, T> {
    type Item = Result<T, AdminError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.is_done {
            if let Err(error) = self.advance() {
                self.is_done = true;
                self.ready.clear();
                return Some(Err(error));
            }
        }
        self.ready.pop_front().map(Ok)
    }
}
