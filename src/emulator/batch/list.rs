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

/// A kind of resource, as far as lists of it go.
#[derive(Debug)]
pub(super) struct Kind {
    /// Its name in metadata.
    pub(super) name: &'static str,
    /// Most items of a page.
    pub(super) page_max: usize,
    /// What it can be filtered by.
    pub(super) filterable: &'static [&'static str],
    /// Its members, with a blank between; empty if none can be selected.
    pub(super) members: &'static str,
    /// Whether `$expand=stats` exists.
    pub(super) has_stats: bool,
}

/// What a list was asked for.
#[derive(Debug)]
pub(super) struct Page {
    filter: Option<Filter>,
    select: Select,
    size: usize,
    /// Key of the last resource of the page before.
    pub(super) after: Option<String>,
}

/// The properties that are wanted; all if none is named.
#[derive(Debug)]
pub(super) struct Select {
    names: Vec<String>,
    /// Whether statistics are wanted.
    pub(super) with_stats: bool,
}

impl Select {
    /// Reads `$select` and `$expand` of a request for resources of `kind`.
    ///
    /// # Errors
    /// `InvalidQueryParameterValue` for a property that they do not have.
    pub(super) fn read(call: &Call, kind: &Kind) -> Result<Self, BatchError> {
        let split = |name| {
            call.query(name)
                .unwrap_or_default()
                .split(',')
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect::<Vec<_>>()
        };
        let (names, expand) = (split("$select"), split("$expand"));
        if let Some(other) = expand
            .iter()
            .find(|name| !kind.has_stats || *name != "stats")
        {
            return Err(BatchError::query(
                "$expand",
                other,
                "It cannot be expanded.",
            ));
        }
        let is_member = |name: &String| {
            let outer = name.split('/').next();
            kind.members.split(' ').any(|known| Some(known) == outer)
        };
        if let Some(other) = names.iter().find(|name| !is_member(name)) {
            return Err(BatchError::query(
                "$select",
                other,
                "There is no such property.",
            ));
        }
        Ok(Self {
            with_stats: !expand.is_empty(),
            names,
        })
    }

    /// Leaves only the wanted properties in `object`.
    pub(super) fn apply(&self, object: &mut Object) {
        if self.names.is_empty() {
            return;
        }
        let names = &self.names;
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
    /// Reads what `call` asks for of a list of `kind`; no page is larger than `page_max`, if given.
    ///
    /// # Errors
    /// `InvalidQueryParameterValue` or `OutOfRangeQueryParameter`.
    pub(super) fn read(
        call: &Call,
        kind: &Kind,
        page_max: Option<usize>,
    ) -> Result<Self, BatchError> {
        let filter = match call.query("$filter") {
            None | Some("") => None,
            Some(text) => Some(Filter::read(text, kind.filterable)?),
        };
        let size_max = kind.page_max;
        let size = match call.query("maxresults") {
            None => size_max,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if (1..=size_max).contains(&size) => size,
                Ok(_) => {
                    return Err(out_of_range("maxresults", text, size_max));
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
            select: Select::read(call, kind)?,
            size: size.min(page_max.unwrap_or(usize::MAX)),
            after,
        })
    }

    /// One page of `items`, which are keys and resources after [`after`](Self::after), in order; `show` is told whether
    /// statistics are wanted.
    pub(super) fn take<'a, T: Fields + 'a>(
        &self,
        items: impl Iterator<Item = (&'a str, T)>,
        show: impl Fn(&T, bool) -> Object,
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
                let mut object = show(&item, self.select.with_stats);
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

/// 400: the parameter `name` must be 1 to `most`.
pub(super) fn out_of_range(name: &str, value: &str, most: usize) -> BatchError {
    BatchError::of("OutOfRangeQueryParameter")
        .with("QueryParameterName", name)
        .with("QueryParameterValue", value)
        .with("MinimumAllowed", "1")
        .with("MaximumAllowed", most.to_string())
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

    const NUMBERS: Kind = Kind {
        name: "numbers",
        page_max: PAGE_MAX,
        filterable: &["n"],
        members: "id executionInfo",
        has_stats: false,
    };

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
        let page = Page::read(&call, &NUMBERS, None).expect(query);
        let start: usize = page
            .after
            .as_ref()
            .map_or(0, |after| after.parse::<usize>().expect("number") + 1);
        let keys: Vec<String> = (start..2500).map(|number| number.to_string()).collect();
        let items = keys
            .iter()
            .map(|key| (key.as_str(), Number(key.parse().expect("number"))));
        let (values, next) = page.take(items, |_, _| Object::new());
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
    fn what_is_not_there_is_neither_selected_nor_expanded() {
        for query in ["$select=id,colour", "$expand=stats", "maxresults=0"] {
            let request = hyper::Request::builder().uri(format!("/?{query}"));
            let call = Call::new(&request.body(()).expect("valid request"));
            let error = Page::read(&call, &NUMBERS, None).expect_err(query);
            assert_eq!(error.status, 400);
        }
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
        Select::read(&call, &NUMBERS)
            .expect("valid")
            .apply(object.as_object_mut().expect("object"));
        assert_eq!(
            object,
            serde_json::json!({"id": "a", "executionInfo": {"exitCode": 1}})
        );
    }
}
