//! Who left, in the few sentences that a planner takes along: the tier, the comparison, and what could explain it away.

use crate::explain::{Explanation, InPeriod, Settings, Together};
use crate::numbers::{fixed, interval, level, money, more_or_fewer, of_hundred, scaled_by, whole};
use crate::tier::Tier;

/// `quarter`, `month`.
pub(super) fn span(at: &InPeriod) -> &str {
    if at.period_kind.is_empty() { "period" } else { &at.period_kind }
}

/// What it does to leaving, in a sentence that begins with the tier.
pub(super) fn tier(explanation: &Explanation, at: &InPeriod) -> String {
    let horizon = fixed(explanation.settings.exposure_horizon_days, 0);
    let period = &at.period;
    match at.tier {
        Tier::Harmful => format!(
            "Harmful in {period}: while customers are on it, and up to {horizon} days after, more of them leave than of like \
             customers, beyond chance."
        ),
        Tier::Protective => format!(
            "Protective in {period}: while customers are on it, and up to {horizon} days after, fewer of them leave than of \
             like customers, beyond chance."
        ),
        Tier::Unclear if at.is_unclear_beside_others(&explanation.settings) => goes_with(explanation.ranking.len(), at),
        Tier::Unclear => {
            let among = explanation.ranking.len();
            let by_itself = if leaves_out_none(at) {
                format!(" (among {among} ranked journeys, an interval without 0 comes up by chance now and then)")
            } else {
                String::new()
            };
            format!("Unclear in {period}: what is seen may be chance{by_itself}. {}", unseen(at))
        }
        Tier::Unranked => format!("Not ranked in {period}: {}.", why_not(&explanation.settings, at)),
    }
}

/// Whether the interval of the excess leaves out 0.
fn leaves_out_none(at: &InPeriod) -> bool {
    let limits = at.excess_churners.and_then(|excess| Some((excess.lower?, excess.upper?)));
    limits.is_some_and(|(lower, upper)| lower > 0.0 || upper < 0.0)
}

/// Beyond chance by itself, but not once the other journeys are accounted for.
fn goes_with(looked_at: usize, at: &InPeriod) -> String {
    if let (true, Some(others)) = (at.is_inseparable, &at.goes_with) {
        return inseparable(others, at);
    }
    let others = at.goes_with.as_ref().map(|others| format!("it goes with {others}: ")).unwrap_or_default();
    format!(
        "Unclear in {}: more of its customers leave than of like ones, but {others}among customers equally on all other \
         journeys, what is left to it may be chance ({}).",
        at.period,
        left_to_it(looked_at, at)
    )
}

/// None of the journeys that it goes with has the effect for sure, so that none of them all is cleared.
fn inseparable(others: &str, at: &InPeriod) -> String {
    let (which, of_whom) = match others.contains(',') {
        false => ("these two", "one of them or both make"),
        true => ("these", "one of them or several make"),
    };
    format!(
        "Unclear in {}: more of its customers leave than of like ones, beyond chance, but the data cannot tell it apart from \
         {others}. That clears neither it nor the others: {of_whom} customers leave, if a journey is the cause, and which of \
         {which} it is, is not known.",
        at.period
    )
}

/// What is seen of it among customers who are equally on all other journeys.
fn left_to_it(looked_at: usize, at: &InPeriod) -> String {
    match (at.mutual_rate_ratio, at.mutual_status.as_deref(), &at.mutual_reason) {
        (Some(ratio), ..) => {
            let by_itself = if ratio.lower.is_some_and(|lower| lower > 1.0) {
                format!("; among {looked_at} journeys looked at, an interval above 1 comes up by chance now and then")
            } else {
                String::new()
            };
            format!("they leave {} times as often{by_itself}", interval(ratio, 2))
        }
        (None, Some("as_other_journeys" | "as_strata"), Some(reason)) => format!("it {reason}"),
        (None, ..) => "how often they leave is not known".to_owned(),
    }
}

/// Not seen is not none: how large an excess would have had to be.
pub(super) fn unseen(at: &InPeriod) -> String {
    match at.smallest_detectable_excess {
        Some(smallest) => format!(
            "Not seen is not none: an excess of {} customers or more in the {} would have been seen about four times in \
             five; a smaller one may be there, as far as the brackets reach.",
            fixed(smallest, if smallest < 9.95 { 1 } else { 0 }),
            span(at)
        ),
        None => "Not seen is not none: how large an excess would have been seen is not known.".to_owned(),
    }
}

