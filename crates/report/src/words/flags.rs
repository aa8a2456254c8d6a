//! What to mind: each flag of a journey in plain words, with the figures that raised it.

use throughline_engine::Estimate;

use super::leaving::one_of_many;
use crate::explain::{Explanation, InPeriod};
use crate::numbers::{fixed, interval, of_hundred, whole};

/// Crude and adjusted ratio are further apart than by chance alone, above this quotient.
const FAR_APART: f64 = 1.2;

/// A sentence a flag; one that says so where none is raised.
pub(super) fn sentences(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    let mut sentences = flagged(explanation, at);
    sentences.extend(one_of_many(at));
    sentences
}

fn flagged(explanation: &Explanation, at: &InPeriod) -> Vec<String> {
    if at.flags.is_empty() {
        return vec![
            "Nothing is flagged: who is on it explains little, segments do not differ beyond chance, there are enough others \
             to compare with, and leaving does not come at once."
                .to_owned(),
        ];
    }
    at.flags.iter().map(|flag| sentence(flag, explanation, at)).collect()
}

/// A flag in words.
pub(super) fn sentence(flag: &str, explanation: &Explanation, at: &InPeriod) -> String {
    match flag {
        "confounded" => confounded(at),
        "strata_differ" => format!(
            "One figure does not fit everybody: segments differ beyond chance{}.",
            by_segment(&explanation.segments)
        ),
        "thin_comparison" => format!(
            "There are few to compare with: {} of the {} who left while on it have nobody like them off it and are left out, \
             and the others who left are worth {} in number.",
            at.left_out_leavers.map_or_else(|| "an unknown number".to_owned(), whole),
            match (at.exposed_leavers, at.left_out_leavers) {
                (Some(compared), Some(left_out)) => whole(compared + left_out),
                _ => "?".to_owned(),
            },
            at.effective_leavers.map_or_else(|| "an unknown number".to_owned(), |worth| fixed(worth, 1))
        ),
        "leaves_at_once" => match (at.first_week_rate, at.later_rate) {
            (Some(first), Some(later)) => format!(
                "They leave at once: in the first seven days after a touchpoint as fast as {} of 100 in 90 days, later {}. \
                 Either it does acute harm, or to cancel is a step of the journey itself, which then does not precede it.",
                of_hundred(first),
                of_hundred(later)
            ),
            _ => "They leave at once, in the first seven days after a touchpoint: either it does acute harm, or to cancel is a \
                  step of the journey itself, which then does not precede it."
                .to_owned(),
        },
        "few_unexposed" => format!(
            "Nearly everybody is on it{}: the few who are not may be others in more than segment and time as a customer.",
            match at.unexposed_share {
                Some(share) => format!(", only {} of 100 days are days off it", of_hundred(share)),
                None => String::new(),
            }
        ),
        other => format!("Flagged {}: see the column `flags` of fct_key_journeys.", other.replace('_', " ")),
    }
}

/// Who is on it explains a part, or other journeys do.
fn confounded(at: &InPeriod) -> String {
    let mut parts = Vec::new();
    if let (Some(crude), Some(adjusted)) = (at.rate_ratio, at.adjusted_rate_ratio)
        && far_apart(crude, adjusted)
    {
        parts.push(format!(
            "who is on it matters: like customers or not, they leave {} times as often, among like customers {} times{}",
            fixed(crude.value, 2),
            fixed(adjusted.value, 2),
            if opposite(crude, adjusted) {
                ", which is the other way round. What is of like customers decides, for the other one also shows which \
                 customers come to the journey"
            } else {
                ""
            }
        ));
    }
    if let (Some(adjusted), Some(mutual)) = (at.adjusted_rate_ratio, at.mutual_rate_ratio)
        && far_apart(adjusted, mutual)
    {
        parts.push(format!(
            "other journeys matter: among customers equally on all the others they leave {} times as often, without regard \
             to them {} times{}",
            fixed(mutual.value, 2),
            fixed(adjusted.value, 2),
            if opposite(mutual, adjusted) {
                ", which is the other way round. Harmful is only what is above 1 both ways"
            } else {
                ""
            }
        ));
    }
    if parts.is_empty() {
        parts.push("who is on it matters, or other journeys do".to_owned());
    }
    let text: Vec<String> = parts.iter().map(|part| capitalized(part)).collect();
    format!("{}. What else differs between customers on it and off it is not accounted for.", text.join(". "))
}

