//! The figures behind a rank in plain words: what was compared, how sure it is, what to mind.

mod performance;

use throughline_engine::Estimate;

use crate::explain::{AtLandmark, Explanation, Stratum};
use crate::numbers::{day, interval, percent_interval, rounded, scaled_by, small, whole};

/// A heading and the sentences under it.
pub type Chapter = (&'static str, Vec<String>);

/// The heading of what the figures do not say.
pub const PITFALLS: &str = "What this is not";

/// Strata shown where they differ.
const MOST_STRATA: usize = 4;

/// The journey, its label and owner, and the cut.
pub fn title(explanation: &Explanation) -> String {
    let label = explanation.label.as_ref().map(|label| format!(", {label}")).unwrap_or_default();
    let owner = explanation.owner.as_ref().map(|owner| format!(" (owner: {owner})")).unwrap_or_default();
    format!("{}{label}{owner}, from the tables as of {}", explanation.journey, day(&explanation.as_of))
}

/// What is known, in the order in which a reader asks.
pub fn chapters(explanation: &Explanation) -> Vec<Chapter> {
    let mut chapters = vec![("Its rank", rank(explanation))];
    if let Some(at) = &explanation.landmark {
        chapters.push(("Who was compared with whom", compared(explanation, at)));
        chapters.push(("Who left", left(explanation, at)));
        chapters.push(("How sure that is", certainty(explanation, at)));
        chapters.push(("What to mind", to_mind(explanation, at)));
    }
    chapters.push(("How it performs", performance::sentences(explanation)));
    chapters.push(("Journey or touchpoints", performance::drivers(explanation)));
    chapters.push((PITFALLS, pitfalls(explanation)));
    chapters
}

fn rank(explanation: &Explanation) -> Vec<String> {
    let mut sentences = Vec::new();
    match &explanation.landmark {
        None => sentences.push(format!(
            "It has no rank: {}.",
            explanation.missing.get("churn").map_or("no landmark has matured yet", String::as_str)
        )),
        Some(at) if at.priority_rank.is_none() => sentences.push(format!(
            "It has no rank at landmark {}: {}. At least {} exposed, {} unexposed and {} churners in either arm are asked \
             for; there are {} exposed with {} churners and {} unexposed with {}.",
            at.landmark,
            at.reason.as_deref().unwrap_or(&at.status),
            explanation.minimum_arm,
            explanation.minimum_arm,
            explanation.minimum_churners,
            whole(at.exposed),
            whole(at.exposed_churners),
            whole(at.unexposed),
            whole(at.unexposed_churners)
        )),
        Some(at) => sentences.extend(priority(explanation, at)),
    }
    for later in &explanation.not_matured {
        let until = later.outcome_until.as_ref().map(|day| format!(" (its outcome window runs until {day})"));
        sentences.push(format!(
            "The landmark {}{} is not counted: {}.",
            later.landmark,
            until.unwrap_or_default(),
            later.reason.as_deref().unwrap_or("it has not matured")
        ));
    }
    sentences
}

fn priority(explanation: &Explanation, at: &AtLandmark) -> Vec<String> {
    let ranked = explanation.ranking.len();
    let place = at.priority_rank.unwrap_or_default();
    let period = at.period.as_ref().map(|period| format!(" ({period})")).unwrap_or_default();
    let mut sentences = vec![format!(
        "It is number {place} of {ranked} ranked journeys at landmark {}{period}, all segments.",
        at.landmark
    )];
    if let (Some(data), Some(lower)) = (at.data_rank, at.excess_churners.and_then(|excess| excess.lower)) {
        let mut text = format!(
            "By the data it is number {} of {ranked}. What counts is the lower limit of its excess churners, here {lower:.0}: \
             volume, strength and certainty in one figure, customers.",
            plain(data)
        );
        if let Some((journey, limit)) = neighbour(explanation, data) {
            text.push_str(&format!(" Next comes {journey} with {limit:.0}."));
        }
        sentences.push(text);
    }
    let judged = explanation.ranking.iter().filter(|other| other.expert_rank.is_some()).count();
    match (explanation.importance, at.expert_rank, at.data_rank, at.priority) {
        (Some(importance), Some(expert), Some(data), Some(priority)) => {
            let why = explanation.rationale.as_ref().map(|why| format!(" (\"{why}\")")).unwrap_or_default();
            sentences
                .push(format!("Experts give it {importance} of 5{why}, number {} of {judged} judged.", plain(expert)));
            let weight = at.priority_weight;
            sentences.push(format!(
                "Priority {priority:.2} = {weight} × {:.2} (data) + {:.1} × {:.2} (experts), each rank scaled from 1 for the \
                 first to 0 for the last. {}",
                scaled(data, ranked),
                1.0 - weight,
                scaled(expert, judged),
                agreement(at.agreement.as_deref())
            ));
        }
        _ => sentences.push("No expert has judged it, so the data alone decides.".to_owned()),
    }
    sentences
}

/// The journey right behind by the data.
fn neighbour(explanation: &Explanation, data: f64) -> Option<(&str, f64)> {
    let behind = explanation.ranking.iter().filter(|other| other.data_rank.is_some_and(|rank| rank > data));
    let next =
        behind.min_by(|left, right| left.data_rank.partial_cmp(&right.data_rank).unwrap_or(std::cmp::Ordering::Equal));
    next.and_then(|next| Some((next.journey.as_str(), next.excess_churners_lower?)))
}

fn scaled(rank: f64, ranked: usize) -> f64 {
    if ranked <= 1 { 1.0 } else { (ranked as f64 - rank) / (ranked as f64 - 1.0) }
}

fn agreement(agreement: Option<&str>) -> &'static str {
    match agreement {
        Some("both") => "Data and experts both put it in their top third.",
        Some("data_only") => "The data puts it in the top third, the experts do not.",
        Some("expert_only") => "The experts put it in their top third, the data does not.",
        Some("neither") => "Neither data nor experts put it in their top third.",
        _ => "",
    }
}

