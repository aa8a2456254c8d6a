//! `throughline init DIR`: a small working workspace to read, run and change.

use std::fs;
use std::path::Path;

use crate::arguments::InitArguments;
use crate::exit::Exit;
use crate::terminal::say;

/// The workspace's own files, by their place in it.
const OWN: [(&str, &str); 14] = [
    ("README.md", include_str!("init/workspace/README.md")),
    (".gitignore", include_str!("init/workspace/gitignore")),
    ("pipelines/key_journeys.yaml", include_str!("init/workspace/pipelines/key_journeys.yaml")),
    ("pipelines/journeys/bill_question.yaml", include_str!("init/workspace/pipelines/journeys/bill_question.yaml")),
    ("pipelines/journeys/connecting.yaml", include_str!("init/workspace/pipelines/journeys/connecting.yaml")),
    ("pipelines/journeys/fault.yaml", include_str!("init/workspace/pipelines/journeys/fault.yaml")),
    ("sql/touchpoints.sql", include_str!("init/workspace/sql/touchpoints.sql")),
    ("sql/customers.sql", include_str!("init/workspace/sql/customers.sql")),
    ("sql/dim_journey.sql", include_str!("init/workspace/sql/dim_journey.sql")),
    ("sql/fct_journey_performance.sql", include_str!("init/workspace/sql/fct_journey_performance.sql")),
    ("sql/counted_days.sql", include_str!("init/workspace/sql/counted_days.sql")),
    ("sql/journey_exposed_revenue.sql", include_str!("init/workspace/sql/journey_exposed_revenue.sql")),
    ("data/lake/contacts.csv", include_str!("init/workspace/data/lake/contacts.csv")),
    ("data/lake/customers.csv", include_str!("init/workspace/data/lake/customers.csv")),
];

/// Files of the full pipeline's `sql/facts`, as they are.
macro_rules! facts {
    ($($name:literal),+ $(,)?) => {
        [$((
            concat!("sql/key_journeys/", $name, ".sql"),
            include_str!(concat!("../../../../sql/facts/", $name, ".sql")),
        )),+]
    };
}

/// The rules of key journeys are those of the full pipeline, letter by letter, so they cannot say different things.
const KEY_JOURNEYS: [(&str, &str); 19] = facts![
    "customer_version",
    "dim_customer",
    "membership_stretch",
    "counted_month",
    "eligible_spell_stretch",
    "exposed_stretch",
    "fct_journey_risk",
    "journey_joint_risk",
    "key_journey_period",
    "key_journey_volume",
    "journey_exposed_customers",
    "key_journey_stratum",
    "key_journey_mutual",
    "key_journey_figure",
    "key_journey_goes_with",
    "key_journey_change",
    "fct_key_journeys",
    "fct_key_journeys_profile",
    "fct_key_journeys_together",
];

/// Writes the workspace and says the next step. Nothing that is there is overwritten.
pub(crate) fn run(arguments: &InitArguments) -> Result<(), Exit> {
    let folder = &arguments.folder;
    let there = files().map(|(path, _)| path).chain(["pipelines"]).find(|path| {
        // A broken link is there too.
        folder.join(path).symlink_metadata().is_ok()
    });
    if let Some(there) = there {
        return Err(Exit::refused(
            format!("`{}` is there already; nothing was written", folder.join(there).display()),
            "name another folder: throughline init DIR",
        ));
    }
    for (path, text) in files() {
        write(&folder.join(path), text)?;
    }
    say(&format!(
        "a workspace in {}: {} files, three hundred customers of an invented internet provider, three journeys",
        folder.display(),
        files().count()
    ));
    say("next: run it and see on which journeys more of them leave than of like customers");
    if folder.as_os_str() != "." {
        say(&format!("  cd {}", folder.display()));
    }
    say("  throughline run");
    say("then start reading at pipelines/key_journeys.yaml");
    Ok(())
}

fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    OWN.into_iter().chain(KEY_JOURNEYS)
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
