//! What a path means: which module defines the item it names.

use std::collections::BTreeSet;

use crate::modules::Modules;

/// What a path of this crate leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// An item, and the module that defines it.
    Item { module: usize, name: String },
    /// A module.
    Module(usize),
}

impl Modules {
    /// What `path` means in the code of module `from`; `None` for what lies outside of this crate.
    pub(crate) fn meaning(&self, from: usize, path: &[String]) -> Option<Meaning> {
        self.follow(from, path, &mut BTreeSet::new())
    }

    /// Whether a module lies in another one.
    pub(crate) fn is_inside(&self, module: usize, of: usize) -> bool {
        std::iter::successors(Some(module), |module| self.0[*module].parent).any(|ancestor| ancestor == of)
    }

    /// `asked` holds what is being looked for already: imports may lead back to themselves.
    fn follow(&self, from: usize, path: &[String], asked: &mut BTreeSet<(usize, String)>) -> Option<Meaning> {
        let mut meaning = Meaning::Module(from);
        for (place, name) in path.iter().enumerate() {
            // Behind an item come its variants, constants and functions.
            let Meaning::Module(module) = meaning else { break };
            meaning = match name.as_str() {
                "crate" => Meaning::Module(0),
                "self" => Meaning::Module(module),
                "super" => Meaning::Module(self.0[module].parent?),
                name => self.named(module, name, place + 1 == path.len(), asked)?,
            };
        }
        Some(meaning)
    }

    /// What a name means in a module. A module and an item may share it: the item is meant at the end of a path, the
    /// module in front of `::`.
    fn named(
        &self,
        number: usize,
        name: &str,
        is_last: bool,
        asked: &mut BTreeSet<(usize, String)>,
    ) -> Option<Meaning> {
        let module = &self.0[number];
        let item = module.items.contains(name).then(|| Meaning::Item { module: number, name: name.to_owned() });
        let child = module.children.get(name).map(|child| Meaning::Module(*child));
        if let Some(own) = if is_last { item.or(child) } else { child.or(item) } {
            return Some(own);
        }
        if !asked.insert((number, name.to_owned())) {
            return None;
        }
        for import in module.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            if let Some(meaning) = self.follow(number, &import.path, asked) {
                return Some(meaning);
            }
        }
        for import in module.imports.iter().filter(|import| import.name.is_none()) {
            if let Some(Meaning::Module(of)) = self.follow(number, &import.path, asked)
                && let Some(meaning) = self.named(of, name, is_last, asked)
            {
                return Some(meaning);
            }
        }
        None
    }
}
