//! Every command that the README shows runs.

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
