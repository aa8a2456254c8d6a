//! Nights on which touchpoints arrive weeks late and the register learns late who has left: each night as much is counted
//! as is known by then, and after the last one every table is that of one run over everything.

use super::company::{Company, DAY, HOUR, NEW_YEAR, lines, touchpoint_line};
use super::{WAREHOUSE, assert_as_counted, run, run_into, seeds, workspace};
use crate::dice::Dice;
use crate::workspace::Workspace;

/// Days after the new year of the last touchpoint, and of the last night, by which everything has arrived.
const LAST_DAY: i64 = 200;
const LAST_NIGHT: i64 = LAST_DAY + 30;

/// Every table that is compared, and an order of its rows.
const TABLES: [(&str, &str); 4] = [
    ("fct_journey_risk", "journey, segment, tenure_band, month, exposure, since_touchpoint, run"),
    ("journey_joint_risk", "segment, tenure_band, month, exposed, not_eligible"),
    ("membership_stretch", "customer_id, joined_at, from_day"),
    ("uncounted_spell", "reason"),
];

/// When each touchpoint is in the lake, and how long after an end of a spell the register knows of it.
struct Arrivals {
    touchpoints: Vec<i64>,
    told_after: Vec<i64>,
}

impl Arrivals {
    /// One in ten touchpoints comes up to twenty days late; an end is known before its day counts.
    fn random(dice: &mut Dice, company: &Company) -> Self {
        let late = |dice: &mut Dice| if dice.chance(10) { dice.between(0, 20 * 24) * HOUR } else { 0 };
        Self {
            touchpoints: company.touchpoints.iter().map(|of| of.known_at + late(dice)).collect(),
            told_after: (0..company.spells.len() as i64)
                .map(|number| number % (company.delay_days + 1) * DAY)
                .collect(),
        }
    }

    /// The company as far as its touchpoints have come before `night`, with the ends that the register knows by `told`.
    fn known(&self, company: &Company, night: i64, told: i64) -> Company {
        let mut known = company.clone();
        let mut arrived = self.touchpoints.iter().map(|at| *at < night);
        known.touchpoints.retain(|_| arrived.next() == Some(true));
        for (spell, after) in known.spells.iter_mut().zip(&self.told_after) {
            for end in [&mut spell.notice_at, &mut spell.churned_at, &mut spell.lost_at] {
                *end = end.filter(|at| at + after <= told);
            }
        }
        known
    }

    /// Puts what comes in `from..night` into a file of its own.
    fn deliver(&self, workspace: &Workspace, company: &Company, from: i64, night: i64) {
        let coming = company.touchpoints.iter().zip(&self.touchpoints).filter(|(_, at)| (from..night).contains(*at));
        let text = lines(coming.map(|(of, _)| touchpoint_line(of)));
        if !text.is_empty() {
            workspace.put(&format!("data/raw/touchpoints/{night}.json"), text);
        }
    }
}

fn csv(workspace: &Workspace, warehouse: &str, sql: &str) -> String {
    workspace.run_with(&["query", sql, "--format", "csv"], &[("WAREHOUSE", warehouse)]).ends_with(0).stdout
}

#[test]
fn what_arrives_late_is_counted_as_in_one_run() {
    for seed in seeds("2") {
        let mut dice = Dice(2_000_000 + seed);
        let company = Company::random(&mut dice, 18, LAST_DAY, false);
        let arrivals = Arrivals::random(&mut dice, &company);
        let workspace = workspace(&company, false);
        workspace.put("data/raw/touchpoints/all.json", "");
        // A register that comes anew makes everything anew; one that is there once and says all leaves most months.
        let comes_anew = seed % 2 == 0;
        let last = NEW_YEAR + LAST_NIGHT * DAY;
        let (mut delivered, mut night) = (i64::MIN, NEW_YEAR + dice.between(40, 70) * DAY);
        loop {
            arrivals.deliver(&workspace, &company, delivered, night);
            let known = arrivals.known(&company, night, if comes_anew { night } else { i64::MAX });
            if comes_anew {
                workspace.put("data/raw/customers/all.json", known.customer_lines());
            }
            run(&workspace, &known, night);
            assert_as_counted(&workspace, &known, night, &format!("seed {seed}, hour {}", (night - NEW_YEAR) / HOUR));
            if night == last {
                break;
            }
            delivered = night;
            night = (night + dice.one_of(&[12 * HOUR, DAY, 3 * DAY, 11 * DAY, 40 * DAY, 40 * DAY])).min(last);
        }
        run_into("whole", &workspace, &company, last);
        for (table, order) in TABLES {
            let sql = format!("SELECT * FROM {table} ORDER BY {order}");
            let (grown, whole) = (csv(&workspace, WAREHOUSE, &sql), csv(&workspace, "whole", &sql));
            let first = grown.lines().zip(whole.lines()).find(|(grown, whole)| grown != whole);
            assert!(grown == whole, "seed {seed}: {table} differs, first {first:?}\n{grown}\n{whole}");
        }
        let shown = "SELECT count(*) > 100, sum(churned) > 3, sum(lost) > 0, count(DISTINCT run) FROM fct_journey_risk";
        let shown = csv(&workspace, "whole", shown);
        assert!(shown.ends_with("true,true,true,3\n"), "too little happens to show anything: {shown}");
    }
}
