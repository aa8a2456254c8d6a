//! Warehouses that earlier versions of the program wrote are read, run on, and end as if they had never been there.
//!
//! `tests/earlier/` holds one folder for each: what `throughline init .` and `throughline run --as-of 2026-07-01` of the
//! commit it is called after left in `data/warehouse`, without the locks. A new one is added before a change of what is
//! stored; none is ever made again.

use crate::workspace::Workspace;

/// The commits, oldest first. b545dd3: before the library, with the statistics of `init` in its own files.
const EARLIER: [&str; 1] = ["b545dd3"];
const TABLES: [&str; 8] = [
    "dim_customer",
    "dim_journey",
    "fct_journey",
    "fct_journey_touchpoint",
    "fct_journey_performance",
    "fct_journey_risk",
    "journey_joint_risk",
    "fct_key_journeys",
];
const HARMFUL: &str = "SELECT journey FROM fct_key_journeys \
                       WHERE period = '2026-Q2' AND segment = 'all' AND tier = 'harmful'";

/// A small workspace of today with the warehouse of then.
fn upgraded(commit: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.run("init .").ends_with(0);
    workspace.copy_from_repository(&format!("crates/cli/tests/earlier/{commit}"), "data/warehouse");
    workspace
}

#[test]
fn what_an_earlier_version_published_is_read() {
    for commit in EARLIER {
        let workspace = upgraded(commit);
        let runs = workspace.run("runs").ends_with(0);
        assert!(runs.stdout.contains("done    2026-07-01"), "{runs}");
        let harmful = workspace.query(HARMFUL).ends_with(0);
        assert_eq!(harmful.stdout, "journey\nfault\n", "{harmful}");
        let shown = workspace.run("show fct_journey --limit 1").ends_with(0);
        assert!(shown.stdout.contains("journey_id"), "{shown}");
        let explained = workspace.run("explain fault").ends_with(0);
        assert!(explained.stdout.contains("Harmful in 2026-Q2"), "{explained}");
        workspace.run("report").ends_with(0);
        assert!(workspace.has("report.html"));
    }
}

#[test]
fn a_plan_says_what_a_new_version_makes_anew_and_a_run_ends_like_one_from_nothing() {
    for commit in EARLIER {
        let (workspace, fresh) = (upgraded(commit), Workspace::empty());
        let plan = workspace.run("plan --as-of 2026-07-02").ends_with(0);
        assert!(plan.stdout.contains("replaced whole; the definition of"), "{plan}");
        assert!(plan.stdout.contains("not published yet"), "{plan}");
        workspace.run("run --as-of 2026-07-02").ends_with(0);
        fresh.run("init .").ends_with(0);
        fresh.run("run --as-of 2026-07-02").ends_with(0);
        for table in TABLES {
            let rows = |workspace: &Workspace| {
                let rows = workspace.query(&format!("SELECT * FROM {table}")).ends_with(0).stdout;
                let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
                rows.sort_unstable();
                rows
            };
            let (after, whole) = (rows(&workspace), rows(&fresh));
            assert!(whole.len() > 1 && after == whole, "{table} differs from a run from nothing");
        }
    }
}
