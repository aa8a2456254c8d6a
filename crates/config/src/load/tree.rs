//! YAML text into a bounded tree in which every node knows its place.
//!
//! The dialect is the plain part of YAML: mappings with text keys, sequences, scalars. Anchors, aliases, tags, merge
//! keys and several documents are refused, because each lets a short file mean something else than it shows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use crate::{Diagnostic, Diagnostics, Located, Place, SourceFile};

/// Mappings and sequences inside each other.
const MAX_DEPTH: usize = 32;
/// Scalars, keys, mappings and sequences of one file.
const MAX_NODES: usize = 20_000;
/// Findings after which the rest of a file is not read: it is not the kind of file that was meant.
const MAX_FINDINGS: usize = 200;

/// A piece of YAML.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: NodeKind,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum NodeKind {
    /// `plain` scalars are those without quotes: only they can be null, numbers or booleans.
    Scalar {
        text: String,
        plain: bool,
    },
    Sequence(Vec<Node>),
    /// In the order written; keys are unique.
    Mapping(Vec<(Located<String>, Node)>),
}

impl Node {
    /// Nothing was written: `key:` or `key: ~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What kind of node it is, for messages.
    pub(super) fn described(&self) -> &'static str {
        match self.kind {
            _ if self.is_null() => "nothing",
            NodeKind::Scalar { .. } => "a single value",
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a mapping",
        }
    }
}

/// An entry of a mapping.
pub(super) type Entry = (Located<String>, Node);
/// The entries of a mapping.
pub(super) type Entries = Vec<Entry>;

/// Parses one file. `None` when the text is no YAML at all or breaks a bound; what is wrong is in `findings`.
pub(super) fn parse(file: &Arc<SourceFile>, findings: &mut Diagnostics) -> Option<Node> {
    let mut builder =
        Builder { file, bytes: ByteOffsets::of(&file.text), open: Vec::new(), root: None, nodes: 0, findings };
    for event in Parser::new_from_str(&file.text) {
        let taken = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(builder.syntax_error(error.marker(), error.info())),
        };
        // What follows a broken place cannot be trusted.
        if let Err(stop) = taken {
            builder.findings.push(stop);
            return None;
        }
    }
    let root = builder.root.take();
    if root.is_none() {
        let place = Place { file: Arc::clone(file), span: 0..0 };
        findings.push(Diagnostic::error("empty-file", format!("`{}` is empty", file.path.display())).at(place));
    }
    root
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    bytes: ByteOffsets,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    findings: &'a mut Diagnostics,
}

/// A mapping or sequence whose end was not seen yet.
struct Open {
    start: usize,
    contents: Contents,
}

enum Contents {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Located<String>, Node)>, seen: HashMap<String, Place>, key: Key },
}

/// What a mapping waits for.
enum Key {
    Awaited,
    Read(Located<String>),
    /// The key was refused; its value is dropped.
    Refused,
}