fn compared(explanation: &Explanation, at: &AtLandmark) -> Vec<String> {
    let since = at.exposure_from.as_ref().map(|day| format!(" from {day} on")).unwrap_or_default();
    let mut sentences = vec![
        format!(
            "Exposed: {} customers of that day who had started the journey before {}{since}.",
            whole(at.exposed),
            at.landmark
        ),
        format!(
            "Unexposed: {} who could have been on it and had no touchpoint of it in that time.",
            whole(at.unexposed)
        ),
        format!(
            "Left out: {} carried over, who were on it but had started earlier, and {} lost from sight before the outcome \
             was known{}.",
            whole(at.carried_over),
            whole(at.censored),
            at.eligible
                .map(|eligible| format!("; together with the above that is all {} eligible", whole(eligible)))
                .unwrap_or_default()
        ),
    ];
    sentences.push(match &explanation.eligible {
        Some(condition) => format!("Who could have been on it: {condition}."),
        None => "Everybody who was a customer at the landmark could have been on it.".to_owned(),
    });
    if let (Some(instances), Some(customers)) = (at.instances, at.customers) {
        sentences.push(format!(
            "{} instances of {} customers had started in the window; who left before the landmark is no customer at it.",
            whole(instances),
            whole(customers)
        ));
    }
    if let (Some(from), Some(until)) = (&at.outcome_from, &at.outcome_until) {
        sentences.push(format!("Left means: between {from} and {until}."));
    }
    sentences
}

/// Who left, in the few sentences that a reader takes along.
pub fn summary(explanation: &Explanation) -> Vec<String> {
    let Some(at) = &explanation.landmark else { return rank(explanation) };
    let mut sentences = vec![excess(at), who_left(explanation, at), odds(at)];
    sentences.push(called(explanation, at));
    if at.priority_rank.is_none() {
        sentences.extend(rank(explanation).into_iter().next());
    }
    // That crude and adjusted part is said with the odds already.
    let flags = at.flags.iter().filter(|flag| *flag != "confounded");
    sentences.extend(flags.map(|flag| in_short(flag, explanation, at)));
    sentences
}

fn left(explanation: &Explanation, at: &AtLandmark) -> Vec<String> {
    let mut sentences = vec![who_left(explanation, at)];
    if let Some(difference) = at.risk_difference {
        sentences.push(format!("A difference of {} percentage points.", interval(scaled_by(difference, 100.0), 1)));
    }
    sentences.push(odds(at));
    sentences.push(excess(at));
    if let Some(revenue) = at.excess_revenue.filter(|revenue| *revenue != 0.0) {
        sentences.push(format!(
            "At what was billed to the exposed of each stratum in the exposure window, that is {} of revenue.",
            rounded(revenue)
        ));
    }
    sentences
}

