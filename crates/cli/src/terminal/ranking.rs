//! The ranked journeys at the end of a run: the tier of each, who leaves more, and how many customers it is about.

use std::collections::BTreeMap;

use throughline_config::Pipeline;
use throughline_engine::{EngineError, Estimate, KEY_JOURNEYS, PeriodState, Published};
use throughline_report::{InPeriod, Ranking, Settings, Tier, decimals_of, fixed, level, of_hundred, ranking, words};

use crate::terminal::summary::right_align;
use crate::terminal::{count, fitted, framed, say, wrapped};

/// Prints the ranking to standard error, if the pipeline publishes key journeys, and gives the journey ranked first.
pub(crate) async fn print_ranking(published: &Published, pipeline: &Pipeline) -> Result<Option<String>, EngineError> {
    if !published.record.tables.contains_key(KEY_JOURNEYS) {
        return Ok(None);
    }
    let Some(ranking) = ranking(published, pipeline).await? else {
        say("\nNo journey is ranked yet: there is no period whose days are counted.");
        return Ok(None);
    };
    let rows: Vec<Vec<String>> = ranking.journeys.iter().map(|at| cells(at, &ranking.settings)).collect();
    let mut table = framed();
    let width = table.width().map_or(usize::MAX, usize::from);
    let columns = columns_that_fit(&rows, width);
    table.set_header(columns.iter().map(|column| HEADER[*column]));
    for row in &rows {
        table.add_row(columns.iter().map(|column| row[*column].as_str()));
    }
    for (place, column) in columns.iter().enumerate() {
        if (3..6).contains(column) {
            right_align(&mut table, place..place + 1);
        }
    }
    say(&format!("\n{}", wrapped(&title(&ranking), "", width)));
    say(&fitted(table));
    for note in notes(&ranking) {
        say(&wrapped(&note, "", width));
    }
    Ok(ranking.journeys.first().map(|first| first.journey.clone()))
}

fn title(ranking: &Ranking) -> String {
    let horizon = fixed(ranking.settings.exposure_horizon_days, 0);
    let state = match ranking.period.state {
        PeriodState::Ranked | PeriodState::Insufficient => "",
        PeriodState::Running => ", which is not over",
        PeriodState::Partial => ", which is counted in part only",
    };
    format!(
        "Key journeys in {}{state}, all segments: who left while on a journey or up to {horizon} days after, beside like \
         customers who were not on it",
        ranking.period.name
    )
}

const HEADER: [&str; 9] =
    ["tier", "#", "journey", "on it", "left", "like", "times as often", "¼ · · · 1 · · · 4", "more left"];

/// Columns left out of a narrow terminal, in this order: the bar says what its numbers say, the ratio how the shares
/// compare, and the excess what both come to.
const DISPENSABLE: [usize; 4] = [7, 6, 3, 1];