impl Builder<'_> {
    /// Takes the next event. An error stops the parse; smaller findings are noted and passed over.
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let range = self.bytes.range(span, &self.file.text);
        if self.findings.0.len() > MAX_FINDINGS {
            let message = format!("more than {MAX_FINDINGS} findings; the rest is not read");
            return Err(Diagnostic::error("too-many-findings", message).at(self.place(range)));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(&range)?;
                self.refuse_extras(anchor, tag.is_some(), &range);
                let place = self.place(range);
                self.add(Node {
                    kind: NodeKind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain },
                    place,
                });
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(anchor, tag.is_some(), range, Contents::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                let contents = Contents::Mapping { entries: Vec::new(), seen: HashMap::new(), key: Key::Awaited };
                self.begin(anchor, tag.is_some(), range, contents)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
            Event::Alias(_) => {
                return Err(Diagnostic::error("yaml-alias", "aliases (`*name`) are refused")
                    .at(self.place(range))
                    .label("write the value out")
                    .help("an alias makes a short file stand for a long one; `variables` and `${VAR}` serve for repeated values"));
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                return Err(Diagnostic::error("yaml-documents", "a second YAML document begins here")
                    .at(self.place(range))
                    .help("one file holds one document: remove the `---`, or move what follows to its own file"));
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        anchor: usize,
        tagged: bool,
        range: Range<usize>,
        contents: Contents,
    ) -> Result<(), Diagnostic> {
        self.count(&range)?;
        self.refuse_extras(anchor, tagged, &range);
        if self.open.len() >= MAX_DEPTH {
            return Err(Diagnostic::error(
                "yaml-too-deep",
                format!("more than {MAX_DEPTH} levels of lists and mappings"),
            )
            .at(self.place(range))
            .help("a pipeline needs about six; is a bracket not closed?"));
        }
        self.open.push(Open { start: range.start, contents });
        Ok(())
    }

    fn end(&mut self, end: usize) {
        let Some(open) = self.open.pop() else { return };
        // The end of a block collection is known only at the next token; its last child ends where its text does.
        let (kind, last) = match open.contents {
            Contents::Sequence(items) => {
                let last = items.last().map(|item| item.place.span.end);
                (NodeKind::Sequence(items), last)
            }
            Contents::Mapping { entries, .. } => {
                let last = entries.last().map(|(key, value)| value.place.span.end.max(key.place.span.end));
                (NodeKind::Mapping(entries), last)
            }
        };
        let flow = self.file.text[open.start..].starts_with(['[', '{']);
        let end = if flow { end } else { last.unwrap_or(open.start) };
        let place = self.place(open.start..end.max(open.start));
        self.add(Node { kind, place });
    }

    /// Puts a finished node where it belongs: into the list or mapping that is open, or at the root.
    fn add(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        let (entries, seen, key) = match &mut open.contents {
            Contents::Sequence(items) => return items.push(node),
            Contents::Mapping { entries, seen, key } => (entries, seen, key),
        };
        match std::mem::replace(key, Key::Awaited) {
            Key::Read(read) => entries.push((read, node)),
            Key::Refused => {}
            Key::Awaited => {
                *key = match accepted_key(node, seen) {
                    Ok(accepted) => {
                        seen.insert(accepted.value.clone(), accepted.place.clone());
                        Key::Read(accepted)
                    }
                    Err(refusal) => {
                        self.findings.push(refusal);
                        Key::Refused
                    }
                };
            }
        }
    }

    fn count(&mut self, range: &Range<usize>) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(Diagnostic::error("yaml-too-large", format!("more than {MAX_NODES} values in one file"))
            .at(self.place(range.clone()))
            .help("a list this long is data: make it a seed and test against it with `relationships`"))
    }

    fn refuse_extras(&mut self, anchor: usize, tagged: bool, range: &Range<usize>) {
        if anchor > 0 {
            let place = self.place(range.clone());
            self.findings.push(
                Diagnostic::error("yaml-alias", "anchors (`&name`) are refused")
                    .at(place)
                    .label("this value has an anchor")
                    .help("write repeated values out, or use `variables` and `${VAR}`"),
            );
        }
        if tagged {
            let place = self.place(range.clone());
            self.findings.push(
                Diagnostic::error("yaml-tag", "tags (`!name`) are refused")
                    .at(place)
                    .label("this value has a tag")
                    .help("remove the tag; to make a number or `true` a text, put it in quotes"),
            );
        }
    }

    fn syntax_error(&self, marker: &Marker, info: &str) -> Diagnostic {
        let start = self.bytes.offset(marker.index()).min(self.file.text.len());
        let line_start = self.file.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.file.text[line_start..].lines().next().unwrap_or_default();
        let blank = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = blank.find('\t') {
            let span = line_start + tab..line_start + blank.len();
            return Diagnostic::error("yaml-tab", "a tab indents this line")
                .at(Place { file: Arc::clone(self.file), span })
                .label("YAML indents with spaces only")
                .help("replace each tab with two spaces");
        }
        let width = self.file.text[start..].chars().next().filter(|next| *next != '\n').map_or(0, char::len_utf8);
        let finding =
            Diagnostic::error("yaml-syntax", format!("this is not YAML: {info}")).at(self.place(start..start + width));
        if line.contains("${") {
            return finding.help("inside `{ }` and `[ ]`, put a text with `${VAR}` in quotes");
        }
        finding.help("texts that hold `: `, ` #`, or begin with one of `{[&*!|>'\"%@` and the backtick need quotes")
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { file: Arc::clone(self.file), span }
    }
}

fn accepted_key(node: Node, seen: &HashMap<String, Place>) -> Result<Located<String>, Diagnostic> {
    let NodeKind::Scalar { text, plain } = node.kind else {
        return Err(Diagnostic::error("yaml-key", "a list or mapping stands where a name is expected")
            .at(node.place)
            .help("keys are texts"));
    };
    if plain && text == "<<" {
        return Err(Diagnostic::error("yaml-merge", "merge keys (`<<`) are refused")
            .at(node.place)
            .label("write the keys out")
            .help("a merged mapping hides where a value comes from"));
    }
    if let Some(first) = seen.get(&text) {
        let (line, column) = first.line_and_column();
        return Err(Diagnostic::error("duplicate-key", format!("`{text}` is given twice"))
            .at(node.place)
            .label(format!("first given in line {line}, column {column}"))
            .help("keep one of the two"));
    }
    Ok(Located { value: text, place: node.place })
}

/// The parser counts characters, places count bytes.
struct ByteOffsets(Option<Vec<usize>>);

impl ByteOffsets {
    fn of(text: &str) -> Self {
        Self((!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect()))
    }

    fn offset(&self, character: usize) -> usize {
        match &self.0 {
            None => character,
            Some(offsets) => offsets.get(character).or(offsets.last()).copied().unwrap_or(0),
        }
    }

    /// Inside the text, start before end, without blanks at the end (block scalars reach into the next line).
    fn range(&self, span: Span, text: &str) -> Range<usize> {
        let start = self.offset(span.start.index()).min(text.len());
        let end = self.offset(span.end.index()).clamp(start, text.len());
        start..start + text[start..end].trim_end().len()
    }
}