fn who_left(explanation: &Explanation, at: &AtLandmark) -> String {
    let level = explanation.confidence * 100.0;
    let arm = |churners: i64, all: i64, rate: Option<Estimate>| {
        let rate = rate.map(|rate| format!(" ({})", percent_interval(rate))).unwrap_or_default();
        format!("{} of {}{rate}", whole(churners), whole(all))
    };
    format!(
        "{} of the exposed left, {} of the unexposed; in brackets the share with its {level:.0} % interval.",
        arm(at.exposed_churners, at.exposed, at.exposed_churn_rate),
        arm(at.unexposed_churners, at.unexposed, at.unexposed_churn_rate)
    )
}

fn excess(at: &AtLandmark) -> String {
    let Some(excess) = at.excess_churners else {
        return "Excess churners cannot be told: no stratum has both exposed and unexposed.".to_owned();
    };
    let share = at.attributable_share.map(|share| {
        let churners = at.exposed_churners + at.unexposed_churners;
        format!(", {:.0} % of the {} churners compared", share * 100.0, whole(churners))
    });
    format!(
        "{} churners {} than at the rate of the unexposed of the same segment and tenure ({} to {}){}, if the journey \
         is the cause.",
        rounded(excess.value.abs()),
        if excess.value < 0.0 { "fewer" } else { "more" },
        excess.lower.map_or_else(|| "?".to_owned(), rounded),
        excess.upper.map_or_else(|| "?".to_owned(), rounded),
        share.filter(|_| excess.value > 0.0).unwrap_or_default()
    )
}

/// Crude beside adjusted, and what it means that they differ or do not.
fn odds(at: &AtLandmark) -> String {
    let (Some(crude), Some(adjusted)) = (at.odds_ratio, at.adjusted_odds_ratio) else {
        return "There is no odds ratio: a cell of the table is empty.".to_owned();
    };
    let is_hidden = adjusted.value.ln().abs() > crude.value.ln().abs();
    let meaning = if (crude.value - 1.0) * (adjusted.value - 1.0) < 0.0 {
        "They lie on different sides of 1: the crude one is about who is on the journey, among like customers it points the \
         other way."
    } else if (crude.value > 1.2 * adjusted.value || adjusted.value > 1.2 * crude.value) && is_hidden {
        "They are more than a fifth apart: who is on the journey hides part of the difference."
    } else if crude.value > 1.2 * adjusted.value || adjusted.value > 1.2 * crude.value {
        "They are more than a fifth apart: part of the crude one is about who is on the journey."
    } else {
        "They are close: segment and tenure explain little of it."
    };
    let spans_one =
        adjusted.lower.is_some_and(|lower| lower <= 1.0) && adjusted.upper.is_some_and(|upper| upper >= 1.0);
    format!(
        "The odds of leaving are {} times those of the others, and {} times at the same segment and tenure. {meaning}{}",
        interval(crude, 2),
        interval(adjusted, 2),
        if spans_one { " The adjusted interval holds 1, no difference at all." } else { "" }
    )
}

/// Whether it is called linked to churn, in a sentence.
fn called(explanation: &Explanation, at: &AtLandmark) -> String {
    match at.q_value {
        Some(q) if q < 1.0 - explanation.confidence => {
            format!("That is beyond chance (q {} among {} journeys).", small(q), explanation.ranking.len())
        }
        Some(q) => format!("That may be chance (q {} among {} journeys).", small(q), explanation.ranking.len()),
        None => "Whether that is chance is not said: only journeys that are ranked are tested together.".to_owned(),
    }
}

fn certainty(explanation: &Explanation, at: &AtLandmark) -> Vec<String> {
    let mut sentences = Vec::new();
    let limit = 1.0 - explanation.confidence;
    match (at.p_value, at.q_value) {
        (Some(p), Some(q)) => sentences.push(format!(
            "p {} by itself; q {} among the {} journeys ranked at this landmark (Benjamini-Hochberg): of all called linked at \
             q below {limit:.2}, at most that share is expected to be false. {}",
            small(p),
            small(q),
            explanation.ranking.len(),
            if q < limit { "This one is called linked to churn." } else { "This one is not: it may be chance." }
        )),
        (Some(p), None) => sentences.push(format!(
            "p {} by itself; there is no q, because only journeys with status ok are tested together.",
            small(p)
        )),
        _ => sentences.push("There is no p value: no stratum has churners and stayers in both arms.".to_owned()),
    }
    sentences.push(
        "q controls false findings within one landmark and all segments; looking at many landmarks or segments and picking \
         the best is not covered."
            .to_owned(),
    );
    if at.status == "insufficient" {
        let reason = at.reason.as_deref().unwrap_or("too few");
        sentences.push(format!("Small sample: {reason}, so the figures are shown but not ranked."));
    }
    sentences
}

