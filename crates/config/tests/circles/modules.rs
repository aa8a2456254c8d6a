//! The modules of a crate, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::ext::IdentExt;
use syn::{Expr, Ident, Item, ItemMod, Lit, Meta};

use crate::code::{Code, Import};

/// A module: a file, or a part of one in braces.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    /// Names of what it defines, modules aside.
    pub(crate) items: BTreeSet<String>,
    /// Its modules by name.
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) imports: Vec<Import>,
    /// The paths that its code names.
    pub(crate) paths: BTreeSet<Vec<String>>,
}

/// All modules from a root on, which is the first.
#[derive(Debug)]
pub(crate) struct Modules(pub(crate) Vec<Module>);

impl Modules {
    /// Reads the file of the root and those that its `mod` lines lead to.
    pub(crate) fn read(root: &Path) -> Self {
        let mut modules = Self(Vec::new());
        modules.add_file(root, None, folder_of(root));
        modules
    }

    /// Every file once.
    pub(crate) fn files(&self) -> BTreeSet<&Path> {
        self.0.iter().map(|module| module.file.as_path()).collect()
    }

    /// Adds the module of a file; the files of its modules lie in `folder`.
    fn add_file(&mut self, file: &Path, parent: Option<usize>, folder: &Path) -> usize {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add(file, parent, &parsed.items, folder)
    }

    fn add(&mut self, file: &Path, parent: Option<usize>, items: &[Item], folder: &Path) -> usize {
        let number = self.0.len();
        let code = Code::of(items.iter().filter(|item| !matches!(item, Item::Mod(_))));
        self.0.push(Module {
            file: file.to_owned(),
            parent,
            items: items.iter().filter_map(name_of).map(|name| name.unraw().to_string()).collect(),
            children: BTreeMap::new(),
            paths: code.paths(),
            imports: code.imports,
        });
        for item in items {
            let Item::Mod(module) = item else { continue };
            let name = module.ident.unraw().to_string();
            let inner = folder.join(&name);
            let child = match &module.content {
                Some((_, items)) => self.add(file, Some(number), items, &inner),
                None => match path_of(module) {
                    Some(path) => {
                        let file = folder_of(file).join(path);
                        self.add_file(&file, Some(number), folder_of(&file))
                    }
                    None => {
                        let beside = folder.join(format!("{name}.rs"));
                        let file = if beside.is_file() { beside } else { inner.join("mod.rs") };
                        self.add_file(&file, Some(number), &inner)
                    }
                },
            };
            self.0[number].children.insert(name, child);
        }
        number
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().expect("a file lies in a folder")
}

/// The file that `#[path = "…"]` names.
fn path_of(module: &ItemMod) -> Option<String> {
    module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(path) => Some(path.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    })
}

/// The name that an item defines in its module; that of a module is kept apart.
fn name_of(item: &Item) -> Option<&Ident> {
    Some(match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => return item.ident.as_ref(),
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    })
}
