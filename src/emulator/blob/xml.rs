//! XML documents: a writer of elements and a reader of flat lists.
//!
//! It knows none of the documents by name; `list`, `policy` and `upload` do.

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::error::BlobError;

/// A document under construction.
pub(super) struct Xml(String);

impl Xml {
    /// A document with its declaration.
    pub(super) fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"utf-8\"?>".to_owned())
    }

    /// Opens `<tag>`; `tag` may carry attributes that are escaped already.
    pub(super) fn open(&mut self, tag: &str) -> &mut Self {
        self.raw("<").raw(tag).raw(">")
    }

    /// Closes `tag`.
    pub(super) fn close(&mut self, tag: &str) -> &mut Self {
        self.raw("</").raw(tag).raw(">")
    }

    /// `<tag>text</tag>` with the text escaped.
    pub(super) fn element(&mut self, tag: &str, text: &str) -> &mut Self {
        self.open(tag).raw(&escape(text)).close(tag)
    }

    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Reads every element of `body` that holds text or nothing else: its path from the root, and its text.
///
/// # Errors
/// `InvalidXmlDocument`.
pub(super) fn leaves(body: &[u8]) -> Result<Vec<(Vec<String>, String)>, BlobError> {
    let invalid = || BlobError::of("InvalidXmlDocument");
    let text = std::str::from_utf8(body).map_err(|_not_utf8| invalid())?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
    let mut path: Vec<String> = Vec::new();
    let mut found = Vec::new();
    let mut value = String::new();
    let mut is_leaf = false;
    loop {
        match reader.read_event().map_err(|_malformed| invalid())? {
            Event::Start(start) => {
                path.push(start.name().as_ref().to_owned());
                value.clear();
                is_leaf = true;
            }
            Event::Empty(start) => {
                let mut path = path.clone();
                path.push(start.name().as_ref().to_owned());
                found.push((path, String::new()));
                is_leaf = false;
            }
            Event::Text(text) => value.push_str(&text.xml_content(XmlVersion::Implicit1_0)),
            Event::GeneralRef(reference) => value.push_str(&resolve(&reference)?),
            Event::CData(data) => value.push_str(&data),
            Event::End(_) => {
                if is_leaf {
                    found.push((path.clone(), value.trim().to_owned()));
                }
                is_leaf = false;
                if path.pop().is_none() {
                    return Err(invalid());
                }
            }
            Event::Eof if path.is_empty() => return Ok(found),
            Event::Eof => return Err(invalid()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

fn resolve(reference: &quick_xml::events::BytesRef<'_>) -> Result<String, BlobError> {
    let invalid = || BlobError::of("InvalidXmlDocument");
    if let Some(character) = reference
        .resolve_char_ref()
        .map_err(|_malformed| invalid())?
    {
        return Ok(character.to_string());
    }
    quick_xml::escape::resolve_xml_entity(reference)
        .map(str::to_owned)
        .ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_keep_their_order_and_lose_their_escapes() {
        let body = b"<?xml version=\"1.0\"?><L><A>x&amp;&#49;</A><B/><C>\n <D> y </D></C></L>";
        let leaves = leaves(body).expect("well-formed");
        let shown: Vec<String> = leaves
            .iter()
            .map(|(path, text)| format!("{}={text}", path.join("/")))
            .collect();
        assert_eq!(shown, ["L/A=x&1", "L/B=", "L/C/D=y"]);
    }

    #[test]
    fn broken_documents_are_refused() {
        assert!(leaves(b"<A><B></A>").is_err());
        assert!(leaves(b"<A>").is_err());
        assert!(leaves(b"\xFF").is_err());
    }

    #[test]
    fn a_spoiled_document_is_read_or_refused() {
        let seeds = [
            "<?xml version=\"1.0\"?><BlockList><Latest>AAA=</Latest><Committed>BBB=</Committed></BlockList>",
            "<SignedIdentifiers><SignedIdentifier><Id>in</Id><AccessPolicy><Permission>rl</Permission></AccessPolicy></SignedIdentifier></SignedIdentifiers>",
        ];
        let tokens = [
            "<",
            "</",
            "<a>",
            "&",
            "&#",
            ";",
            "<!DOCTYPE a [",
            "<![CDATA[",
            "]]>",
            "<!--",
        ];
        crate::spoil::spoiled(&seeds, &tokens, |bytes| drop(leaves(bytes)));
    }
}
