//! Two runs of a pipeline at once: who holds it, who follows, and who finds that it lost it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use throughline_lake::{Warehouse, WarehouseError};
use url::Url;

use crate::faults::{Fault, Faulty};
use crate::support::Workspace;
use crate::unsteady::Unsteady;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

fn in_memory(store: Arc<dyn object_store::ObjectStore>) -> (Workspace, Warehouse) {
    let workspace = Workspace::new();
    workspace.stores.register(&Url::parse("s3://bucket").unwrap(), store);
    let warehouse = Warehouse::open("s3://bucket/warehouse", &workspace.stores).unwrap();
    (workspace, warehouse)
}

fn on_disk() -> (Workspace, Warehouse) {
    let workspace = Workspace::new();
    let warehouse = Warehouse::open("warehouse", &workspace.stores).unwrap();
    (workspace, warehouse)
}

fn held(outcome: Result<throughline_lake::Lease, WarehouseError>) -> String {
    match outcome {
        Err(error @ WarehouseError::Held { .. }) => error.to_string(),
        other => panic!("not held: {other:?}"),
    }
}

#[tokio::test]
async fn the_second_learns_who_holds_the_pipeline_until_it_is_given_back() {
    for (_workspace, warehouse) in [on_disk(), in_memory(Unsteady::new(1))] {
        let first = warehouse.lease("p", "run-1", LONG).await.unwrap();
        let holder = held(warehouse.lease("p", "run-2", LONG).await);
        let start = "the pipeline `p` is held by run run-1 on host ";
        assert!(holder.starts_with(start) && holder.contains(&format!("(pid {})", std::process::id())), "{holder}");
        assert!(holder.contains(" since 20") && holder.contains("last heard of at 20"), "{holder}");
        let other = warehouse.lease("q", "run-3", LONG).await.unwrap();
        first.confirm().await.unwrap();
        first.release().await;
        let second = warehouse.lease("p", "run-4", LONG).await.unwrap();
        assert_eq!(second.predecessor(), None);
        second.confirm().await.unwrap();
        other.confirm().await.unwrap();
        let mut names = warehouse.lease_names().await.unwrap();
        names.sort_unstable();
        assert_eq!(names, ["p", "q"], "held now or before");
    }
    let (_workspace, warehouse) = on_disk();
    assert!(warehouse.lease_names().await.unwrap().is_empty());
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_lease() {
    for (_workspace, warehouse) in [on_disk(), in_memory(Unsteady::new(1))] {
        for round in 0..5 {
            let ids: Vec<String> = (0..12).map(|run| format!("run-{round}-{run}")).collect();
            let outcomes = join_all(ids.iter().map(|id| warehouse.lease("p", id, LONG))).await;
            let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
            assert_eq!((won.len(), lost.len()), (1, 11));
            for lease in won {
                lease.unwrap().release().await;
            }
        }
    }
}

#[tokio::test]
async fn on_a_disk_a_lease_ends_with_its_holder_and_with_its_file() {
    let (workspace, warehouse) = on_disk();
    let first = warehouse.lease("p", "run-1", LONG).await.unwrap();
    drop(first);
    let second = warehouse.lease("p", "run-2", LONG).await.unwrap();
    assert_eq!(second.predecessor().unwrap().run_id, "run-1");
    std::fs::remove_file(workspace.path("warehouse/_locks/p.json")).unwrap();
    assert!(matches!(second.confirm().await, Err(WarehouseError::LeaseLost { .. })));
    let third = warehouse.lease("p", "run-3", LONG).await.unwrap();
    assert!(second.confirm().await.unwrap_err().is_held());
    third.confirm().await.unwrap();
}

#[tokio::test]
async fn in_a_store_a_silent_holder_is_followed_and_finds_out() {
    let store = Unsteady::new(1);
    let (_workspace, warehouse) = in_memory(Arc::clone(&store) as _);
    // It lives and is heard of for longer than its lease lasts.
    let first = warehouse.lease("p", "run-1", SHORT).await.unwrap();
    tokio::time::sleep(3 * SHORT).await;
    held(warehouse.lease("p", "run-2", SHORT).await);
    first.confirm().await.unwrap();
    // Killed: nothing is heard of it.
    drop(first);
    held(warehouse.lease("p", "run-3", SHORT).await);
    tokio::time::sleep(3 * SHORT).await;
    let second = warehouse.lease("p", "run-4", SHORT).await.unwrap();
    assert_eq!(second.predecessor().unwrap().run_id, "run-1");
    // Its heartbeats do not arrive.
    store.fail(1000);
    tokio::time::sleep(3 * SHORT).await;
    store.fail(0);
    let third = warehouse.lease("p", "run-5", SHORT).await;
    if let Ok(third) = third {
        let lost = second.confirm().await.unwrap_err();
        assert!(lost.to_string().contains("run-5 took over the pipeline `p`"), "{lost}");
        third.confirm().await.unwrap();
    } else {
        // A heartbeat came between the two steps.
        second.confirm().await.unwrap();
    }
}

/// A holder is heard of as often as its own lease asks for, whatever the next run was started with.
#[tokio::test]
async fn who_waits_less_long_does_not_follow_a_holder_that_is_heard_of_less_often() {
    let (_workspace, warehouse) = in_memory(Unsteady::new(1));
    let first = warehouse.lease("p", "run-1", LONG).await.unwrap();
    tokio::time::sleep(3 * SHORT).await;
    held(warehouse.lease("p", "run-2", SHORT).await);
    first.confirm().await.unwrap();
    let written = first.store_time().await.unwrap().unwrap();
    let ago = chrono::Utc::now() - written;
    assert!(ago >= chrono::TimeDelta::zero() && ago < chrono::TimeDelta::minutes(1), "{ago}");
    let (_workspace, warehouse) = on_disk();
    let on_disk = warehouse.lease("p", "run-1", LONG).await.unwrap();
    assert_eq!(on_disk.store_time().await.unwrap(), None, "there is no other clock than this machine's");
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_lease() {
    let (mut got, mut lost_answers) = (0, 0);
    for seed in 0..60 {
        let store = Unsteady::new(seed);
        let (_workspace, warehouse) = in_memory(Arc::clone(&store) as _);
        store.fail(100);
        let lease = warehouse.lease("p", "run-1", LONG).await;
        store.fail(0);
        lost_answers += store.lost_answers.load(std::sync::atomic::Ordering::SeqCst);
        match lease {
            Ok(lease) => {
                got += 1;
                lease.confirm().await.unwrap();
                held(warehouse.lease("p", "run-2", LONG).await);
            }
            // Nothing but the store's failure is reported.
            Err(error) => assert!(error.to_string().contains("connection reset"), "{error}"),
        }
    }
    assert!(got > 10 && lost_answers > 0, "{got} leases, {lost_answers} lost answers");
}

#[tokio::test]
async fn a_store_that_overwrites_gives_no_lease() {
    let store = Faulty::new();
    store.set(Fault::Overwrites);
    let (_workspace, warehouse) = in_memory(store as _);
    let error = warehouse.lease("p", "run-1", LONG).await.unwrap_err();
    assert!(matches!(error, WarehouseError::NoConditionalPut { .. }), "{error}");
    assert!(error.help().contains("If-None-Match"), "{}", error.help());
}