/// Why a journey has no tier and rank.
pub fn why_not(settings: &Settings, at: &InPeriod) -> String {
    let too_few = |number: Option<f64>, least: i64| number.is_some_and(|number| number < least as f64);
    match at.status.as_str() {
        "running" | "partial" => at.reason.clone().unwrap_or_else(|| format!("{} is counted in part only", at.period)),
        "insufficient" if too_few(at.exposed_customers.map(|customers| customers as f64), settings.minimum_exposed) => {
            format!("fewer than {} customers were on it", whole(settings.minimum_exposed))
        }
        "insufficient" if too_few(at.exposed_leavers.map(|leavers| leavers as f64), settings.minimum_churners) => {
            format!("fewer than {} of those on it left", whole(settings.minimum_churners))
        }
        "insufficient" if too_few(at.effective_leavers, settings.minimum_compared) => format!(
            "the like customers who left are worth fewer than {} to compare with",
            whole(settings.minimum_compared)
        ),
        other => at.reason.clone().unwrap_or_else(|| format!("its status is {other}")),
    }
}

/// Of 100 customers on it and of like ones, how many left, and how many more that is.
pub(crate) fn headline(name: &str, at: &InPeriod) -> String {
    let Some(on_it) = at.exposed_churn_rate else {
        return format!("Nobody was on {name} on a day of {} that can be compared.", at.period);
    };
    let left = format!("Of 100 customers on {name}, {} left within 90 days", of_hundred(on_it.value));
    let (Some(like), Some(excess)) = (at.like_churn_rate, at.excess_churners) else {
        return format!("{left}; nobody like them was not on it, so there is nothing to compare with.");
    };
    format!(
        "{left}; of like customers who were not, {}. That is {}, if the journey is the cause.",
        of_hundred(like.value),
        more_or_fewer(excess, &format!("in the {}", span(at)))
    )
}

/// How strong a cause would have to be that nobody sees. Where customers leave at once, a cause is at hand: they may
/// have decided to leave before they came.
pub(super) fn unseen_cause(at: &InPeriod) -> Option<String> {
    let e_value = at.e_value?;
    let limit = at.e_value_limit.map(|limit| format!("; {}-fold for the limit nearer to none", fixed(limit, 1)));
    let measure = format!("{}-fold (E-value{})", fixed(e_value, 1), limit.unwrap_or_default());
    match at.tier {
        Tier::Harmful if at.leaves_at_once => Some(
            "They leave at once, many within a week of it: customers may have decided to leave before, so that it is a step \
             of leaving rather than its cause. Look at what they ask for before acting on the figure."
                .to_owned(),
        ),
        Tier::Harmful => Some(format!(
            "A cause we do not see would have to raise both being on it and leaving at least {measure} to explain it away."
        )),
        Tier::Protective => Some(format!(
            "A cause we do not see would have to make being on it at least {measure} as likely and leaving as many times less \
             likely to explain it away."
        )),
        Tier::Unclear | Tier::Unranked => None,
    }
}

/// How many times as often, the share of all who left, and the money.
pub(super) fn how_much(settings: &Settings, at: &InPeriod) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(ratio) = at.adjusted_rate_ratio {
        sentences.push(format!(
            "They leave {} times as often as customers of the same segment who have been customers as long, in the same \
             month. In brackets: {} intervals.",
            interval(ratio, 2),
            level(settings.confidence)
        ));
    }
    sentences.extend(signs_differ(at));
    if let (Some(share), Some(leavers), Some(excess)) = (at.attributable_share, at.leavers, at.excess_churners)
        && excess.value > 0.0
    {
        let percent = scaled_by(share, 100.0);
        sentences.push(format!(
            "The excess is {} % of the {} customers who left in the {} and could have been on it.",
            interval(percent, 1),
            whole(leavers),
            span(at)
        ));
    }
    // No money for what the other journeys explain.
    let is_explained = at.goes_with.is_some() || at.is_unclear_beside_others(settings);
    if let Some(revenue) = at.excess_revenue.filter(|revenue| revenue.value != 0.0 && !is_explained) {
        sentences.push(format!(
            "At what was billed to customers on it, that is {} of revenue a year, if the journey is the cause.",
            money(revenue, settings.currency.as_deref())
        ));
    }
    sentences
}

/// Which figure decides where the ratio and the excess are on different sides.
fn signs_differ(at: &InPeriod) -> Option<String> {
    let (ratio, excess) = (at.adjusted_rate_ratio?, at.excess_churners?);
    let differ = (ratio.value - 1.0) * excess.value < 0.0;
    differ.then(|| {
        "Ratio and number point in different ways: the ratio weighs all kinds of like customers, the number those who are on \
         it. Tier and rank go by the number."
            .to_owned()
    })
}

