//! How our tables look.

use comfy_table::{ContentArrangement, Table, TableComponent, presets};

/// Width used where standard output is no terminal.
pub(crate) const WIDTH_ELSEWHERE: usize = 120;

/// A table with our lines and the terminal's width.
pub(crate) fn framed() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_style(TableComponent::HeaderLines, '─');
    table.remove_style(TableComponent::VerticalLines).remove_style(TableComponent::MiddleHeaderIntersections);
    if table.width().is_none() {
        table.set_width(u16::try_from(WIDTH_ELSEWHERE).unwrap_or(u16::MAX));
    }
    table
}
