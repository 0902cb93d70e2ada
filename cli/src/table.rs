//! Rows of styled text -> aligned lines. Widths are counted in characters, without the colours. Whatever the text is from,
//! no control character of it comes through.

use crate::printer::{Printer, Style};
use crate::shown::shown;

/// One entry of a row.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    text: String,
    style: Style,
    right: bool,
}

/// Text that begins at the column's left edge.
pub(crate) fn left(style: Style, text: impl Into<String>) -> Entry {
    Entry { text: shown(&text.into()).into_owned(), style, right: false }
}

/// A number, which ends at the column's right edge.
pub(crate) fn right(style: Style, text: impl Into<String>) -> Entry {
    Entry { text: shown(&text.into()).into_owned(), style, right: true }
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

/// The rows as a Markdown table, of which the first is the header. Columns without any text are left out.
pub(crate) fn markdown(rows: &[Vec<Entry>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let below = |column: usize| rows.iter().skip(1).filter_map(move |row| row.get(column));
    let kept: Vec<usize> = (0..columns).filter(|column| below(*column).any(|entry| !entry.text.is_empty())).collect();
    let line = |row: &Vec<Entry>| {
        let entries = kept.iter().map(|column| row.get(*column).map_or_else(String::new, |entry| escaped(&entry.text)));
        format!("| {} |\n", entries.collect::<Vec<_>>().join(" | "))
    };
    let is_right = |column: usize| below(column).any(|entry| entry.right);
    let rule: Vec<&str> = kept.iter().map(|column| if is_right(*column) { "---:" } else { ":---" }).collect();
    let mut rows = rows.iter().map(line);
    let header = rows.next().unwrap_or_default();
    format!("{header}|{}|\n{}", rule.join("|"), rows.collect::<String>())
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            '\n' => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
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

    #[test]
    fn markdown_keeps_the_columns_that_say_something_and_shows_text_as_it_is() {
        let plain = |text| left(Style::Strong, text);
        let rows = [
            vec![plain("stage"), right(Style::Strong, "hit"), right(Style::Strong, "run"), plain("why")],
            vec![plain("clips"), right(Style::Plain, ""), right(Style::Plain, "12"), plain("`a|b`")],
        ];
        let expected = "| stage | run | why |\n|:---|---:|:---|\n| clips | 12 | \\`a\\|b\\` |\n";
        assert_eq!(markdown(&rows), expected);
    }
}