/// A caution where a row is one of many: those that stand out tend to overstate.
pub fn one_of_many(at: &InPeriod) -> Option<String> {
    let is_one_of_many = at.period_kind == "month" || at.segment.as_str() != "all" && !at.segment.is_empty();
    let stands_out = matches!(at.tier, Tier::Harmful | Tier::Protective);
    (is_one_of_many && stands_out).then(|| ONE_OF_MANY.to_owned())
}

/// What to mind of rows by month or segment.
pub(crate) const ONE_OF_MANY: &str = "Among many rows by month or segment, those that stand out tend to overstate: a row is \
     called harmful or protective when chance adds to what is there rather than takes from it. For how large the effect is, \
     look at the quarter and all segments.";

/// What the harmful journeys make jointly; nothing where fewer than two are harmful.
pub fn together(together: &Together, span: &str, label: impl Fn(&str) -> String) -> Option<String> {
    let names: Vec<String> = together.journeys.iter().map(|journey| label(journey)).collect();
    if names.is_empty() {
        return None;
    }
    let who = match names.len() {
        1 => format!("One harmful journey, {}, alone", names[0]),
        several => format!("Together {several} harmful journeys ({})", names.join(", ")),
    };
    Some(match together.excess {
        Some(excess) => format!(
            "{who}: {}, if they are the cause. Journeys overlap, so what each of them makes is never added.",
            more_or_fewer(excess, &format!("left in the {span}"))
        ),
        None => format!(
            "{who}: what they make jointly is not known ({}). Journeys overlap, so what each of them makes is never added.",
            together.reason.as_deref().unwrap_or("no figure is published")
        ),
    })
}

#[cfg(test)]
mod tests {
    use throughline_engine::Estimate;

    use super::*;

    fn estimate(value: f64, lower: f64, upper: f64) -> Option<Estimate> {
        Some(Estimate { value, lower: Some(lower), upper: Some(upper) })
    }

    #[test]
    fn what_cannot_be_compared_is_not_put_into_figures() {
        let mut at = InPeriod { period: "2026-Q3".to_owned(), ..InPeriod::default() };
        assert_eq!(headline("it", &at), "Nobody was on it on a day of 2026-Q3 that can be compared.");
        at.exposed_churn_rate = estimate(0.081, 0.07, 0.09);
        assert_eq!(
            headline("it", &at),
            "Of 100 customers on it, 8.1 left within 90 days; nobody like them was not on it, so there is nothing to compare \
             with."
        );
    }

    #[test]
    fn an_unseen_cause_is_named_only_beside_what_is_seen() {
        let mut at = InPeriod { e_value: Some(1.94), e_value_limit: Some(1.5), ..InPeriod::default() };
        assert_eq!(unseen_cause(&at), None);
        at.tier = Tier::Harmful;
        let words = unseen_cause(&at).unwrap_or_default();
        assert!(
            words.contains("both being on it and leaving at least 1.9-fold (E-value; 1.5-fold for the limit"),
            "{words}"
        );
        at.tier = Tier::Unclear;
        assert_eq!(unseen_cause(&at), None);
    }

    #[test]
    fn what_goes_with_others_is_unclear_and_no_chance() {
        let mut at = InPeriod {
            period: "2026-Q3".to_owned(),
            tier: Tier::Unclear,
            q_value: Some(0.01),
            goes_with: Some("moving".to_owned()),
            mutual_status: Some("as_other_journeys".to_owned()),
            mutual_reason: Some("has its days in common with moving".to_owned()),
            excess_churners: estimate(20.0, 3.0, 38.0),
            ..InPeriod::default()
        };
        let explanation = Explanation::default();
        let words = tier(&explanation, &at);
        assert!(words.contains("but it goes with moving: "), "{words}");
        // Whatever the reason says: its kind is looked at.
        assert!(words.ends_with("may be chance (it has its days in common with moving)."), "{words}");
        at.mutual_rate_ratio = estimate(1.5, 1.02, 2.2);
        let words = tier(&explanation, &at);
        assert!(
            words.contains("1.50 (1.02 to 2.20) times as often; among 0 journeys looked at, an interval"),
            "{words}"
        );
        // Where nobody else has the effect for sure, it is not cleared.
        at.is_inseparable = true;
        let words = tier(&explanation, &at);
        assert!(words.contains("one of them or both make customers leave, if a journey is the cause"), "{words}");
        assert!(
            words.contains("which of these two it is, is not known") && !words.contains("may be chance"),
            "{words}"
        );
        at.goes_with = Some("moving, paying".to_owned());
        let words = tier(&explanation, &at);
        assert!(words.contains("apart from moving, paying. ") && words.contains("one of them or several"), "{words}");
        // What is not beyond chance by itself goes with nothing.
        at.q_value = Some(0.06);
        let words = tier(&explanation, &at);
        assert!(
            words.contains("what is seen may be chance (among 0 ranked journeys, an interval without 0"),
            "{words}"
        );
        at.excess_churners = estimate(20.0, -3.0, 38.0);
        let words = tier(&explanation, &at);
        assert!(words.starts_with("Unclear in 2026-Q3: what is seen may be chance. Not seen is not none"), "{words}");
    }

