//! Files that are too large, too deep, not text, or reach out of the workspace.

use std::fmt::Write;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::{SMALLEST, load, loaded, options, refused, workspace};
use crate::load_pipeline;

fn refused_bytes(bytes: &[u8]) -> String {
    load_pipeline(&options(&workspace(&[("pipelines/main.yaml", bytes)]))).expect_err("must be refused").to_string()
}

#[test]
fn a_file_of_more_than_a_mebibyte() {
    let comment = |length: usize| format!("{SMALLEST}#{}\n", "x".repeat(length - SMALLEST.len() - 2));
    loaded(&comment(1 << 20));
    assert_snapshot!(refused_bytes(comment((1 << 20) + 1).as_bytes()), @"
    error[file-too-large]: `pipelines/main.yaml` is larger than 1 MiB
     |
     = help: pipelines and their SQL are small files; data belongs in a source or a seed
    ");
}

#[test]
fn nesting() {
    // The list is in the mapping at the top, so 31 more levels fit.
    let nested = |levels: usize| format!("owner: {}{}\n", "[".repeat(levels), "]".repeat(levels));
    assert!(refused(&nested(31)).contains("wrong-type"), "within the bound the list is read, and refused as an owner");
    assert_snapshot!(refused(&nested(32)), @"
    error[yaml-too-deep]: more than 32 levels of lists and mappings
     --> pipelines/main.yaml:6:39
      |
    6 | owner: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
      |                                       ^
      |
      = help: a pipeline needs about six; is a bracket not closed?
    ");
}

#[test]
fn more_values_than_anyone_writes() {
    let mut text = "owner: [".to_owned();
    for number in 0..20_000 {
        write!(text, "{number}, ").expect("a string takes all");
        if number % 20 == 0 {
            text.push_str("\n  ");
        }
    }
    assert_snapshot!(refused(&format!("{text}]\n")), @"
    error[yaml-too-large]: more than 20000 values in one file
        --> pipelines/main.yaml:1006:31
         |
    1006 |   19981, 19982, 19983, 19984, 19985, 19986, 19987, 19988, 19989, 19990, 19991, 19992, 19993, 19994, 19995, 19996, 19997, 19998, 19...
         |                               ^^^^^
         |
         = help: a list this long is data: make it a seed and test against it with `relationships`
    ");
}

/// Each of these is a mebibyte that costs some parsers quadratic time or their stack.
#[test]
fn hostile_files_end_soon() {
    let size = (1 << 20) - SMALLEST.len() - 16;
    let hostile = [
        "[".repeat(size),
        "{".repeat(size),
        "- ".repeat(size / 2),
        "? ".repeat(size / 2),
        "a: ".repeat(size / 3),
        "!".repeat(size),
        "&a ".repeat(size / 3),
        "\"".repeat(size),
        "[a, ".repeat(size / 4),
        "\n".repeat(size),
        "a\n".repeat(size / 2),
        format!("a: {}", "x ".repeat(size / 2)),
        format!("a: \"{}\"", "${A:-b}".repeat(size / 8)),
        (0..9_000).map(|number| format!("k{number}: \"{}\"\n", "x".repeat(90))).collect(),
    ];
    for text in hostile {
        let began = Instant::now();
        let findings = load(&text).expect_err("must be refused");
        let rendered = findings.to_string();
        assert!(!rendered.is_empty());
        let shown: String = text.chars().take(12).collect();
        assert!(began.elapsed() < Duration::from_secs(20), "`{shown}…` took {:?}", began.elapsed());
    }
}

#[test]
fn not_text() {
    assert_snapshot!(refused_bytes(b"name: main\nowner: caf\xe9\n"), @"
    error[not-utf8]: `pipelines/main.yaml` is not UTF-8: byte 21 begins no character
     --> pipelines/main.yaml:2:11
      |
    2 | owner: caf�
      |           ^
      |
      = help: save the file as UTF-8
    ");
    assert_snapshot!(refused_bytes(b"name: ma\0in\n"), @"
    error[control-character]: `pipelines/main.yaml` holds a NUL byte at byte 8
     --> pipelines/main.yaml:1:9
      |
    1 | name: ma␀in
      |         ^
      |
      = help: text files hold none; was this file saved as UTF-16, or is it binary?
    ");
    assert_snapshot!(refused_bytes(b"name: ma\x1b[31min\n"), @"
    error[control-character]: `pipelines/main.yaml` holds the control character U+001B at byte 8
     --> pipelines/main.yaml:1:9
      |
    1 | name: ma␛[31min
      |         ^
      |
      = help: text files hold none; was this file saved as UTF-16, or is it binary?
    ");
    let utf16: Vec<u8> = "name: main\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_snapshot!(refused_bytes(&utf16), @"
    error[control-character]: `pipelines/main.yaml` holds a NUL byte at byte 1
     --> pipelines/main.yaml:1:2
      |
    1 | n␀a␀m␀e␀:␀ ␀m␀a␀i␀n␀
      |  ^
      |
      = help: text files hold none; was this file saved as UTF-16, or is it binary?
    ");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    let windows = SMALLEST.replace('\n', "\r\n");
    let pipeline = loaded(&format!("\u{feff}{windows}"));
    assert_eq!(pipeline.warehouse.value, "data/warehouse");
    assert_eq!(pipeline.warehouse.place.line_and_column(), (3, 12));
    let misspelt = windows.replace("warehouse", "warehose");
    assert_snapshot!(refused_bytes(misspelt.as_bytes()), @"
    error[missing-key]: the pipeline has no `warehouse`
     --> pipelines/main.yaml:1:1
      |
    1 | name: main
      | ^
      |
      = help: add `warehouse: ${WAREHOUSE:-data/warehouse}`

    error[unknown-key]: the pipeline has no key `warehose`
     --> pipelines/main.yaml:3:1
      |
    3 | warehose: data/warehose
      | ^^^^^^^^ did you mean `warehouse`?
      |
      = help: its keys: name, owner, description, start, warehouse, uses, assisted_channels, variables, sources, seeds, journeys, models, triggers, unit_tests, dictionary, semantics
    ");
}

#[test]
fn more_findings_than_anyone_reads() {
    let keys = |count: usize| (0..count).map(|number| format!("k{number}: x\n")).collect::<String>();
    let count = |addition: &str| load(&format!("{SMALLEST}{addition}")).expect_err("must be refused").0.len();
    assert_eq!(count(&keys(400)), 400);
    assert_eq!(count(&keys(9_000)), 501);
    let last = load(&format!("{SMALLEST}{}", keys(9_000))).expect_err("must be refused").0.pop().expect("a finding");
    assert_eq!(last.message, "8500 more findings are not shown");
    assert!(count(&"name: x\n".repeat(5_000)) < 210, "the tree stops reading");
}

#[cfg(unix)]
#[test]
fn a_link_that_leaves_the_workspace() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("secret.sql"), "SELECT 1").expect("a file");
    let yaml = SMALLEST.replace("sql/touchpoints.sql", "sql/link.sql");
    let folder = workspace(&[("pipelines/main.yaml", yaml.as_bytes())]);
    std::os::unix::fs::symlink(outside.path().join("secret.sql"), folder.path().join("sql/link.sql")).expect("a link");
    let seed = format!("{SMALLEST}seeds: {{ goals: {{ path: sql/link.sql, columns: {{ a: string }} }} }}\n");
    super::write(folder.path(), "pipelines/main.yaml", seed.as_bytes());
    assert!(load_pipeline(&options(&folder)).expect_err("outside").to_string().starts_with("error[outside-workspace]"));
    super::write(folder.path(), "pipelines/main.yaml", yaml.as_bytes());
    assert_snapshot!(load_pipeline(&options(&folder)).expect_err("outside"), @"
    error[outside-workspace]: `sql/link.sql` lies outside the workspace
     --> pipelines/main.yaml:5:23
      |
    5 |   touchpoints: { sql: sql/link.sql }
      |                       ^^^^^^^^^^^^ an absolute path, `..` or a link that leaves it
      |
      = help: SQL, YAML and seeds live inside the workspace, so that a pipeline is versioned and moved as one folder
      = help: a link inside the workspace leads out of it
    ");
}
