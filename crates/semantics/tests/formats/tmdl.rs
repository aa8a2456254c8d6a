//! A strict reader of the TMDL that is written here: indentation by tabs, one object or property a line.

/// An object or property, with what stands below it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// Its line without indentation.
    pub(crate) line: String,
    /// The lines behind `///` before it.
    pub(crate) description: Vec<String>,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// The children that begin with a word.
    pub(crate) fn all(&self, word: &str) -> impl Iterator<Item = &Node> {
        self.children.iter().filter(move |node| node.line.split(' ').next() == Some(word))
    }

    /// The value of a property.
    pub(crate) fn value(&self, property: &str) -> Option<&str> {
        self.children.iter().find_map(|node| node.line.strip_prefix(property)?.strip_prefix(": "))
    }

    /// The name behind the first word, read by the rules of quotes, and what follows it.
    pub(crate) fn name(&self) -> (String, &str) {
        let (_, rest) = self.line.split_once(' ').expect("a word and a name");
        read_name(rest)
    }
}

/// A name, quoted or plain, and what follows it.
pub(crate) fn read_name(text: &str) -> (String, &str) {
    let Some(rest) = text.strip_prefix('\'') else {
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        assert!(end > 0, "no name in {text}");
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    let mut letters = rest.char_indices();
    while let Some((place, letter)) = letters.next() {
        if letter != '\'' {
            name.push(letter);
        } else if rest[place + 1..].starts_with('\'') {
            name.push('\'');
            letters.next();
        } else {
            return (name, &rest[place + 1..]);
        }
    }
    panic!("the name does not end: {text}")
}

/// The tree of a file.
pub(crate) fn read(text: &str) -> Node {
    let mut root = Node::default();
    let mut description: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let depth = line.bytes().take_while(|byte| *byte == b'\t').count();
        let line = &line[depth..];
        assert!(!line.starts_with(' ') && !line.chars().any(char::is_control), "{line:?}");
        if let Some(words) = line.strip_prefix("///") {
            description.push(words.strip_prefix(' ').unwrap_or(words).to_owned());
            continue;
        }
        let mut above = &mut root;
        for _ in 0..depth {
            // An expression of several lines is indented twice.
            let Some(_) = above.children.last() else { break };
            above = above.children.last_mut().expect("a line above");
        }
        above.children.push(Node {
            line: line.to_owned(),
            description: std::mem::take(&mut description),
            children: Vec::new(),
        });
    }
    assert!(description.is_empty(), "a description of nothing: {description:?}");
    root
}
