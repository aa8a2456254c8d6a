//! Whole samples: their bytes, their truths read back from the files, and what becomes of folders.

mod lives;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::block::BLOCK;
use crate::{SampleError, SampleOptions, Truth, generate};

fn options(out: &Path, customers: u64, seed: u64) -> SampleOptions {
    SampleOptions { customers, seed, ..SampleOptions::new(out) }
}

fn sample(out: &Path, customers: u64, seed: u64) -> Truth {
    generate(&options(out, customers, seed), &mut |_| ()).expect("a sample")
}

/// Path below the lake and hash of each file.
fn hashes(lake: &Path) -> BTreeMap<String, String> {
    let mut hashes = BTreeMap::new();
    for entry in fs::read_dir(lake).expect("the lake") {
        let path = entry.expect("an entry").path();
        let files = if path.is_dir() {
            fs::read_dir(&path).expect("a table").map(|file| file.expect("a file").path()).collect()
        } else {
            vec![path]
        };
        for file in files {
            let digest = Sha256::digest(fs::read(&file).expect("a file"));
            let hexadecimal = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            hashes.insert(file.strip_prefix(lake).expect("below").display().to_string(), hexadecimal);
        }
    }
    hashes
}

fn read(lake: &Path, table: &str, prefix: &str) -> Vec<RecordBatch> {
    let mut paths: Vec<_> =
        fs::read_dir(lake.join(table)).expect("a table").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    let reader = |path| ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("open")).expect("Parquet");
    paths
        .into_iter()
        .flat_map(|path| reader(path).build().expect("a reader").map(|batch| batch.expect("rows")))
        .collect()
}

fn rows(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// How many rows satisfy a condition on the row's position in its batch.
fn count(batches: &[RecordBatch], keep: impl Fn(&RecordBatch, usize) -> bool) -> u64 {
    let of = |batch: &RecordBatch| (0..batch.num_rows()).filter(|row| keep(batch, *row)).count() as u64;
    batches.iter().map(of).sum()
}

fn time(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    batch[column].as_primitive::<TimestampMicrosecondType>().value(row)
}

#[test]
fn a_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(&folder.path().join("a"), 700, 5);
    assert_eq!(sample(&folder.path().join("b"), 700, 5), truth);
    sample(&folder.path().join("c"), 700, 6);
    let [a, b, c] = ["a", "b", "c"].map(|name| hashes(&folder.path().join(name)));
    assert_eq!(a, b);
    // A table has a file for a day, or for what was late, only where there was a row.
    let tables = |files: &BTreeMap<String, String>| -> BTreeSet<String> {
        files.keys().filter_map(|file| Some(file.split_once('/')?.0.to_owned())).collect()
    };
    assert_eq!(tables(&a), tables(&c));
    assert!(
        a.iter().all(|(file, hash)| c.get(file).is_none_or(|other| other != hash)),
        "a file does not depend on the seed"
    );
}

#[test]
fn a_larger_sample_begins_with_the_smaller_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (small, large) = (folder.path().join("small"), folder.path().join("large"));
    sample(&small, 2 * BLOCK, 5);
    sample(&large, 3 * BLOCK, 5);
    for (table, month) in [("calls", "2026-05"), ("web_events", "2025-01")] {
        let whole = |lake: &Path| {
            let batches = read(lake, table, month);
            arrow::compute::concat_batches(&batches[0].schema(), &batches).expect("one batch")
        };
        let (few, many) = (whole(&small), whole(&large));
        assert!(few.num_rows() > 0 && few.num_rows() < many.num_rows());
        assert_eq!(many.slice(0, few.num_rows()), few, "{table} of {month}");
    }
}

#[test]
fn customers_are_written_block_by_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("lake");
    let mut steps = Vec::new();
    let truth = generate(&options(&out, 4 * BLOCK + 1, 1), &mut |progress| steps.push(progress)).expect("a sample");
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[1].customers, 2 * BLOCK);
    assert_eq!(steps[4].customers, steps[4].of);
    assert!(steps.windows(2).all(|pair| pair[0].rows < pair[1].rows));
    assert_eq!(steps[4].rows, truth.tables.values().map(|table| table.rows).sum::<u64>());
    assert!(rows(&read(&out, "messages", "2026-05")) > 0, "one file a month");
    assert!(rows(&read(&out, "messages", "2026-09-30")) > 0, "one file a day");
    assert!(rows(&read(&out, "customers", "all")) > 0, "one file for what is no event");
}