    #[test]
    fn leaving_at_once_is_no_flag_to_be_read() {
        let mut at = InPeriod { e_value: Some(1.94), tier: Tier::Harmful, ..InPeriod::default() };
        at.flags = vec!["leaves_at_once".to_owned()];
        assert!(unseen_cause(&at).is_some_and(|words| words.starts_with("A cause we do not see")));
        at.leaves_at_once = true;
        assert!(unseen_cause(&at).is_some_and(|words| words.starts_with("They leave at once")));
    }

    #[test]
    fn rows_that_stand_out_among_many_are_said_to_overstate() {
        let mut at = InPeriod { tier: Tier::Harmful, segment: "all".to_owned(), ..InPeriod::default() };
        at.period_kind = "quarter".to_owned();
        assert_eq!(one_of_many(&at), None);
        at.period_kind = "month".to_owned();
        assert!(one_of_many(&at).is_some_and(|words| words.contains("tend to overstate")));
        at.tier = Tier::Unclear;
        assert_eq!(one_of_many(&at), None);
        (at.tier, at.period_kind, at.segment) = (Tier::Protective, "quarter".to_owned(), "home".to_owned());
        assert!(one_of_many(&at).is_some());
    }

    #[test]
    fn a_ratio_and_a_number_on_different_sides_say_which_decides() {
        let settings = Settings::default();
        let mut at = InPeriod {
            adjusted_rate_ratio: estimate(0.97, 0.8, 1.2),
            excess_churners: estimate(3.0, -9.0, 14.0),
            ..InPeriod::default()
        };
        let words = how_much(&settings, &at).join(" ");
        assert!(words.contains("point in different ways") && words.contains("go by the number"), "{words}");
        at.adjusted_rate_ratio = estimate(1.03, 0.8, 1.2);
        let words = how_much(&settings, &at).join(" ");
        assert!(!words.contains("different ways"), "{words}");
    }

    #[test]
    fn why_there_is_no_rank_is_said_in_a_planners_words() {
        let settings = Settings::default();
        let mut at = InPeriod {
            period: "2026-Q3".to_owned(),
            status: "insufficient".to_owned(),
            reason: Some("fewer than 100 customers were exposed".to_owned()),
            exposed_customers: Some(99),
            exposed_leavers: Some(9),
            effective_leavers: Some(9.9),
            ..InPeriod::default()
        };
        assert_eq!(why_not(&settings, &at), "fewer than 100 customers were on it");
        at.exposed_customers = Some(100);
        assert_eq!(why_not(&settings, &at), "fewer than 10 of those on it left");
        at.exposed_leavers = Some(10);
        assert_eq!(why_not(&settings, &at), "the like customers who left are worth fewer than 10 to compare with");
        at.effective_leavers = Some(10.0);
        assert_eq!(why_not(&settings, &at), "fewer than 100 customers were exposed", "what else it is, the table says");
        at.status = "running".to_owned();
        at.reason = None;
        assert_eq!(why_not(&settings, &at), "2026-Q3 is counted in part only");
    }

    #[test]
    fn one_harmful_journey_is_not_several() {
        let mut jointly = Together { excess: estimate(20.0, 2.0, 38.0), ..Together::default() };
        assert_eq!(together(&jointly, "quarter", str::to_owned), None);
        jointly.journeys = vec!["a".to_owned()];
        let words = together(&jointly, "month", str::to_uppercase).unwrap_or_default();
        assert!(words.starts_with("One harmful journey, A, alone: 20 more left in the month (2 to 38)"), "{words}");
        jointly.excess = None;
        jointly.reason = Some("the fit did not converge".to_owned());
        let words = together(&jointly, "month", str::to_owned).unwrap_or_default();
        assert!(words.contains("is not known (the fit did not converge)"), "{words}");
    }
}
