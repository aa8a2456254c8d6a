//! The page itself: templates filled in, styles, scripts and data in one file that asks for nothing else.
//!
//! Every text from data or YAML passes the templates' escaping, and the charts' data is JSON in which `<` never stands. A
//! content security policy forbids the page to load anything and every script but its own, so that what slipped through
//! would not run either.

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, HtmlEscape, UndefinedBehavior, context};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::block::{Block, View};
use crate::context::Context;
use crate::numbers::day;

const TEMPLATES: [(&str, &str); 3] = [
    ("page.html", include_str!("page/page.html")),
    ("block.html", include_str!("page/block.html")),
    ("table.html", include_str!("page/table.html")),
];
const STYLE: &str = include_str!("page/style.css");
/// Observable Plot with the parts of D3 it needs; `make charts` bundles it.
const PLOT: &str = include_str!("../charts/plot.min.js");
/// Their licences, which ask to go where the library goes.
const LICENCES: &str = include_str!("../charts/plot.min.js.LICENSE.txt");
const SCRIPTS: [&str; 7] = [
    include_str!("page/begin.js"),
    include_str!("page/drawing.js"),
    include_str!("page/map.js"),
    include_str!("page/intervals.js"),
    include_str!("page/lines.js"),
    include_str!("page/views.js"),
    include_str!("page/end.js"),
];

/// The page's text.
pub(crate) fn render(context: &Context<'_>, views: &[View]) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("ticked", ticked);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let mut charts = BTreeMap::new();
    for section in views.iter().flat_map(|view| &view.sections) {
        collect(&section.blocks, &mut charts);
    }
    let data = in_script(&Value::from_iter(charts));
    let record = &context.tables.published().record;
    environment.get_template("page.html")?.render(context! {
        title => title(&context.pipeline.name.value),
        description => &context.pipeline.description,
        owner => &context.pipeline.owner,
        as_of => match record.as_of_other_runs().len() {
            0 => day(&record.as_of).to_owned(),
            others => format!("{}, {others} of its tables of another day", day(&record.as_of)),
        },
        run_id => &record.run_id,
        views,
        // Scripts with this mark run and no others; who writes a text into the data cannot know it beforehand, for it
        // depends on that text.
        nonce => Sha256::digest(data.as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
        data,
        style => STYLE,
        licences => LICENCES,
        plot => PLOT,
        script => SCRIPTS.concat(),
    })
}

/// Names between backticks are set as code; everything is escaped.
fn ticked(text: &str) -> minijinja::Value {
    let mut html = String::new();
    for (place, part) in text.split('`').enumerate() {
        let (before, after) = if place % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        html.push_str(&format!("{before}{}{after}", HtmlEscape(part)));
    }
    minijinja::Value::from_safe_string(html)
}

/// `key_journeys` reads `Key journeys`.
fn title(name: &str) -> String {
    let mut signs = name.chars().map(|sign| if sign == '_' { ' ' } else { sign });
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

fn collect(blocks: &[Block], charts: &mut BTreeMap<String, Value>) {
    for block in blocks {
        match block {
            Block::Figure(figure) => {
                for picture in &figure.pictures {
                    charts.insert(picture.id.clone(), serde_json::to_value(&picture.chart).unwrap_or_default());
                }
            }
            Block::Details { blocks, .. } => collect(blocks, charts),
            _ => {}
        }
    }
}

/// JSON that cannot end the script element it stands in, nor open another.
fn in_script(value: &Value) -> String {
    let mut text = String::new();
    for sign in value.to_string().chars() {
        match sign {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(sign))),
            sign => text.push(sign),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{LICENCES, PLOT, SCRIPTS, STYLE, in_script, ticked, title};

    #[test]
    fn no_text_ends_the_script_it_stands_in() {
        let text = in_script(&json!({ "label": "</script><script>alert(1)</script><!-- & \u{2028}" }));
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).expect("it still is JSON");
        assert_eq!(read["label"], "</script><script>alert(1)</script><!-- & \u{2028}");
    }

    #[test]
    fn what_is_put_in_raw_ends_no_element() {
        for text in [PLOT, LICENCES, &SCRIPTS.concat()] {
            let text = text.to_lowercase();
            assert!(!text.contains("</script") && !text.contains("<!--"));
        }
        assert!(!LICENCES.contains("*/"), "it stands in a comment");
        assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn names_are_code_and_nothing_is_let_through() {
        assert_eq!(ticked("no `fct_<b>` here").to_string(), "no <code>fct_&lt;b&gt;</code> here");
        assert_eq!(ticked("<i>`").to_string(), "&lt;i&gt;<code></code>");
    }

    #[test]
    fn a_name_reads_as_a_title() {
        assert_eq!(title("key_journeys"), "Key journeys");
        assert_eq!(title(""), "");
    }
}
