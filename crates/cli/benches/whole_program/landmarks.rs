//! What landmarks say of the same journeys, beside person-time and what is planted (`make landmarks`).
//!
//! At the end of a quarter customers are exposed when a touchpoint of the journey was known in the 90 days before, and
//! looked at for the 90 days after: of like customers (segment and tenure band) the Mantel-Haenszel risk difference
//! times the exposed. Who comes on the journey later, or has left before the landmark, is not seen, so what acts soon
//! after a touchpoint is missed.

use serde_json::Value;

use crate::company::{Company, list, text};
use crate::excess::{QUARTERS, is_its_own, planted};
use crate::sheet::{optional, shown};
use crate::table;

/// Leavers of the 90 days after a landmark beyond those of like customers, named by the quarter that it begins.
const LANDMARKS: &str = "
WITH followed AS (
    SELECT
        eligible.landmark, eligible.journey, eligible.segment, eligible.tenure_band, eligible.is_exposed,
        coalesce(customer.left_at < landmark.outcome_until, FALSE) AS has_left
    FROM eligible_at_landmark AS eligible
    INNER JOIN landmark ON landmark.landmark = eligible.landmark AND landmark.is_matured
    INNER JOIN customer_version AS customer
        ON customer.customer_id = eligible.customer_id
        AND customer.joined_at = eligible.joined_at
    -- The last row of a spell says how it ended; who was lost in the window is left out.
    WHERE customer.valid_until IS NULL
        AND NOT coalesce(customer.left_at < landmark.outcome_until AND customer.left_by = 'loss', FALSE)
),
cell AS (
    SELECT
        landmark, journey, segment, tenure_band,
        CAST(count(*) FILTER (WHERE is_exposed AND has_left) AS DOUBLE) AS a,
        CAST(count(*) FILTER (WHERE is_exposed) AS DOUBLE) AS n1,
        CAST(count(*) FILTER (WHERE NOT is_exposed AND has_left) AS DOUBLE) AS c,
        CAST(count(*) FILTER (WHERE NOT is_exposed) AS DOUBLE) AS n0
    FROM followed
    GROUP BY landmark, journey, segment, tenure_band
)
SELECT
    to_char(landmark, '%Y') || '-Q' || CAST(date_part('quarter', landmark) AS VARCHAR) AS period,
    journey,
    sum(n1) * sum((a * n0 - c * n1) / (n1 + n0)) / nullif(sum(n1 * n0 / (n1 + n0)), 0) AS excess
FROM cell
GROUP BY landmark, journey
ORDER BY landmark, journey";

/// Samples a company, runs the pipeline on it and prints planted, person-time and landmarks.
pub(crate) fn print(customers: u64, seed: u64) -> Result<(), String> {
    let company = Company::new(customers, seed, true, None)?;
    let person_time = company.query(QUARTERS)?;
    let landmarks = company.query(LANDMARKS)?;
    let by_landmark = |row: &Value| {
        let same = |other: &&Value| other["journey"] == row["journey"] && other["period"] == row["period"];
        landmarks.iter().find(same).and_then(|found| found["excess"].as_f64())
    };
    let mut lines = Vec::new();
    for row in person_time.iter().filter(|row| by_landmark(row).is_some()) {
        lines.push(vec![
            format!("{} {}", text(&row["journey"]), text(&row["period"])),
            optional(planted(&company.truth, row)["excess_churners"].as_f64()),
            optional(row["estimate"].as_f64()),
            optional(by_landmark(row)),
        ]);
    }
    let header = ["excess churners", "planted", "person-time", "landmarks"];
    let title = format!("{customers} customers, seed {seed}: excess churners by quarter");
    table::print(&title, &header, &lines);

    let mut lines = Vec::new();
    for journey in list(&company.truth["journeys"]) {
        let rows: Vec<&Value> = person_time
            .iter()
            .filter(|row| row["journey"] == journey["journey"] && by_landmark(row).is_some())
            .collect();
        let sum = |of: &dyn Fn(&Value) -> Option<f64>| rows.iter().filter_map(|row| of(row)).sum::<f64>();
        let truth = sum(&|row| planted(&company.truth, row)["excess_churners"].as_f64());
        let found = [sum(&|row| row["estimate"].as_f64()), sum(&by_landmark)];
        // What leaving begins, and what follows another journey, has no excess of its own to be recovered.
        let has_own = truth.abs() >= 1.0 && is_its_own(text(&journey["kind"]));
        let share = |found: f64| if has_own { format!("{:.0} %", 100.0 * found / truth) } else { String::new() };
        lines.push(vec![
            format!("{} ({})", text(&journey["journey"]), text(&journey["kind"])),
            shown(truth),
            shown(found[0]),
            share(found[0]),
            shown(found[1]),
            share(found[1]),
        ]);
    }
    let header = ["over these quarters", "planted", "person-time", "recovered", "landmarks", "recovered"];
    table::print("The same, summed", &header, &lines);
    Ok(())
}
