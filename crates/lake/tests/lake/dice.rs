//! Many commits on a store that fails by dice: readers see the old or the new rows, and nothing is lost or doubled.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use object_store::ObjectStore;
use throughline_lake::{Warehouse, WarehouseError};
use url::Url;

use crate::support::Workspace;
use crate::tables::{details, try_stage};
use crate::unsteady::Unsteady;

const ROUNDS: u64 = 6;

/// What happened over the rounds of one seed.
#[derive(Default, Debug)]
struct Seen {
    published: u64,
    refused: u64,
    unknown_and_there: u64,
    unknown_and_not_there: u64,
}

async fn ids(workspace: &Workspace, warehouse: &Warehouse) -> String {
    match warehouse.table("fct").await.unwrap() {
        Some(table) => workspace.query(table.provider, "SELECT string_agg(id::text, ',') AS ids FROM t").await.unwrap(),
        None => String::new(),
    }
}

async fn rounds(seed: u64) -> (Seen, usize, usize) {
    let workspace = Workspace::new();
    let store = Unsteady::new(seed);
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::clone(&store) as Arc<dyn ObjectStore>);
    let warehouse = Warehouse::open("s3://bucket/warehouse", &workspace.stores).unwrap();
    let mut seen = Seen::default();
    for round in 0..ROUNDS {
        let before = ids(&workspace, &warehouse).await;
        store.fail(60);
        let staged = try_stage(&workspace, &warehouse, &format!("SELECT {} AS id", 100 + round)).await;
        store.fail(350);
        let outcome = match &staged {
            Ok(staged) => staged.commit(&details("r")).await,
            Err(_) => {
                store.fail(0);
                assert_eq!(ids(&workspace, &warehouse).await, before, "seed {seed}: nothing was published");
                continue;
            }
        };
        store.fail(0);
        let staged = staged.unwrap();
        let after = ids(&workspace, &warehouse).await;
        let is_there = after.contains(&format!("| {} ", 100 + round));
        assert!(is_there || after == before, "seed {seed}: neither the old rows nor the new: {after}");
        match outcome {
            Ok(committed) => {
                assert!(is_there, "seed {seed}: reported as published");
                seen.published += 1;
                assert_eq!(committed.version + 1, seen.published + seen.unknown_and_there, "seed {seed}");
            }
            Err(WarehouseError::Unknown { .. }) => {
                // The store answers again: asking once more settles it, whichever it was.
                if is_there {
                    seen.unknown_and_there += 1
                } else {
                    seen.unknown_and_not_there += 1
                }
                staged.commit(&details("r")).await.unwrap();
                seen.published += u64::from(!is_there);
                assert!(ids(&workspace, &warehouse).await.contains(&format!("| {} ", 100 + round)), "seed {seed}");
            }
            Err(error) => {
                assert!(!is_there, "seed {seed}: reported as not published: {error}");
                seen.refused += 1;
                staged.discard().await.unwrap();
            }
        }
        assert_eq!(warehouse.table("fct").await.unwrap().unwrap().rows, Some(1), "seed {seed}: nothing is doubled");
    }
    (seen, store.lost_answers.load(Ordering::SeqCst), store.never_arrived.load(Ordering::SeqCst))
}

#[tokio::test]
async fn whatever_is_lost_on_the_way_readers_see_old_or_new_rows() {
    let all = futures::future::join_all((0..40).map(rounds)).await;
    let sum = |of: fn(&Seen) -> u64| all.iter().map(|(seen, _, _)| of(seen)).sum::<u64>();
    let lost: usize = all.iter().map(|(_, lost, _)| lost).sum();
    let never: usize = all.iter().map(|(_, _, never)| never).sum();
    assert!(lost > 10 && never > 10, "{lost} answers were lost, {never} puts never arrived");
    let (there, not_there) = (sum(|seen| seen.unknown_and_there), sum(|seen| seen.unknown_and_not_there));
    let (published, refused) = (sum(|seen| seen.published), sum(|seen| seen.refused));
    assert!(published > 40, "{published} published, {refused} refused, unknown: {there} there, {not_there} not");
}

#[tokio::test]
async fn what_ended_runs_staged_is_removed_and_nothing_else() {
    const KILLED: &str = "20261124T065003000000Z-0000000a";
    const ALIVE: &str = "20261124T065003000000Z-0000000b";
    const MINE: &str = "20261124T065004000000Z-0000000c";
    for place in ["warehouse", "s3://bucket/warehouse"] {
        let workspace = Workspace::new();
        let store = Unsteady::new(1);
        workspace.stores.register(&Url::parse("s3://bucket").unwrap(), Arc::clone(&store) as Arc<dyn ObjectStore>);
        let warehouse = Warehouse::open(place, &workspace.stores).unwrap();
        let staged = |run: &'static str, id: u32| {
            let (workspace, warehouse) = (&workspace, warehouse.of_run(run));
            async move { try_stage(workspace, &warehouse, &format!("SELECT {id} AS id")).await.unwrap() }
        };
        staged(KILLED, 1).await.commit(&details(KILLED)).await.unwrap();
        let _left = staged(KILLED, 2).await;
        let alive = staged(ALIVE, 3).await;
        let ended = [KILLED.to_owned()];
        let remove = || warehouse.remove_leftovers("fct", &ended, SystemTime::now());
        staged(MINE, 4).await.commit(&details(MINE)).await.unwrap();
        assert_eq!(remove().await.unwrap(), 1, "{place}: what was staged and not published");
        assert_eq!(remove().await.unwrap(), 0);
        // The version that the killed run published is still whole, and so is what another run has staged.
        let first = warehouse.table_at("fct", 0).await.unwrap().unwrap();
        assert!(workspace.query(first.provider, "SELECT id FROM t").await.unwrap().contains("| 1 "));
        assert!(workspace.query(alive.provider(), "SELECT id FROM t").await.unwrap().contains("| 3 "));
        let error = alive.commit(&details(ALIVE)).await.unwrap_err();
        assert!(matches!(error, WarehouseError::Conflict { .. }), "{error}");
    }
}
