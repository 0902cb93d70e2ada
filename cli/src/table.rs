//! Rows of styled text -> aligned lines. Widths are counted in characters, without the colours.

use crate::printer::{Printer, Style};

/// One entry of a row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    text: String,
    style: Style,
    right: bool,
}

/// Text that begins at the column's left edge.
pub(crate) fn left(style: Style, text: impl Into<String>) -> Entry {
    Entry { text: text.into(), style, right: false }
}

/// A number, which ends at the column's right edge.
pub(crate) fn right(style: Style, text: impl Into<String>) -> Entry {
    Entry { text: text.into(), style, right: true }
}

/// The rows as lines, two blanks between the columns and none at the ends of lines.
pub(crate) fn lines(printer: &Printer, rows: &[Vec<Entry>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let entries = rows.iter().filter_map(|row| row.get(column));
        entries.map(|entry| entry.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| line(printer, row, &widths)).collect()
}

fn line(printer: &Printer, row: &[Entry], widths: &[usize]) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for (entry, width) in row.iter().zip(widths) {
        if *width == 0 {
            continue;
        }
        let blank = width - entry.text.chars().count();
        let (before, after) = if entry.right { (blank, 0) } else { (0, blank) };
        if entry.text.is_empty() {
            owed += width + 2;
            continue;
        }
        line.push_str(&" ".repeat(owed + before));
        line.push_str(&printer.paint_out(entry.style, &entry.text));
        owed = after + 2;
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::ColorChoice;

    #[test]
    fn columns_line_up_and_lines_end_with_their_text() {
        let plain = |text| left(Style::Plain, text);
        let rows = [
            vec![plain("stage"), right(Style::Plain, "tasks"), plain("")],
            vec![plain("clips"), right(Style::Plain, "12"), plain("run")],
            vec![plain("a-long-name"), right(Style::Plain, "1"), plain("hit")],
        ];
        let text = lines(&Printer::new(ColorChoice::Never, false), &rows);
        assert_eq!(text, "stage        tasks\nclips           12  run\na-long-name      1  hit\n");
    }
}