#[test]
fn broken_rows_are_there_in_the_numbers_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 1_200, 3);
    for (table, told) in &truth.tables {
        assert_eq!(rows(&read(folder.path(), table, "")), told.rows, "{table}");
        assert_eq!(rows(&read(folder.path(), table, "late")), told.late, "{table}");
        let broken: u64 = told.malformed.values().sum();
        assert_eq!(told.rows, told.kept + told.identical_copies + 2 * told.contradicting_ids + broken, "{table}");
    }
    let calls = read(folder.path(), "calls", "");
    let told = &truth.tables["calls"];
    let nine = count(&calls, |batch, row| {
        let ratings = batch["rating"].as_primitive::<Int32Type>();
        ratings.is_valid(row) && ratings.value(row) == 9
    });
    assert_eq!(nine, told.malformed["rating_9"]);
    assert_eq!(count(&calls, |batch, row| batch["customer_id"].is_null(row)), told.malformed["null_customer"]);
    let backwards = count(&calls, |batch, row| time(batch, "ended_at", row) < time(batch, "started_at", row));
    assert_eq!(backwards, told.malformed["ends_before_start"]);
    assert_eq!(
        count(&calls, |batch, row| time(batch, "started_at", row) < 86_400_000_000),
        told.malformed["year_1970"]
    );
    let far = 4_102_444_800_000_000;
    assert_eq!(count(&calls, |batch, row| time(batch, "started_at", row) > far), told.malformed["year_2199"]);
    let mut ids: HashMap<i64, u64> = HashMap::new();
    for batch in &calls {
        for id in batch["call_id"].as_primitive::<Int64Type>().values() {
            *ids.entry(*id).or_default() += 1;
        }
    }
    let doubled = ids.values().filter(|copies| **copies == 2).count() as u64;
    assert_eq!(doubled, told.identical_copies + told.contradicting_ids);
}

#[test]
fn every_kind_of_touchpoint_is_nine_of_ten_satisfied_while_onboarding_cools() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 6_000, 9);
    for kind in &truth.touchpoint_satisfaction {
        assert!(kind.satisfied * 10 >= kind.answers * 9, "{kind:?}");
    }
    for segment in truth.onboarding_relationship.iter().filter(|segment| segment.segment != "unknown") {
        let start = segment.start_satisfaction.expect("answers at the start");
        let end = segment.end_satisfaction.expect("answers at the end");
        assert!((end / start - 1.0 - segment.planted_change).abs() < 0.06, "{segment:?}");
    }
    let surveys = read(folder.path(), "surveys", "");
    let scores = |journey: &str| {
        let mut values = Vec::new();
        for batch in &surveys {
            let (journeys, score) = (batch["journey"].as_string::<i32>(), batch["score"].as_primitive::<Float64Type>());
            values.extend(
                (0..batch.num_rows()).filter(|row| journeys.value(*row) == journey).map(|row| score.value(row)),
            );
        }
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!(scores("onboarding") < 6.0, "the journey is felt to be worse than its touchpoints");
}

#[test]
fn a_customer_who_moves_has_two_rows_and_an_upgrade_is_a_subscription() {
    let folder = tempfile::tempdir().expect("a folder");
    let truth = sample(folder.path(), 2_000, 5);
    assert!(truth.moved_segments > 30, "{}", truth.moved_segments);
    assert_eq!(truth.tables["customers"].kept, truth.spells + truth.moved_segments);
    let later = count(&read(folder.path(), "customers", ""), |batch, row| {
        time(batch, "valid_from", row) > time(batch, "joined_at", row)
    });
    assert!(later >= truth.moved_segments, "copies and broken rows come on top");
    let upgrades = truth.journeys.iter().find(|journey| journey.journey == "plan_upgrade").expect("a journey");
    let bought = truth.tables["subscriptions"].kept - truth.spells;
    assert!(bought > upgrades.instances / 2 && bought <= upgrades.instances, "{bought} of {}", upgrades.instances);
}

#[test]
fn folders_of_others_are_left_alone_and_older_samples_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("lake");
    fs::create_dir(&out).expect("a folder");
    fs::write(out.join("thesis.txt"), "years of work").expect("a file");
    let refused = generate(&options(&out, 10, 1), &mut |_| ());
    assert!(matches!(refused, Err(SampleError::NotASample { .. })), "{refused:?}");
    assert!(out.join("thesis.txt").is_file());

    let lake = folder.path().join("other");
    sample(&lake, 600, 1);
    fs::write(lake.join("stale.txt"), "").expect("a file");
    sample(&lake, 10, 2);
    assert!(!lake.join("stale.txt").exists() && lake.join("_truth.json").is_file());
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).expect("entries").map(|entry| entry.expect("entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["lake", "other"]);
}

#[test]
fn what_a_killed_run_left_is_cleared_away_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("lake");
    let partial = folder.path().join("lake.partial");
    fs::create_dir(&partial).expect("a folder");
    fs::write(partial.join("mine.txt"), "").expect("a file");
    assert!(matches!(generate(&options(&out, 10, 1), &mut |_| ()), Err(SampleError::NotASample { .. })));
    fs::write(partial.join("_unfinished"), "").expect("a file");
    sample(&out, 10, 1);
    assert!(!partial.exists() && out.join("_truth.json").is_file());
}

#[test]
fn an_empty_sample_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let none = SampleOptions { months: 0, ..options(&folder.path().join("lake"), 10, 1) };
    assert!(matches!(generate(&none, &mut |_| ()), Err(SampleError::NothingToWrite)));
    assert!(matches!(generate(&options(folder.path(), 0, 1), &mut |_| ()), Err(SampleError::NothingToWrite)));
}