fn to_mind(explanation: &Explanation, at: &AtLandmark) -> Vec<String> {
    let mut sentences: Vec<String> = at.flags.iter().map(|flag| in_words(flag, explanation, at)).collect();
    if sentences.is_empty() {
        sentences.push(
            "No flag is raised: crude and adjusted odds ratios agree, few left in the first days, hardly anybody was lost \
             from sight or cannot be compared, and the strata do not differ beyond chance."
                .to_owned(),
        );
    }
    sentences
}

/// A flag for who reads no names of flags.
fn in_short(flag: &str, explanation: &Explanation, at: &AtLandmark) -> String {
    if flag == "strata_differ" {
        return "One figure does not fit everybody: the link to leaving differs between segments and tenures beyond chance, as \
                everything about the journey shows."
            .to_owned();
    }
    let text = in_words(flag, explanation, at);
    format!("Mind: {}", text.strip_prefix(flag).and_then(|text| text.strip_prefix(": ")).unwrap_or(&text))
}

fn in_words(flag: &str, explanation: &Explanation, at: &AtLandmark) -> String {
    let text = match flag {
        "confounded" => match (at.odds_ratio, at.adjusted_odds_ratio) {
            (Some(crude), Some(adjusted)) => format!(
                "odds ratio {:.2} crude and {:.2} adjusted lie {}; read the adjusted one, and mind that only segment and \
                 tenure are adjusted for.",
                crude.value,
                adjusted.value,
                if (crude.value - 1.0) * (adjusted.value - 1.0) < 0.0 {
                    "on different sides of 1"
                } else {
                    "more than 20 % apart"
                }
            ),
            _ => "crude and adjusted odds ratio part.".to_owned(),
        },
        "possible_leakage" => format!(
            "{} of the {} exposed churners left within seven days, against {} of {} unexposed; a cancellation may be a step \
             of the journey, which then does not precede it.",
            known(at.exposed_churners_first_7_days),
            whole(at.exposed_churners),
            known(at.unexposed_churners_first_7_days),
            whole(at.unexposed_churners)
        ),
        "empty_margins" => format!(
            "{} of the {} exposed are in a stratum where nobody can be compared, more than a fifth; the adjusted figures say \
             nothing of them.",
            known(at.exposed_in_empty_margins),
            whole(at.exposed)
        ),
        "censored" => format!(
            "{} of {} were lost from sight in the outcome window, more than 5 %; the survival difference is the headline: {}.",
            whole(at.censored),
            whole(at.censored + at.exposed + at.unexposed),
            match at.survival_difference {
                Some(difference) => format!(
                    "{} percentage points, log-rank p {}",
                    interval(scaled_by(difference, 100.0), 1),
                    at.log_rank_p_value.map_or_else(|| "unknown".to_owned(), small)
                ),
                None => "it is not published".to_owned(),
            }
        ),
        "strata_differ" => format!(
            "one odds ratio does not fit all strata (Breslow-Day p {}){}.",
            at.homogeneity_p_value.map_or_else(|| "unknown".to_owned(), small),
            largest_strata(&explanation.strata)
        ),
        "sparse_strata" => format!(
            "{} of the {} exposed are in strata whose unexposed all stayed or all left; what is expected of them looks more \
             certain than it is, and the interval of the excess is too narrow.",
            known(at.sparse_exposed),
            whole(at.exposed)
        ),
        _ => "see the documentation of fct_key_journeys.".to_owned(),
    };
    format!("{flag}: {text}")
}

fn largest_strata(strata: &[Stratum]) -> String {
    let share = |part: i64, all: i64| {
        if all == 0 { "nobody".to_owned() } else { format!("{:.0} %", 100.0 * part as f64 / all as f64) }
    };
    let shown: Vec<String> = strata
        .iter()
        .take(MOST_STRATA)
        .map(|stratum| {
            format!(
                "{} {} days: {} of {} exposed left ({}), {} of {} others ({})",
                stratum.segment,
                stratum.tenure_band,
                stratum.exposed_churners,
                whole(stratum.exposed),
                share(stratum.exposed_churners, stratum.exposed),
                stratum.unexposed_churners,
                whole(stratum.unexposed),
                share(stratum.unexposed_churners, stratum.unexposed)
            )
        })
        .collect();
    if shown.is_empty() { String::new() } else { format!("; those with most exposed: {}", shown.join("; ")) }
}

