//! The mark of a commit: it identifies the commit and is part of its files' names.
//!
//! A mark begins with the eight digits of the run, so that a staged file's name says which run wrote it.

use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

/// A new mark, beginning with the digits of the run where there is one.
pub(super) fn new_mark(run: Option<u32>) -> Uuid {
    let random = Uuid::new_v4();
    match run {
        Some(run) => Uuid::from_u128((random.as_u128() & (u128::MAX >> 32)) | (u128::from(run) << 96)),
        None => random,
    }
}

/// The digits of the run.
pub(super) fn run_of(mark: Uuid) -> u32 {
    mark.as_fields().0
}

/// The random end of a run's id.
pub(super) fn digits(run_id: &str) -> Option<u32> {
    let (_, digits) = run_id.rsplit_once('-')?;
    if digits.len() == 8 { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// The number of a run, `r00000042-…`; `None` for an id of a version that did not number them.
pub(super) fn number(run_id: &str) -> Option<u64> {
    run_id.strip_prefix('r')?.split_once('-')?.0.parse().ok()
}

/// When a run began by the clock of its machine, by its id.
pub(super) fn began(run_id: &str) -> Option<DateTime<Utc>> {
    let after_number = number(run_id).and_then(|_| Some(run_id.split_once('-')?.1));
    let (instant, _) = after_number.unwrap_or(run_id).split_once('-')?;
    let seconds = instant.get(..15)?;
    NaiveDateTime::parse_from_str(seconds, "%Y%m%dT%H%M%S").ok().map(|instant| instant.and_utc())
}

/// The mark in `part-00000-<mark>-c000.zstd.parquet`, also while an ending marks the file as unfinished.
pub(super) fn mark(name: &str) -> Option<Uuid> {
    let rest = name.strip_prefix("part-")?;
    let (_, rest) = rest.split_once('-')?;
    Uuid::try_parse(rest.get(..36)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_name_names_its_run() {
        let run = "20261124T065003123456Z-1f2e3d4c";
        let made = new_mark(digits(run));
        assert_eq!(mark(&format!("part-00003-{made}-c000.zstd.parquet")), Some(made));
        assert_eq!(mark(&format!("part-00003-{made}-c000.zstd.parquet#1")), Some(made));
        assert_eq!(run_of(made), 0x1f2e_3d4c);
        assert_ne!(new_mark(digits(run)), made);
        assert_eq!(mark("part-00003-spark.snappy.parquet"), None);
        assert_eq!(began(run).unwrap().to_rfc3339(), "2026-11-24T06:50:03+00:00");
        let numbered = format!("r00000042-{run}");
        assert_eq!((number(&numbered), number(run)), (Some(42), None));
        assert_eq!((began(&numbered), digits(&numbered)), (began(run), digits(run)));
        assert!(numbered.as_str() > run, "numbered ids sort after those of earlier versions");
        assert_eq!(digits("r1"), None);
    }
}
