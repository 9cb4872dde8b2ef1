//! Pagination of lists.

use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use serde_json::{Value, json};
use std::sync::Arc;
use url::form_urlencoded;

const MAX_ITEMS: usize = 500;

/// The requested part of a list.
pub(super) struct Page {
    url: String,
    /// The other query parameters, which the links keep.
    others: Vec<(String, String)>,
    items: usize,
    number: usize,
    include_count: bool,
}

impl FromRequestParts<Arc<Shared>> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<Shared>) -> Result<Self, ApiError> {
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, state).await;
        let mut page =
            Self { url: format!("{}{}", state.base_url, uri.path()), others: Vec::new(), items: 100, number: 1, include_count: true };
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*name {
                "itemsPerPage" => page.items = number(&name, &value, MAX_ITEMS)?,
                "pageNum" => page.number = number(&name, &value, usize::MAX)?,
                other => {
                    page.include_count &= other != "includeCount" || value != "false";
                    page.others.push((name.into_owned(), value.into_owned()));
                }
            }
        }
        Ok(page)
    }
}

impl Page {
    /// The value of a query parameter that selects the items.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn of(&self, all: Vec<Value>) -> Json<Value> {
        let total = all.len();
        let before = self.items.saturating_mul(self.number - 1);
        let results: Vec<_> = all.into_iter().skip(before).take(self.items).collect();
        let mut links = vec![self.link("self", self.number)];
        if self.number > 1 {
            links.push(self.link("previous", self.number - 1));
        }
        if before.saturating_add(results.len()) < total {
            links.push(self.link("next", self.number + 1));
        }
        let mut page = json!({ "links": links, "results": results });
        if self.include_count {
            page["totalCount"] = total.into();
        }
        Json(page)
    }

    fn link(&self, rel: &str, number: usize) -> Value {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.others).append_pair("itemsPerPage", &self.items.to_string()).append_pair("pageNum", &number.to_string());
        json!({ "rel": rel, "href": format!("{}?{}", self.url, query.finish()) })
    }
}

fn number(name: &str, value: &str, max: usize) -> Result<usize, ApiError> {
    match value.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => {
            let detail = format!("The query parameter {name} must be a number of at least 1; itemsPerPage is at most {MAX_ITEMS}.");
            Err(ApiError::new(400, "INVALID_QUERY_PARAMETER", detail).with([name.into()]).in_field(name))
        }
    }
}
