//! The files of a crate import from each other in no circle, so that a reader who follows the imports comes to an end.
//!
//! A file imports from another of its crate when its code names an item that the other defines, by `use` or by a path,
//! in tests and macros too. A re-export counts as the file that defines the item. A parent that only declares a child,
//! or hands on what the child defines, does not import from it. What is called as a method is not seen.
//!
//! `make circles` prints the number of circles in each crate.

#![allow(missing_docs)]

mod circle;
mod code;
mod meaning;
mod modules;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use circle::circles;
use modules::Modules;

/// The folder of all crates. Asked for when the test runs: clones of the repository may share what was compiled.
fn crates() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the crate is");
    Path::new(&own).join("..").canonicalize().expect("the folder of the crates")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The files with which a crate's library and program begin, and its tests and benchmarks of several files.
fn roots(krate: &Path) -> Vec<PathBuf> {
    let own = ["src/lib.rs", "src/main.rs"].map(|root| krate.join(root));
    let others = ["tests", "benches"].map(|kind| entries(&krate.join(kind))).into_iter().flatten();
    own.into_iter().chain(others.map(|folder| folder.join("main.rs"))).filter(|root| root.is_file()).collect()
}

fn rust_files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for path in entries(folder) {
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(path);
        }
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "`--nocapture` asks for the numbers")]
fn no_crate_has_a_circle() {
    let all = crates();
    let mut found = Vec::new();
    for krate in entries(&all).iter().filter(|krate| krate.join("Cargo.toml").is_file()) {
        let mut unread = BTreeSet::new();
        rust_files(&krate.join("src"), &mut unread);
        let (mut files, before) = (0, found.len());
        for root in roots(krate) {
            let modules = Modules::read(&root);
            modules.files().iter().for_each(|file| _ = unread.remove(*file));
            files += modules.files().len();
            found.extend(circles(&modules, &all));
        }
        let name = krate.file_name().expect("a folder has a name").to_string_lossy();
        println!("{name:<12} {} circles in {files} files", found.len() - before);
        assert!(unread.is_empty(), "no `mod` of {name} leads to these files: {unread:?}");
        assert!(files > 0, "{name} has no file");
    }
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        found.is_empty(),
        "{} circles of imports; move what both sides need to a file of its own:\n\n{}",
        found.len(),
        shown.join("\n\n")
    );
}

/// The circles of a crate of these files, each in words.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let modules = Modules::read(&folder.path().join("lib.rs"));
    circles(&modules, folder.path()).iter().map(ToString::to_string).collect()
}

#[test]
fn a_plain_tree_has_no_circle() {
    let files = [
        ("lib.rs", "mod load;\nmod place;\npub use load::load;\npub use place::{Line, Place};\n"),
        ("place.rs", "mod line;\npub use line::Line;\npub struct Place { pub line: Line }\n"),
        (
            "place/line.rs",
            "pub struct Line(pub usize);\n#[cfg(test)]\nmod tests {\n    use super::*;\n    fn one() -> Line { Line(1) }\n}\n",
        ),
        (
            "load/mod.rs",
            "mod text;\npub(crate) use text::words;\nuse crate::{Line, Place};\npub fn load() -> Place { Place { line: Line(text::words(\"a b\")) } }\n",
        ),
        ("load/text.rs", "pub(crate) fn words(text: &str) -> usize { text.split(' ').count() }\n"),
    ];
    assert_eq!(circles_of(&files), Vec::<String>::new());
}

#[test]
fn files_that_import_from_each_other_are_found_with_the_names_that_tie_them() {
    let files = [
        ("lib.rs", "mod day;\nmod month;\n"),
        (
            "day.rs",
            "use crate::month::{self, Month};\npub struct Day(pub Month);\npub fn first() -> Day { Day(month::first()) }\n",
        ),
        (
            "month.rs",
            "pub struct Month;\npub fn first() -> Month { Month }\npub fn days() -> Vec<super::day::Day> { Vec::new() }\n",
        ),
    ];
    assert_eq!(
        circles_of(&files),
        ["a circle of 2 files\n  day.rs imports Month, first from month.rs\n  month.rs imports Day from day.rs"]
    );
}

#[test]
fn a_circle_of_three_is_found() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
        ("b.rs", "use crate::c::C;\nuse crate::d::D;\npub struct B(C, D);\n"),
        ("c.rs", "pub struct C(Box<crate::a::A>);\n"),
        ("d.rs", "pub struct D;\n"),
    ];
    assert_eq!(
        circles_of(&files),
        ["a circle of 3 files\n  a.rs imports B from b.rs\n  b.rs imports C from c.rs\n  c.rs imports A from a.rs"]
    );
}

#[test]
fn a_child_that_uses_its_parent_s_item_is_in_a_circle_once_the_parent_uses_the_child_s() {
    let child = ("table/row.rs", "use super::Width;\npub fn wide() -> Width { Width(9) }\n");
    let only_declares = ("table.rs", "mod row;\npub use row::wide;\npub struct Width(pub u8);\n");
    let root = ("lib.rs", "mod table;\n");
    assert_eq!(circles_of(&[root, child, only_declares]), Vec::<String>::new());
    let uses =
        ("table.rs", "mod row;\npub use row::wide;\npub struct Width(pub u8);\npub fn widest() -> Width { wide() }\n");
    assert_eq!(
        circles_of(&[root, child, uses]),
        ["a circle of 2 files\n  table/row.rs imports Width from table.rs\n  table.rs imports wide from table/row.rs"]
    );
}

#[test]
fn a_re_export_hides_no_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n"),
        ("a.rs", "use crate::B as Other;\npub struct A(Option<Box<Other>>);\n"),
        ("b.rs", "use crate::*;\npub struct B(Option<Box<A>>);\n"),
    ];
    assert_eq!(circles_of(&files), ["a circle of 2 files\n  a.rs imports B from b.rs\n  b.rs imports A from a.rs"]);
}

#[test]
fn names_in_macros_and_attributes_count_and_fields_and_variables_do_not() {
    let root = ("lib.rs", "mod a;\nmod b;\n");
    let a = ("a.rs", "pub fn shown() -> u8 { crate::b::LIMIT }\n");
    let names = ("b.rs", "pub const LIMIT: u8 = 1;\nfn print() { println!(\"{}\", crate::a::shown()) }\n");
    assert_eq!(circles_of(&[root, a, names]).len(), 1);
    let attribute = ("b.rs", "pub const LIMIT: u8 = 1;\n#[arg(value_parser = crate::a::shown)]\nstruct B;\n");
    assert_eq!(circles_of(&[root, a, attribute]).len(), 1);
    let fields = (
        "b.rs",
        "mod c;\npub use c::shown;\npub const LIMIT: u8 = 1;\nstruct S { shown: u8 }\nfn print(s: &S) { println!(\"{}\", s.shown) }\n",
    );
    let child = ("b/c.rs", "pub fn shown() -> u8 { super::LIMIT }\n");
    assert_eq!(circles_of(&[root, a, fields, child]), Vec::<String>::new());
    let variables = (
        "b.rs",
        "mod c;\npub use c::shown;\npub const LIMIT: u8 = 1;\npub fn next() -> u8 { let shown = LIMIT; shown + 1 }\n",
    );
    assert_eq!(circles_of(&[root, a, variables, child]), Vec::<String>::new());
}
