//! Which files belong together, by their folders and names alone.

use std::collections::{BTreeMap, BTreeSet};

use object_store::ObjectMeta;
use throughline_config::Format;

use super::super::formats::format_name;

/// Files, each with the parts of its path below the location.
pub(super) type Files<'a> = Vec<(&'a [String], &'a ObjectMeta)>;

/// Files that may be one table.
pub(super) struct Group<'a> {
    /// The folder that holds these files and no other data; `None` where a source had better name each file.
    pub(super) folder: Option<Vec<String>>,
    /// The files.
    pub(super) files: Files<'a>,
}

/// Files of one format that lie in one folder, or in folders of its parts. Right at the location, where tables often
/// lie side by side, two files also have to be called alike but for numbers.
pub(super) fn groups(data: &[(Vec<String>, ObjectMeta, Format)]) -> Vec<Group<'_>> {
    let mut grouped: BTreeMap<(Vec<String>, &'static str), Files<'_>> = BTreeMap::new();
    for (parts, file, format) in data {
        let folders = parts.split_last().map_or(parts.as_slice(), |(_, folders)| folders);
        let key = (table_folder(folders).to_vec(), format_name(*format));
        grouped.entry(key).or_default().push((parts, file));
    }
    let mut all = Vec::with_capacity(grouped.len());
    for ((folder, _), files) in grouped {
        let below = data.iter().filter(|(parts, ..)| parts.starts_with(&folder)).count();
        // A single file beside no other is named itself, unless its folder says that more of its parts will come.
        let in_parts = files.iter().any(|(parts, _)| parts.len() > folder.len() + 1);
        let names: BTreeSet<String> =
            files.iter().map(|(parts, _)| without_numbers(parts.last().map_or("", String::as_str))).collect();
        let belong_together = !folder.is_empty() || files.len() != 2 || names.len() == 1;
        let whole = below == files.len() && (files.len() > 1 || in_parts) && belong_together;
        all.push(Group { folder: whole.then_some(folder), files });
    }
    all
}

/// The folders without those at their end that name a part: `year=2026`, `2026`, `2026-11-30`.
fn table_folder(folders: &[String]) -> &[String] {
    let part = |folder: &String| {
        folder.contains('=') || folder.chars().all(|sign| sign.is_ascii_digit() || matches!(sign, '-' | '_'))
    };
    let kept = folders.iter().rposition(|folder| !part(folder)).map_or(0, |last| last + 1);
    &folders[..kept]
}

/// The words of a file's name that are no number, date or random mark.
fn without_numbers(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name).to_lowercase();
    let mark = |word: &str| {
        word.chars().any(|sign| sign.is_ascii_digit())
            || (matches!(word.len(), 4 | 8 | 12) && word.chars().all(|sign| sign.is_ascii_hexdigit()))
    };
    let words: Vec<&str> =
        stem.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty() && !mark(word)).collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;

    fn grouped(paths: &[&str]) -> Vec<String> {
        let file = |path: &&str| {
            let meta = ObjectMeta {
                location: Path::from(*path),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size: 1,
                e_tag: None,
                version: None,
            };
            let format = if path.ends_with("csv") { Format::Csv { delimiter: b',' } } else { Format::Parquet };
            (path.split('/').map(str::to_owned).collect(), meta, format)
        };
        let data: Vec<(Vec<String>, ObjectMeta, Format)> = paths.iter().map(file).collect();
        let shown = |group: Group<'_>| match group.folder {
            Some(folder) => format!("{}/ {}", folder.join("/"), group.files.len()),
            None => group.files.iter().map(|(parts, _)| parts.join("/")).collect::<Vec<_>>().join(" + "),
        };
        groups(&data).into_iter().map(shown).collect()
    }

    #[test]
    fn parts_of_a_table_belong_together_and_other_files_do_not() {
        assert_eq!(grouped(&["calls.csv", "customers.csv"]), ["calls.csv + customers.csv"]);
        assert_eq!(grouped(&["calls/2026-01.parquet", "calls/late-00000.parquet"]), ["calls/ 2"]);
        assert_eq!(grouped(&["calls/part-00000-1f2e3d4c.parquet", "calls/part-00001-abcd.parquet"]), ["calls/ 2"]);
        assert_eq!(grouped(&["calls/year=2025/a.parquet", "calls/year=2026/a.parquet"]), ["calls/ 2"]);
        assert_eq!(grouped(&["calls/2025/01/a1.parquet", "chats/2025/01/a1.parquet"]), ["calls/ 1", "chats/ 1"]);
        assert_eq!(grouped(&["calls_2025.csv", "calls_2026.csv"]), ["/ 2"]);
    }

    #[test]
    fn a_folder_with_other_data_is_not_one_source() {
        let two = ["x/calls_1.csv", "x/calls_2.csv", "x/old.parquet"];
        assert_eq!(grouped(&two), ["x/calls_1.csv + x/calls_2.csv", "x/old.parquet"]);
        let three = ["calls_2025.csv", "calls_2026.csv", "customers.csv"];
        assert_eq!(grouped(&three), ["/ 3"], "where their columns differ, each is a table");
        assert_eq!(
            grouped(&["calls_1.csv", "calls_2.csv", "old.parquet"]),
            ["calls_1.csv + calls_2.csv", "old.parquet"]
        );
    }
}
