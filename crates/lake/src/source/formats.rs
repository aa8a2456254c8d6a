//! What each format is called, and how names of its files end.

use throughline_config::Format;

/// The format's name in messages.
pub(super) fn format_name(format: Format) -> &'static str {
    match format {
        Format::Parquet => "Parquet",
        Format::Csv { .. } => "CSV",
        Format::Json => "JSON",
        Format::Delta => "Delta",
    }
}

/// How names of its files end, without the dot.
pub(super) fn extensions(format: &str) -> &'static [&'static str] {
    match format {
        "Parquet" => &["parquet", "parq", "pq"],
        "CSV" => &["csv", "tsv", "txt"],
        "JSON" => &["json", "jsonl", "ndjson"],
        _ => &[],
    }
}

/// The same for people: `` `.csv`, `.tsv`, `.txt` ``.
pub(super) fn endings(format: &str) -> String {
    let dotted: Vec<String> = extensions(format).iter().map(|extension| format!("`.{extension}`")).collect();
    dotted.join(", ")
}