/// All columns, or as many as stand side by side without breaking their cells.
fn columns_that_fit(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let needed = |column: usize| {
        let cells = rows.iter().map(|row| row[column].as_str()).chain([HEADER[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0) + 2
    };
    let mut columns: Vec<usize> = (0..HEADER.len()).collect();
    for dispensable in DISPENSABLE {
        if columns.iter().map(|column| needed(*column)).sum::<usize>() <= width {
            break;
        }
        columns.retain(|column| *column != dispensable);
    }
    columns
}

fn cells(at: &InPeriod, settings: &Settings) -> Vec<String> {
    let dot = || "·".to_owned();
    let rate = |rate: Option<Estimate>| rate.map_or_else(dot, |rate| of_hundred(rate.value));
    // What is unclear only beside other journeys was seen.
    let is_unseen = at.tier == Tier::Unclear && !at.is_unclear_beside_others(settings);
    let smallest = at.smallest_detectable_excess.filter(|_| is_unseen);
    let smallest = smallest.map(|smallest| format!("; seen from {}", fixed(smallest, 0))).unwrap_or_default();
    vec![
        at.tier.word().to_owned(),
        at.rank.map_or_else(dot, |rank| rank.to_string()),
        at.journey.clone(),
        at.exposed_customers.map_or_else(dot, |customers| count(customers.unsigned_abs())),
        rate(at.exposed_churn_rate),
        rate(at.like_churn_rate),
        at.adjusted_rate_ratio.map_or_else(dot, |ratio| bracketed(ratio, 2)),
        bar(at.adjusted_rate_ratio),
        at.excess_churners.map_or_else(dot, |excess| format!("{}{smallest}", bracketed(excess, decimals_of(excess)))),
    ]
}

fn bracketed(estimate: Estimate, decimals: usize) -> String {
    match (estimate.lower, estimate.upper) {
        (Some(lower), Some(upper)) => {
            let [value, lower, upper] = [estimate.value, lower, upper].map(|number| fixed(number, decimals));
            format!("{value} [{lower}, {upper}]")
        }
        _ => fixed(estimate.value, decimals),
    }
}

/// What the columns are, what the harmful journeys make jointly, and what to mind.
fn notes(ranking: &Ranking) -> Vec<String> {
    let is_unclear = ranking.journeys.iter().any(|at| at.tier == Tier::Unclear);
    let mut notes = vec![
        format!(
            "on it: customers · left: of 100 of them, within 90 days · like: the same of customers not on it, of the same \
             segment, as long a customer and in the same month · brackets: {} intervals",
            level(ranking.settings.confidence)
        ),
        "more left: in the period, than of like customers, if the journey is the cause; negative: fewer".to_owned(),
    ];
    if is_unclear {
        notes.push(
            "unclear is not none: an excess as large as \"seen from\" would show in about four of five such periods; what \
             may be there lies within the brackets"
                .to_owned(),
        );
    }
    notes.extend(ranking.journeys.iter().find_map(words::one_of_many));
    let jointly = ranking.together.as_ref().filter(|together| together.journeys.len() > 1);
    notes.extend(jointly.and_then(|jointly| words::together(jointly, &ranking.period.kind, str::to_owned)));
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for at in &ranking.journeys {
        if at.status != "ok" {
            let reason = format!("not ranked, {}", words::why_not(&ranking.settings, at));
            reasons.entry(reason).or_default().push(at.journey.clone());
        }
        if let Some(others) = &at.goes_with {
            let (reason, journeys) = goes_with(at, others);
            let all = reasons.entry(reason).or_default();
            all.extend(journeys);
            all.sort();
            all.dedup();
        } else if at.is_unclear_beside_others(&ranking.settings) {
            let reason = "unclear, for beside the other journeys it may be chance".to_owned();
            reasons.entry(reason).or_default().push(at.journey.clone());
        }
        if !at.flags.is_empty() {
            let flags = at.flags.join(", ").replace('_', " ");
            reasons.entry(format!("to mind, {flags}")).or_default().push(at.journey.clone());
        }
    }
    notes.extend(reasons.iter().map(|(reason, journeys)| format!("{reason}: {}", journeys.join(", "))));
    if !ranking.running.is_empty() {
        notes.push(format!("not over and not ranked: {}", ranking.running.join(", ")));
    }
    notes
}

/// Why it goes with others, and of which journeys that is said: where none of them has the effect for sure, of all.
fn goes_with(at: &InPeriod, others: &str) -> (String, Vec<String>) {
    if !at.is_inseparable {
        return (format!("unclear, for it goes with {others}"), vec![at.journey.clone()]);
    }
    let mut journeys: Vec<String> = others.split(", ").map(str::to_owned).chain([at.journey.clone()]).collect();
    journeys.sort();
    let who = if journeys.len() == 2 { "one of the two or both" } else { "one of them or several" };
    // The names tell one group of journeys from another.
    (format!("unclear and not to be told apart, {who} make customers leave"), vec![journeys.join(" and ")])
}

/// The interval of a ratio on a logarithmic line from a quarter to four, 17 characters, 1 in the middle.
fn bar(ratio: Option<Estimate>) -> String {
    const WIDTH: usize = 17;
    let Some((estimate, lower, upper)) = ratio.and_then(|ratio| Some((ratio.value, ratio.lower?, ratio.upper?))) else {
        return String::new();
    };
    let column = |ratio: f64| {
        let share = (ratio.max(1e-6).log2() + 2.0) / 4.0;
        (share * (WIDTH - 1) as f64).round().clamp(0.0, (WIDTH - 1) as f64) as usize
    };
    let (from, at, to) = (column(lower), column(estimate), column(upper));
    (0..WIDTH)
        .map(|position| match position {
            position if position == at => '●',
            position if (from..=to).contains(&position) => '─',
            position if position == WIDTH / 2 => '│',
            _ => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, lower: f64, upper: f64) -> Option<Estimate> {
        Some(Estimate { value, lower: Some(lower), upper: Some(upper) })
    }

    fn at(tier: Tier) -> InPeriod {
        InPeriod {
            journey: "onboarding".to_owned(),
            status: if tier == Tier::Unranked { "insufficient" } else { "ok" }.to_owned(),
            tier,
            rank: Some(1),
            exposed_customers: Some(1_664),
            exposed_leavers: Some(80),
            exposed_churn_rate: estimate(0.133, 0.1, 0.2),
            like_churn_rate: estimate(0.099, 0.08, 0.12),
            adjusted_rate_ratio: estimate(1.49, 1.01, 2.19),
            excess_churners: estimate(27.2, 2.6, 50.0),
            smallest_detectable_excess: Some(33.7),
            ..InPeriod::default()
        }
    }

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_no_broken_cells() {
        let row = cells(&at(Tier::Unclear), &Settings::default());
        assert_eq!(row[8], "27 [3, 50]; seen from 34");
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 120), (0..9).collect::<Vec<_>>());
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 100), [0, 1, 2, 3, 4, 5, 6, 8]);
        assert_eq!(columns_that_fit(std::slice::from_ref(&row), 80), [0, 1, 2, 3, 4, 5, 8]);
        assert_eq!(columns_that_fit(&[row], 20), [0, 2, 4, 5, 8]);
    }

    #[test]
    fn the_tier_stands_first_and_not_seen_is_not_none() {
        let mut unranked = at(Tier::Unranked);
        unranked.exposed_customers = Some(26);
        let ranking = Ranking {
            period: throughline_engine::KeyPeriod {
                kind: "quarter".to_owned(),
                name: "2026-Q3".to_owned(),
                start: 0,
                state: PeriodState::Ranked,
            },
            journeys: vec![at(Tier::Harmful), at(Tier::Unclear), unranked],
            together: None,
            running: vec!["2026-Q4".to_owned()],
            settings: Settings { confidence: 0.9, ..Default::default() },
        };
        assert_eq!(cells(&ranking.journeys[0], &ranking.settings)[..3], ["harmful", "1", "onboarding"]);
        let notes = notes(&ranking).join("\n");
        for sentence in [
            "brackets: 90 % intervals",
            "if the journey is the cause",
            "unclear is not none",
            "not ranked, fewer than 100 customers were on it: onboarding",
            "not over and not ranked: 2026-Q4",
        ] {
            assert!(notes.contains(sentence), "`{sentence}` is not in: {notes}");
        }
        let title = title(&ranking);
        for word in ["landmark", "exposed", "odds", "stratum", "95 %"] {
            assert!(!notes.contains(word) && !title.contains(word) && !HEADER.concat().contains(word), "{word}");
        }
    }

    #[test]
    fn a_month_says_that_what_stands_out_may_overstate() {
        let ranking = |kind: &str| Ranking {
            period: throughline_engine::KeyPeriod {
                kind: kind.to_owned(),
                name: "the period".to_owned(),
                start: 0,
                state: PeriodState::Ranked,
            },
            journeys: vec![InPeriod { period_kind: kind.to_owned(), ..at(Tier::Harmful) }],
            together: None,
            running: Vec::new(),
            settings: Settings::default(),
        };
        let overstates = |kind: &str| notes(&ranking(kind)).join(" ").contains("tend to overstate");
        assert!(overstates("month") && !overstates("quarter"));
    }

    #[test]
    fn two_that_go_with_each_other_are_named_together() {
        let with = |journey: &str, others: &str, is_inseparable: bool| InPeriod {
            journey: journey.to_owned(),
            goes_with: Some(others.to_owned()),
            is_inseparable,
            ..at(Tier::Unclear)
        };
        let ranking = Ranking {
            period: throughline_engine::KeyPeriod {
                kind: "quarter".to_owned(),
                name: "2026-Q3".to_owned(),
                start: 0,
                state: PeriodState::Ranked,
            },
            journeys: vec![
                with("move", "contract", true),
                with("contract", "move", true),
                with("box", "repair", false),
                InPeriod { journey: "visit".to_owned(), ..at(Tier::Unclear) },
                InPeriod { journey: "fault".to_owned(), q_value: Some(0.04), ..at(Tier::Unclear) },
            ],
            together: None,
            running: Vec::new(),
            settings: Settings { false_discovery_rate: 0.05, ..Settings::default() },
        };
        let seen_from = |place: usize| cells(&ranking.journeys[place], &ranking.settings)[8].contains("seen from");
        assert!(seen_from(3) && !seen_from(4));
        let notes = notes(&ranking);
        let about = |words: &str| notes.iter().filter(|note| note.contains(words)).collect::<Vec<_>>();
        assert_eq!(
            about("told apart"),
            ["unclear and not to be told apart, one of the two or both make customers leave: contract and move"]
        );
        assert_eq!(about("goes with"), ["unclear, for it goes with repair: box"]);
        assert_eq!(about("beside"), ["unclear, for beside the other journeys it may be chance: fault"]);
    }

    #[test]
    fn a_bar_shows_interval_estimate_and_the_line_of_no_effect() {
        assert_eq!(bar(estimate(1.0, 0.5, 2.0)), "    ────●────    ");
        assert_eq!(bar(estimate(4.0, 2.0, 99.0)), "        │   ────●");
        assert_eq!(bar(None), "");
    }
}
