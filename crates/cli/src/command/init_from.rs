//! `throughline init DIR --from PATH…`: a first workspace over data that nobody has described yet.

use std::fs;
use std::path::{Component, Path, PathBuf};

use chrono::Utc;
use throughline_engine::{Draft, PassedOver, SessionOptions, Survey, SurveyedPath, survey};

use crate::arguments::{InitArguments, WorkspaceArguments};
use crate::exit::Exit;
use crate::terminal::say;

/// So many files that cannot be read are named.
const MOST_NAMED: usize = 10;

/// Looks at the data, writes the workspace and says what to decide. Nothing that is there is overwritten, and nothing
/// is written unless all of it can be.
pub(crate) async fn run(workspace: &WorkspaceArguments, arguments: &InitArguments) -> Result<(), Exit> {
    let folder = &arguments.folder;
    free(folder, Path::new("pipelines"))?;
    let paths: Vec<SurveyedPath> = arguments
        .from
        .iter()
        .map(|from| SurveyedPath { looked_at: from.clone(), written: seen_from(folder, from) })
        .collect();
    let session = SessionOptions {
        memory_limit: workspace.memory_limit,
        partitions: workspace.partitions.map(usize::from),
        spill_folder: workspace.spill_folder.clone(),
    };
    let found = survey(&paths, &session, Utc::now().timestamp_micros()).await?;
    let Survey { draft, tables, passed_over } = found;
    let Some(draft) = draft else { return Err(nothing(&arguments.from, tables, &passed_over)) };
    for file in &draft.files {
        free(folder, Path::new(&file.path))?;
    }
    write(folder, &draft)?;
    tell(folder, &draft, &passed_over);
    Ok(())
}

/// Refuses where something lies at a place that is to be written; a broken link is there too.
fn free(folder: &Path, inside: &Path) -> Result<(), Exit> {
    let place = folder.join(inside);
    match place.symlink_metadata() {
        Ok(_) => Err(Exit::refused(
            format!("`{}` is there already; nothing was written", place.display()),
            "name another folder: throughline init DIR --from PATH",
        )),
        Err(_) => Ok(()),
    }
}

/// A location as a workspace in `folder` finds it. What lies elsewhere by an address or from the root stays as it is.
fn seen_from(folder: &Path, from: &str) -> String {
    if from.contains("://") || Path::new(from).is_absolute() {
        return from.to_owned();
    }
    let below = folder.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !below {
        return std::path::absolute(from).map_or_else(|_| from.to_owned(), |path| path.display().to_string());
    }
    let depth = folder.components().filter(|part| matches!(part, Component::Normal(_))).count();
    let from = from.strip_prefix("./").unwrap_or(from);
    format!("{}{from}", "../".repeat(depth))
}

/// Why no workspace comes of it: what each table and file lacks.
fn nothing(from: &[String], tables: Vec<String>, passed_over: &[PassedOver]) -> Exit {
    let mut help =
        vec!["a first workspace needs a table of events: whose each row is, and when it happened".to_owned()];
    help.extend(tables);
    help.extend(named(passed_over));
    let from: Vec<String> = from.iter().map(|from| format!("`{from}`")).collect();
    Exit::refused(format!("nothing in {} can be touchpoints; nothing was written", from.join(", ")), help.join("\n"))
}

fn named(passed_over: &[PassedOver]) -> Vec<String> {
    let mut lines: Vec<String> =
        passed_over.iter().take(MOST_NAMED).map(|file| format!("{}: {}", file.file, file.reason)).collect();
    if passed_over.len() > MOST_NAMED {
        lines.push(format!("and {} more files", passed_over.len() - MOST_NAMED));
    }
    lines
}

/// Writes all files, or none: what was made is removed again when one cannot be.
fn write(folder: &Path, draft: &Draft) -> Result<(), Exit> {
    let mut made = Made::default();
    for file in &draft.files {
        let path = folder.join(&file.path);
        if let Err(error) = made.write(&path, &file.text) {
            made.remove();
            return Err(Exit::refused(
                format!("cannot write {}: {error}; nothing was written", path.display()),
                "name a folder that can be written",
            ));
        }
    }
    Ok(())
}

/// Files and folders that this command has made.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn write(&mut self, path: &Path, text: &str) -> std::io::Result<()> {
        let mut missing: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        missing.retain(|folder| !folder.as_os_str().is_empty());
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            self.0.push(folder.to_owned());
        }
        // Somebody may have been faster than the look before.
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        self.0.push(path.to_owned());
        std::io::Write::write_all(&mut file, text.as_bytes())
    }

    /// Removes them, the newest first; a folder in which somebody else has put something stays.
    fn remove(self) {
        for path in self.0.into_iter().rev() {
            let removed = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed {
                say(&format!("{} stays: {error}", path.display()));
            }
        }
    }
}

fn tell(folder: &Path, draft: &Draft, passed_over: &[PassedOver]) {
    say("found:");
    for line in &draft.found {
        say(&format!("  {line}"));
    }
    if !passed_over.is_empty() {
        say("not read:");
        for line in named(passed_over) {
            say(&format!("  {line}"));
        }
    }
    say(&format!("a workspace in {}: {} files", folder.display(), draft.files.len()));
    say("decide next (README.md there has the same list, each guess is marked where it stands):");
    for (number, question) in draft.questions.iter().enumerate() {
        say(&format!("  {}. {} ({})", number + 1, question.text, question.file));
    }
    say("then, or at once:");
    if folder.as_os_str() != "." {
        say(&format!("  cd {}", folder.display()));
    }
    say("  throughline check");
    say(&format!("  throughline run --as-of {}", draft.as_of));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_written_as_the_workspace_finds_it() {
        let seen = |folder: &str, from: &str| seen_from(Path::new(folder), from);
        assert_eq!(seen("shop", "data/calls.csv"), "../data/calls.csv");
        assert_eq!(seen("./a/b", "./data"), "../../data");
        assert_eq!(seen(".", "data"), "data");
        assert_eq!(seen("shop", "/lake/calls"), "/lake/calls");
        assert_eq!(seen("shop", "s3://lake/calls/"), "s3://lake/calls/");
        assert!(Path::new(&seen("../shop", "data")).is_absolute());
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |path: &str| throughline_engine::DraftFile { path: path.to_owned(), text: "x".to_owned() };
        let draft = Draft {
            // A file stands where a folder is needed.
            files: vec![file("a/one.sql"), file("a/one.sql/two.sql")],
            found: Vec::new(),
            questions: Vec::new(),
            as_of: String::new(),
        };
        let target = folder.path().join("new");
        assert!(write(&target, &draft).is_err());
        assert!(!target.exists(), "folders and files are gone again");
    }
}