fn pitfalls(explanation: &Explanation) -> Vec<String> {
    let mut sentences = vec![
        "Customers were compared, nobody was assigned to a journey: \"if causal\" stands beside every excess.".to_owned(),
        "Never \"ever exposed\": who is exposed is settled at the landmark and churn is counted after it, so the time a \
         customer had to survive to get onto the journey is not taken for an effect of it (immortal time)."
            .to_owned(),
        "Nothing that became known after the landmark counts as exposure.".to_owned(),
    ];
    let told_elsewhere = ["churn", "performance", "completion", "drivers"];
    for (what, why) in explanation.missing.iter().filter(|(what, _)| !told_elsewhere.contains(&what.as_str())) {
        sentences.push(format!("Missing, {what}: {why}."));
    }
    sentences
}

fn known(number: Option<i64>) -> String {
    number.map_or_else(|| "an unknown number".to_owned(), whole)
}

/// A rank; ties have halves.
fn plain(rank: f64) -> String {
    if rank.fract() == 0.0 { format!("{rank:.0}") } else { format!("{rank:.1} (shared)") }
}

#[cfg(test)]
mod tests {
    use throughline_engine::Estimate;

    use super::{odds, to_mind};
    use crate::explain::{AtLandmark, Explanation};

    fn ratio(value: f64) -> Option<Estimate> {
        Some(Estimate { value, lower: Some(value / 2.0), upper: Some(value * 2.0) })
    }

    #[test]
    fn each_flag_is_told_with_the_figures_that_raised_it() {
        let at = AtLandmark {
            flags: ["empty_margins", "confounded", "possible_leakage", "censored", "strata_differ", "sparse_strata"]
                .map(str::to_owned)
                .to_vec(),
            exposed: 1_000,
            unexposed: 2_000,
            censored: 300,
            exposed_churners: 50,
            unexposed_churners: 40,
            exposed_churners_first_7_days: Some(20),
            unexposed_churners_first_7_days: Some(3),
            exposed_in_empty_margins: Some(250),
            sparse_exposed: Some(410),
            odds_ratio: ratio(2.0),
            adjusted_odds_ratio: ratio(0.9),
            survival_difference: Some(Estimate { value: 0.04, lower: Some(0.01), upper: Some(0.07) }),
            log_rank_p_value: Some(0.012),
            homogeneity_p_value: Some(0.003),
            ..AtLandmark::default()
        };
        let told = to_mind(&Explanation::default(), &at);
        let figures = [
            "250 of the 1,000 exposed",
            "2.00 crude and 0.90 adjusted lie on different sides of 1",
            "20 of the 50 exposed churners left within seven days, against 3 of 40 unexposed",
            "300 of 3,300 were lost from sight in the outcome window, more than 5 %; the survival difference is the headline: 4.0 (1.0 to 7.0) percentage points, log-rank p 0.012",
            "Breslow-Day p 0.003",
            "410 of the 1,000 exposed are in strata whose unexposed all stayed or all left",
        ];
        assert_eq!(told.len(), figures.len());
        for (sentence, figure) in told.iter().zip(figures) {
            assert!(sentence.contains(figure), "`{figure}` is not in: {sentence}");
        }
    }

    #[test]
    fn what_adjusting_does_is_said() {
        let said = |crude: f64, adjusted: f64| {
            odds(&AtLandmark {
                odds_ratio: ratio(crude),
                adjusted_odds_ratio: ratio(adjusted),
                ..AtLandmark::default()
            })
        };
        assert!(said(2.0, 1.9).contains("They are close"));
        assert!(said(3.0, 2.0).contains("part of the crude one is about who"));
        assert!(said(1.5, 2.5).contains("hides part of the difference"));
        assert!(said(1.5, 0.8).contains("different sides of 1"));
        let without = AtLandmark { odds_ratio: ratio(1.0), ..AtLandmark::default() };
        assert!(odds(&without).contains("a cell of the table is empty"));
    }
}
