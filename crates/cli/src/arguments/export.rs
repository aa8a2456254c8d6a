//! Arguments of `export`.

use std::path::PathBuf;

use clap::Args;
use throughline_semantics::Format;

pub(super) const EXPORT_EXAMPLES: &str = "\
Examples:
  throughline export --powerbi                           the folder key_journeys-powerbi
  throughline export --cube --out cube                   somewhere else
  throughline export --tableau --host bi.example.com --user reader
  throughline export --ossie --schema snapshot_2026_q3   the tables of a snapshot

The tools read the tables from `throughline serve`; nothing has to be running to write the files. A rate is a sum
over a sum, and a figure that must not be added is empty where several rows are chosen. Measures, joins and other
names of your own tables stand under `semantics:` in the pipeline. No password is written.";

#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    pub(crate) format: FormatArguments,
    /// The folder to write; by default the pipeline's name and the tool's. One that holds files is left alone.
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The machine on which `throughline serve` runs, as the tool reaches it.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", value_parser = host)]
    pub(crate) host: String,
    /// The endpoint's port for PostgreSQL's clients.
    #[arg(long, value_name = "PORT", default_value_t = 5433, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// What the tool calls the database; the endpoint takes any name.
    #[arg(long, value_name = "NAME", default_value = "throughline", value_parser = word)]
    pub(crate) database: String,
    /// The schema with the tables: `main`, or that of a snapshot.
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = word)]
    pub(crate) schema: String,
    /// Who logs in, as `serve --user` says; for Cube and Tableau, whose files have a place for it.
    #[arg(long, value_name = "NAME", default_value = "throughline", value_parser = word)]
    pub(crate) user: String,
    /// Opens no source: columns are taken as the sources declare them.
    #[arg(long)]
    pub(crate) offline: bool,
}

/// The tool; exactly one.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct FormatArguments {
    /// Apache Ossie (Open Semantic Interchange), a YAML file.
    #[arg(long)]
    ossie: bool,
    /// Cube: a YAML file a table.
    #[arg(long)]
    cube: bool,
    /// Power BI: a `.pbids` file that connects, and a semantic model in TMDL.
    #[arg(long)]
    powerbi: bool,
    /// Tableau: a `.tds` file a table, with the tables that it joins.
    #[arg(long)]
    tableau: bool,
}

impl FormatArguments {
    /// The format, and its name as the option has it.
    pub(crate) fn chosen(&self) -> (Format, &'static str) {
        if self.cube {
            (Format::Cube, "cube")
        } else if self.powerbi {
            (Format::PowerBi, "powerbi")
        } else if self.tableau {
            (Format::Tableau, "tableau")
        } else {
            // The group makes one of them required.
            (Format::Ossie, "ossie")
        }
    }
}

/// A name or address without anything that could be a login, a path or a second setting.
fn host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    // One colon is a port; addresses of IPv6 have more.
    if bare.is_empty() || !bare.bytes().all(is_name) || bare.matches(':').count() == 1 {
        return Err(
            "write the name or address of a machine, such as bi.example.com or 10.0.0.5; --port is apart".into()
        );
    }
    Ok(bare.to_owned())
}

/// A name that stands on one line in every file.
fn word(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("write a name on one line".to_owned());
    }
    Ok(text.to_owned())
}
