//! Every command that the README shows runs, and the crates depend on each other as their README says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::workspace::{Workspace, repository};

/// Lines of ```sh blocks that call the program, in order, and then those in running text.
fn commands(readme: &str) -> Vec<String> {
    let mut fenced = Vec::new();
    let mut inline = Vec::new();
    let mut fence = None;
    for line in readme.lines() {
        let text = line.trim();
        if let Some(language) = text.strip_prefix("```") {
            fence = if fence.is_none() { Some(language.trim().to_owned()) } else { None };
            continue;
        }
        match fence.as_deref() {
            Some("sh" | "bash" | "console") => {
                let command = text.strip_prefix("$ ").unwrap_or(text);
                fenced.extend(command.starts_with("throughline ").then(|| command.to_owned()));
            }
            Some(_) => {}
            // Every second piece between backticks is code.
            None => {
                let code = line.split('`').skip(1).step_by(2);
                inline.extend(code.filter(|code| code.starts_with("throughline ")).map(str::to_owned));
            }
        }
    }
    fenced.extend(inline);
    fenced
}

#[test]
fn every_command_shown_runs() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md is there");
    let commands = commands(&readme);
    assert!(!commands.is_empty(), "the README shows no command");
    let workspace = Workspace::of_the_repository();
    workspace.run("sample --customers 300").ends_with(0);
    let program = Path::new(env!("CARGO_BIN_EXE_throughline")).parent().expect("a program lies in a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    for command in commands {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&command).current_dir(workspace.path()).env("PATH", &path).env("NO_COLOR", "1");
        shell.env("THROUGHLINE_ALLOW_FUTURE", "true");
        for name in ["THROUGHLINE_PROJECT", "WAREHOUSE", "LAKE"] {
            shell.env_remove(name);
        }
        let outcome = workspace.outcome(shell.output().expect("sh runs"));
        assert_eq!(outcome.code, Some(0), "`{command}`: {outcome}");
    }
}

#[test]
fn commands_are_found_in_blocks_and_in_text() {
    let readme = "Say `throughline check`, not `make check`.\n```sh\nmake demo\nthroughline run --as-of 2026-10-01   # why\n```\n```\nthroughline no\n```\n";
    assert_eq!(commands(readme), ["throughline run --as-of 2026-10-01   # why", "throughline check"]);
}

/// Which crates of ours each crate depends on, as its `Cargo.toml` says.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut crates = BTreeMap::new();
    for folder in std::fs::read_dir(repository().join("crates")).expect("there are crates") {
        let folder = folder.expect("a folder can be listed").path();
        let Ok(manifest) = std::fs::read_to_string(folder.join("Cargo.toml")) else { continue };
        let (_, rest) = manifest.split_once("[dependencies]\n").expect("a crate has dependencies");
        let ours = rest.lines().take_while(|line| !line.starts_with('['));
        let ours = ours.filter_map(|line| line.strip_prefix("throughline-")?.split(['.', ' ']).next());
        let name = folder.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        crates.insert(name, ours.map(str::to_owned).collect());
    }
    crates
}

/// The same as the table of crates in `crates/README.md` says: the first two columns of its rows.
fn stated_dependencies(readme: &str) -> BTreeMap<String, BTreeSet<String>> {
    let (_, table) = readme.split_once("| crate | uses |").expect("the README has a table of the crates");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        let name = names(cells.next().expect("a first column")).swap_remove(0);
        (name, names(cells.next().expect("a second column")).into_iter().collect())
    };
    rows.map(row).collect()
}

#[test]
fn the_crates_depend_on_each_other_as_their_readme_says() {
    let readme = std::fs::read_to_string(repository().join("crates/README.md")).expect("crates/README.md is there");
    let crates = dependencies();
    assert!(crates.len() >= 10, "only {} crates were found", crates.len());
    assert!(crates["engine"].contains("lake") && crates["sample"].is_empty(), "{crates:?}");
    assert_eq!(stated_dependencies(&readme), crates, "the column `uses` of crates/README.md is what Cargo.toml says");
}
