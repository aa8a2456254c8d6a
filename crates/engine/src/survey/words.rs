//! The words in the names of tables and columns.

/// Nouns that are written together with `id`: `customerid`.
const BEFORE_ID: &[&str] = &[
    "customer",
    "client",
    "account",
    "user",
    "member",
    "case",
    "ticket",
    "order",
    "session",
    "subscriber",
    "contact",
    "event",
    "household",
    "person",
    "visitor",
    "transaction",
];

/// The words of a name, in small letters: `caseID`, `case_id` and `Case ID` all are `case`, `id`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    for sign in name.chars() {
        let begins = !sign.is_alphanumeric() || (sign.is_uppercase() && before.is_lowercase());
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if sign.is_alphanumeric() {
            word.extend(sign.to_lowercase());
        }
        before = sign;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.into_iter().flat_map(without_id).collect()
}

fn without_id(word: String) -> Vec<String> {
    match word.strip_suffix("id").filter(|noun| BEFORE_ID.contains(noun)) {
        Some(noun) => vec![noun.to_owned(), "id".to_owned()],
        None => vec![word],
    }
}

/// Whether one of the words is one of those looked for.
pub(crate) fn any(words: &[String], wanted: &[&str]) -> bool {
    words.iter().any(|word| wanted.contains(&word.as_str()))
}

/// A name that SQL reads without quotes, made of the words: `Case ID` becomes `case_id`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for sign in name.chars() {
        let plain = sign.is_ascii_alphanumeric();
        let begins = !plain || (sign.is_uppercase() && before.is_lowercase());
        if begins && !text.is_empty() && !text.ends_with('_') {
            text.push('_');
        }
        if plain {
            text.push(sign.to_ascii_lowercase());
        }
        before = sign;
    }
    let text = text.trim_matches('_');
    match text.chars().next() {
        None => "column".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("n_{text}"),
        Some(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_however_they_are_written() {
        for name in ["case_id", "caseID", "Case ID", "CaseId", "CASE_ID", "case:id", "caseid"] {
            assert_eq!(words(name), ["case", "id"], "{name}");
        }
        assert_eq!(words("paid"), ["paid"], "no noun before `id`");
        assert_eq!(words("case:concept:name"), ["case", "concept", "name"]);
    }

    #[test]
    fn any_name_becomes_one_that_sql_reads() {
        assert_eq!(snake_case("Case ID"), "case_id");
        assert_eq!(snake_case("time:timestamp"), "time_timestamp");
        assert_eq!(snake_case("createdAt"), "created_at");
        assert_eq!(snake_case("2023 total (€)"), "n_2023_total");
        assert_eq!(snake_case("€"), "column");
    }
}