fn capitalized(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// Whether one says that more leave and the other that fewer do.
pub(super) fn opposite(one: Estimate, other: Estimate) -> bool {
    (one.value - 1.0) * (other.value - 1.0) < 0.0
}

fn far_apart(one: Estimate, other: Estimate) -> bool {
    let are_opposite = opposite(one, other);
    let (one, other) = (one.value, other.value);
    are_opposite || one > FAR_APART * other || other > FAR_APART * one
}

fn by_segment(segments: &[InPeriod]) -> String {
    let words: Vec<String> = segments
        .iter()
        .filter_map(|at| Some(format!("{} {}", at.segment, interval(at.adjusted_rate_ratio?, 2))))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!(
        "; times as often as like customers: {} (of several, the one that stands out tends to overstate)",
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(value: f64) -> Option<Estimate> {
        Some(Estimate { value, lower: Some(value / 2.0), upper: Some(value * 2.0) })
    }

    #[test]
    fn each_flag_comes_with_the_figures_that_raised_it() {
        let at = InPeriod {
            flags: ["confounded", "strata_differ", "thin_comparison", "leaves_at_once", "few_unexposed"]
                .map(str::to_owned)
                .to_vec(),
            exposed_leavers: Some(50),
            left_out_leavers: Some(14),
            effective_leavers: Some(17.3),
            rate_ratio: ratio(2.0),
            adjusted_rate_ratio: ratio(0.9),
            mutual_rate_ratio: ratio(0.7),
            first_week_rate: Some(0.421),
            later_rate: Some(0.083),
            unexposed_share: Some(0.064),
            ..InPeriod::default()
        };
        let home = InPeriod { segment: "home".to_owned(), adjusted_rate_ratio: ratio(1.5), ..InPeriod::default() };
        let explanation = Explanation { segments: vec![home], ..Explanation::default() };
        let words = sentences(&explanation, &at);
        let figures = [
            "they leave 2.00 times as often, among like customers 0.90 times, which is the other way round. What is of like \
             customers decides, for the other one also shows which customers come to the journey. Other journeys matter: \
             among customers equally on all the others they leave 0.70 times as often",
            "times as often as like customers: home 1.50 (0.75 to 3.00) (of several, the one that stands out tends to \
             overstate)",
            "14 of the 64 who left while on it have nobody like them off it and are left out, and the others who left are \
             worth 17.3 in number",
            "as fast as 42.1 of 100 in 90 days, later 8.3",
            "only 6.4 of 100 days are days off it",
        ];
        assert_eq!(words.len(), figures.len());
        for (sentence, figure) in words.iter().zip(figures) {
            assert!(sentence.contains(figure), "`{figure}` is not in: {sentence}");
        }
    }

    #[test]
    fn figures_on_different_sides_say_which_of_them_decides() {
        let mut at = InPeriod { adjusted_rate_ratio: ratio(1.3), mutual_rate_ratio: ratio(0.9), ..InPeriod::default() };
        let words = confounded(&at);
        assert!(words.contains("the other way round. Harmful is only what is above 1 both ways"), "{words}");
        (at.rate_ratio, at.mutual_rate_ratio) = (ratio(1.6), None);
        let words = confounded(&at);
        assert!(words.starts_with("Who is on it matters") && !words.contains("decides"), "{words}");
    }

    #[test]
    fn a_flag_that_nobody_knows_is_named_too() {
        let at = InPeriod { flags: vec!["made_up".to_owned()], ..InPeriod::default() };
        assert_eq!(
            sentences(&Explanation::default(), &at),
            ["Flagged made up: see the column `flags` of fct_key_journeys."]
        );
        let none = sentences(&Explanation::default(), &InPeriod::default());
        assert!(none[0].starts_with("Nothing is flagged"), "{none:?}");
    }
}
