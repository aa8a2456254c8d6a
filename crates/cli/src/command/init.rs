//! `throughline init DIR`: a small working workspace to read, run and change.

use std::fs;
use std::path::Path;

use crate::arguments::InitArguments;
use crate::exit::Exit;
use crate::terminal::say;

/// The workspace's files, by their place in it.
const FILES: [(&str, &str); 11] = [
    ("README.md", include_str!("init/workspace/README.md")),
    (".gitignore", include_str!("init/workspace/gitignore")),
    ("pipelines/key_journeys.yaml", include_str!("init/workspace/pipelines/key_journeys.yaml")),
    ("pipelines/journeys/bill_question.yaml", include_str!("init/workspace/pipelines/journeys/bill_question.yaml")),
    ("pipelines/journeys/connecting.yaml", include_str!("init/workspace/pipelines/journeys/connecting.yaml")),
    ("pipelines/journeys/fault.yaml", include_str!("init/workspace/pipelines/journeys/fault.yaml")),
    ("sql/staging/touchpoints.sql", include_str!("init/workspace/sql/staging/touchpoints.sql")),
    ("sql/staging/customers.sql", include_str!("init/workspace/sql/staging/customers.sql")),
    ("sql/counted_days.sql", include_str!("init/workspace/sql/counted_days.sql")),
    ("data/lake/contacts.csv", include_str!("init/workspace/data/lake/contacts.csv")),
    ("data/lake/customers.csv", include_str!("init/workspace/data/lake/customers.csv")),
];

/// Writes the workspace and says the next step. Nothing that is there is overwritten.
pub(crate) fn run(arguments: &InitArguments) -> Result<(), Exit> {
    let folder = &arguments.folder;
    let there = FILES.into_iter().map(|(path, _)| path).chain(["pipelines"]).find(|path| {
        // A broken link is there too.
        folder.join(path).symlink_metadata().is_ok()
    });
    if let Some(there) = there {
        return Err(Exit::refused(
            format!("`{}` is there already; nothing was written", folder.join(there).display()),
            "name another folder: throughline init DIR",
        ));
    }
    for (path, text) in FILES {
        write(&folder.join(path), text)?;
    }
    say(&format!(
        "a workspace in {}: {} files, three hundred customers of an invented internet provider, three journeys",
        folder.display(),
        FILES.len()
    ));
    say("next: run it and see on which journeys more of them leave than of like customers");
    if folder.as_os_str() != "." {
        say(&format!("  cd {}", folder.display()));
    }
    say("  throughline run");
    say("then start reading at pipelines/key_journeys.yaml");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Exit> {
    let failed = |error: std::io::Error| {
        Exit::refused(format!("cannot write {}: {error}", path.display()), "name a folder that can be written")
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // Somebody may have been faster than the look above.
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}
