//! Lists: `$filter`, `$select`, `maxresults`, pages and the link to the next one.
//!
//! A page looks at a bounded number of resources, so with a filter it may be short, or empty, and still have a next one,
//! as those of the real service.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::error::BatchError;
use super::object::Put as _;
use super::query::{Fields, Filter};
use super::schema::Object;
use crate::emulator::call::Call;

/// Most items of a page, and how many resources a page looks at.
pub(super) const PAGE_MAX: usize = 1000;

/// What a list was asked for.
#[derive(Debug)]
pub(super) struct Page {
    filter: Option<Filter>,
    select: Select,
    size: usize,
    /// Key of the last resource of the page before.
    pub(super) after: Option<String>,
}

/// The properties that are wanted; all if empty.
#[derive(Debug)]
pub(super) struct Select(Vec<String>);

impl Select {
    /// Reads `$select`, and refuses `$expand`.
    ///
    /// # Errors
    /// 501 for `$expand`.
    pub(super) fn read(call: &Call) -> Result<Self, BatchError> {
        if call
            .query("$expand")
            .is_some_and(|expand| !expand.is_empty())
        {
            return Err(BatchError::missing("$expand: statistics are not kept"));
        }
        let select = call.query("$select").unwrap_or_default();
        Ok(Self(
            select
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
        ))
    }

    /// Leaves only the wanted properties in `object`.
    pub(super) fn apply(&self, object: &mut Object) {
        if self.0.is_empty() {
            return;
        }
        let names = &self.0;
        object.retain(|name, value| {
            if names.iter().any(|wanted| wanted == name) {
                return true;
            }
            let inner: Vec<&str> = names
                .iter()
                .filter_map(|wanted| wanted.split_once('/'))
                .filter(|(outer, _)| outer == name)
                .map(|(_, inner)| inner)
                .collect();
            if let Value::Object(value) = value {
                value.retain(|name, _| inner.contains(&name.as_str()));
            }
            !inner.is_empty()
        });
    }
}

impl Page {
    /// Reads what `call` asks for, of pages of at most `size_max`, filtered by `filterable` properties.
    ///
    /// # Errors
    /// `InvalidQueryParameterValue`, `OutOfRangeQueryParameter`, or 501 for `$expand`.
    pub(super) fn read(
        call: &Call,
        size_max: usize,
        filterable: &[&str],
    ) -> Result<Self, BatchError> {
        let filter = match call.query("$filter") {
            None | Some("") => None,
            Some(text) => Some(Filter::read(text, filterable)?),
        };
        let size = match call.query("maxresults") {
            None => size_max,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if (1..=size_max).contains(&size) => size,
                Ok(_) => {
                    return Err(BatchError::of("OutOfRangeQueryParameter")
                        .with("QueryParameterName", "maxresults")
                        .with("QueryParameterValue", text)
                        .with("MinimumAllowed", "1")
                        .with("MaximumAllowed", size_max.to_string()));
                }
                Err(_) => return Err(BatchError::query("maxresults", text, "It is not a number.")),
            },
        };
        let after = match call.query("$skiptoken") {
            None => None,
            Some(text) => Some(
                URL_SAFE_NO_PAD
                    .decode(text)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(|| {
                        BatchError::query("$skipToken", text, "It is not a token of this service.")
                    })?,
            ),
        };
        Ok(Self {
            filter,
            select: Select::read(call)?,
            size,
            after,
        })
    }

    /// One page of `items`, which are keys and resources after [`after`](Self::after), in order.
    pub(super) fn take<'a, T: Fields + 'a>(
        &self,
        items: impl Iterator<Item = (&'a str, T)>,
        show: impl Fn(&T) -> Object,
    ) -> (Vec<Value>, Option<String>) {
        let mut values = Vec::new();
        let mut items = items.peekable();
        let mut seen = 0;
        while let Some((key, item)) = items.next() {
            seen += 1;
            if self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.matches(&item))
            {
                let mut object = show(&item);
                self.select.apply(&mut object);
                values.push(Value::Object(object));
            }
            if (values.len() == self.size || seen >= PAGE_MAX) && items.peek().is_some() {
                return (values, Some(key.to_owned()));
            }
        }
        (values, None)
    }
}

/// The document of a page: `kind` for its metadata, and the link to the page after `next`.
pub(super) fn document(
    call: &Call,
    endpoint: &str,
    kind: &str,
    page: (Vec<Value>, Option<String>),
) -> Object {
    let (values, next) = page;
    let mut document = Object::new();
    document
        .put("odata.metadata", format!("{endpoint}/$metadata#{kind}"))
        .put("value", values)
        .put_some(
            "odata.nextLink",
            next.map(|key| next_link(call, endpoint, &key)),
        );
    document
}

fn next_link(call: &Call, endpoint: &str, key: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut link = format!(
        "{endpoint}{}?$skipToken={}",
        call.path,
        URL_SAFE_NO_PAD.encode(key)
    );
    for (name, value) in &call.query {
        if !name.eq_ignore_ascii_case("$skiptoken") {
            link = format!("{link}&{name}={}", encode(value));
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::batch::query::Cell;

    struct Number(usize);

    impl Fields for Number {
        fn field(&self, _path: &str) -> Cell<'_> {
            Cell::Number(i64::try_from(self.0).expect("small"))
        }
    }

    fn page(query: &str) -> (usize, Option<String>) {
        let uri = format!("/numbers?api-version=1&{query}");
        let call = Call::new(
            &hyper::Request::builder()
                .uri(uri)
                .body(())
                .expect("valid request"),
        );
        let page = Page::read(&call, PAGE_MAX, &["n"]).expect(query);
        let start: usize = page
            .after
            .as_ref()
            .map_or(0, |after| after.parse::<usize>().expect("number") + 1);
        let keys: Vec<String> = (start..2500).map(|number| number.to_string()).collect();
        let items = keys
            .iter()
            .map(|key| (key.as_str(), Number(key.parse().expect("number"))));
        let (values, next) = page.take(items, |_| Object::new());
        let link = document(&call, "http://h", "numbers", (Vec::new(), next));
        (
            values.len(),
            link.get("odata.nextLink")
                .and_then(Value::as_str)
                .map(str::to_owned),
        )
    }

    #[test]
    fn pages_lead_to_each_other_until_the_end() {
        let mut query = "maxresults=600&$filter=n%20ge%201500".to_owned();
        let mut sizes = Vec::new();
        loop {
            let (size, next) = page(&query);
            sizes.push(size);
            let Some(link) = next else { break };
            assert!(
                link.contains("api-version=1") && link.contains("$filter=n%20ge%201500"),
                "{link}"
            );
            query = link
                .split_once('?')
                .expect("query")
                .1
                .replace("api-version=1&", "");
        }
        // The first looks at 1,000 resources and finds none.
        assert_eq!(sizes, [0, 500, 500]);
    }

    #[test]
    fn select_reaches_into_objects() {
        let uri = "/?$select=id,executionInfo/exitCode";
        let call = Call::new(
            &hyper::Request::builder()
                .uri(uri)
                .body(())
                .expect("valid request"),
        );
        let mut object = serde_json::json!({"id": "a", "state": "b", "executionInfo": {"exitCode": 1, "result": "c"}});
        Select::read(&call)
            .expect("valid")
            .apply(object.as_object_mut().expect("object"));
        assert_eq!(
            object,
            serde_json::json!({"id": "a", "executionInfo": {"exitCode": 1}})
        );
    }
}
