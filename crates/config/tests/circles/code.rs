//! What the code of a module imports and names.

use std::collections::BTreeSet;

use syn::buffer::{Cursor, TokenBuffer};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, Item, ItemUse, Macro, MetaList, PatIdent, Path, UseTree, Visibility};

/// A name that comes from elsewhere.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// What it is called here; `None` for everything that the path holds.
    pub(crate) name: Option<String>,
    /// Whether it is handed on to other modules.
    pub(crate) is_re_exported: bool,
}

/// Imports and names of some code.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) imports: Vec<Import>,
    named: BTreeSet<Vec<String>>,
    called: BTreeSet<Vec<String>>,
    variables: BTreeSet<String>,
}

impl Code {
    /// Reads items and everything in them.
    pub(crate) fn of<'a>(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut code = Self::default();
        items.for_each(|item| code.visit_item(item));
        code
    }

    /// The paths that the code names. What is also the name of a variable counts only where it is called.
    pub(crate) fn paths(&self) -> BTreeSet<Vec<String>> {
        let is_variable = |path: &[String]| matches!(path, [name] if self.variables.contains(name));
        let named = self.named.iter().filter(|path| !is_variable(path));
        named.chain(&self.called).cloned().collect()
    }

    fn import(&mut self, tree: &UseTree, before: &[String], is_re_exported: bool) {
        let with = |name: String| [before, &[name]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => {
                return self.import(&path.tree, &with(path.ident.unraw().to_string()), is_re_exported);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, is_re_exported));
            }
            UseTree::Glob(_) => (before.to_vec(), None),
            UseTree::Name(name) if name.ident == "self" => (before.to_vec(), before.last().cloned()),
            UseTree::Name(name) => (with(name.ident.unraw().to_string()), Some(name.ident.unraw().to_string())),
            UseTree::Rename(name) if name.ident == "self" => (before.to_vec(), Some(name.rename.unraw().to_string())),
            UseTree::Rename(name) => (with(name.ident.unraw().to_string()), Some(name.rename.unraw().to_string())),
        };
        self.imports.push(Import { path, name, is_re_exported });
    }

    /// Paths among tokens, which are no code yet: names joined by `::`, unless they follow a dot.
    fn read_tokens(&mut self, mut cursor: Cursor<'_>) {
        let mut path = Vec::new();
        let mut before = Before::Anything;
        while !cursor.eof() {
            if let Some((name, rest)) = cursor.ident() {
                if before != Before::Colons {
                    self.end_path(&mut path);
                }
                if before != Before::Dot {
                    path.push(name.unraw().to_string());
                }
                (before, cursor) = (Before::Anything, rest);
            } else if let Some((sign, rest)) = cursor.punct() {
                before = match (sign.as_char(), before) {
                    (':', Before::Colon) => Before::Colons,
                    (':', _) => Before::Colon,
                    // Two dots are a range.
                    ('.', before) if before != Before::Dot => Before::Dot,
                    _ => Before::Anything,
                };
                if matches!(before, Before::Dot | Before::Anything) {
                    self.end_path(&mut path);
                }
                cursor = rest;
            } else {
                self.end_path(&mut path);
                before = Before::Anything;
                if let Some((inside, _, _, rest)) = cursor.any_group() {
                    self.read_tokens(inside);
                    cursor = rest;
                } else if let Some((_, rest)) = cursor.token_tree() {
                    cursor = rest;
                } else {
                    break;
                }
            }
        }
        self.end_path(&mut path);
    }

    fn end_path(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.named.insert(std::mem::take(path));
        }
    }
}

/// What comes before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Anything,
    Dot,
    Colon,
    Colons,
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect()
}

impl<'a> Visit<'a> for Code {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        // With `::` in front it is another crate's.
        if item.leading_colon.is_none() {
            self.import(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        if path.leading_colon.is_none() {
            self.named.insert(names(path));
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'a ExprCall) {
        if let Expr::Path(called) = call.func.as_ref()
            && called.path.leading_colon.is_none()
        {
            self.called.insert(names(&called.path));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_pat_ident(&mut self, variable: &'a PatIdent) {
        self.variables.insert(variable.ident.unraw().to_string());
        visit::visit_pat_ident(self, variable);
    }

    fn visit_macro(&mut self, invocation: &'a Macro) {
        self.read_tokens(TokenBuffer::new2(invocation.tokens.clone()).begin());
        visit::visit_macro(self, invocation);
    }

    fn visit_meta_list(&mut self, attribute: &'a MetaList) {
        self.read_tokens(TokenBuffer::new2(attribute.tokens.clone()).begin());
        visit::visit_meta_list(self, attribute);
    }
}
