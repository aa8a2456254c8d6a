//! A tree of XML, as quick-xml reads it.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Element>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> &str {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    #[track_caller]
    pub(crate) fn one(&self, path: &str) -> &Element {
        let mut here = self;
        for name in path.split('/') {
            let all: Vec<&Element> = here.all(name).collect();
            assert_eq!(all.len(), 1, "{name} of {path}");
            here = all[0];
        }
        here
    }
}

fn element(start: &BytesStart<'_>, reader: &Reader<&[u8]>) -> Element {
    let name = String::from_utf8(start.name().as_ref().to_vec()).expect("UTF-8");
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.expect("an attribute");
        let name = String::from_utf8(attribute.key.as_ref().to_vec()).expect("UTF-8");
        (name, attribute.decode_and_unescape_value(reader.decoder()).expect("a value").into_owned())
    });
    Element { name, attributes: attributes.collect(), ..Element::default() }
}

pub(crate) fn read(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => open.push(element(&start, &reader)),
            Event::Empty(start) => {
                let empty = element(&start, &reader);
                open.last_mut().expect("an element").children.push(empty);
            }
            Event::End(_) => {
                let ended = open.pop().expect("an element");
                open.last_mut().expect("one above").children.push(ended);
            }
            Event::Text(text) => {
                open.last_mut().expect("an element").text.push_str(&text.decode().expect("UTF-8"));
            }
            Event::GeneralRef(reference) => {
                let text = match &*reference {
                    b"lt" => '<',
                    b"gt" => '>',
                    b"amp" => '&',
                    b"quot" => '"',
                    b"apos" => '\'',
                    _ => reference.resolve_char_ref().expect("a reference").expect("a letter"),
                };
                open.last_mut().expect("an element").text.push(text);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other => panic!("nothing else is written: {other:?}"),
        }
    }
    assert_eq!(open.len(), 1, "every element ends");
    let mut root = open.remove(0);
    assert_eq!(root.children.len(), 1, "one root");
    root.children.remove(0)
}
