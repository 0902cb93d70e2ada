//! Problems and their source text -> the text a person reads on a terminal, in the look of rustc.
//!
//! Decides nothing about the problems; it only puts them in order and shows them.

use super::diagnostic::{Diagnostic, Severity, sort_by_position};
use super::source::{SourceText, Span};
use super::sources::Sources;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet, normalize_untrusted_str};

/// Shows every problem, in the order of the text, with an empty line between two.
///
/// `color`: with terminal escapes, or plain. Text of the file reaches the terminal without its control characters.
pub fn render(sources: &Sources, problems: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut sorted = problems.to_vec();
    sort_by_position(&mut sorted);
    let shown: Vec<String> = sorted.iter().map(|problem| render_one(&renderer, sources, problem)).collect();
    shown.iter().map(|text| format!("{text}\n")).collect::<Vec<_>>().join("\n")
}

fn render_one(renderer: &Renderer, sources: &Sources, problem: &Diagnostic) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(normalize_untrusted_str(&problem.message)).id(problem.code);
    let mut group = Group::with_title(title);
    for excerpt in excerpts(sources, problem) {
        group = group.element(excerpt.snippet());
    }
    let mut report = vec![group];
    if let Some(help) = &problem.help {
        let title = Level::HELP.secondary_title(normalize_untrusted_str(help));
        report.push(match suggestion(sources, problem) {
            Some(patched) => title.element(patched),
            None => Group::with_title(title),
        });
    }
    renderer.render(&report)
}

/// The lines of one file that hold labels of a problem.
struct Excerpt<'a> {
    source: &'a SourceText,
    /// The labels, with their places in the file; the first of the problem is marked.
    labels: Vec<(bool, Span, &'a str)>,
}

/// The labels by file, the file of the problem's own place first.
fn excerpts<'a>(sources: &'a Sources, problem: &'a Diagnostic) -> Vec<Excerpt<'a>> {
    let mut excerpts: Vec<Excerpt<'a>> = Vec::new();
    for (index, label) in problem.labels.iter().enumerate() {
        let place = sources.place(&label.span);
        let label = (index == 0, place.span, label.text.as_str());
        match excerpts.iter_mut().find(|excerpt| std::ptr::eq(excerpt.source, place.source)) {
            Some(excerpt) => excerpt.labels.push(label),
            None => excerpts.push(Excerpt { source: place.source, labels: vec![label] }),
        }
    }
    excerpts
}

impl<'a> Excerpt<'a> {
    /// Only the lines that are shown are handed over: the renderer looks at all it gets, and a hundred problems of a
    /// megabyte took it two seconds.
    fn snippet(&self) -> Snippet<'a, Annotation<'a>> {
        let window = lines_around(&self.source.text, self.labels.iter().map(|(_, span, _)| span));
        let first_line = self.source.position(window.start).line;
        let text = &self.source.text[window.clone()];
        let mut snippet = Snippet::source(text).path(self.source.path.as_str()).line_start(first_line);
        for (is_primary, span, label) in &self.labels {
            let kind = if *is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let text = (!label.is_empty()).then(|| normalize_untrusted_str(label));
            snippet = snippet.annotation(kind.span(span.start - window.start..span.end - window.start).label(text));
        }
        snippet
    }
}

/// The lines a fix changes, before and after. "did you mean `train`?" says it all, so nothing is drawn below it.
fn suggestion<'s>(sources: &'s Sources, problem: &Diagnostic) -> Option<Snippet<'s, Patch<'s>>> {
    if let ([edit], Some(help)) = (problem.fix.as_slice(), &problem.help)
        && !edit.text.trim().is_empty()
        && help.contains(&edit.text)
    {
        return None;
    }
    let source = sources.place(&problem.fix.first()?.span).source;
    let places: Vec<Span> = problem.fix.iter().map(|edit| sources.place(&edit.span).span).collect();
    let window = lines_around(&source.text, places.iter());
    let snippet = Snippet::source(&source.text[window.clone()]).line_start(source.position(window.start).line);
    let patches = problem
        .fix
        .iter()
        .zip(places)
        .map(|(edit, place)| Patch::new(place.start - window.start..place.end - window.start, edit.text.clone()));
    Some(snippet.patches(patches))
}

/// The bytes of all lines that hold one of the places, and those between them.
fn lines_around<'p>(text: &str, places: impl Iterator<Item = &'p Span>) -> Span {
    let all = places.cloned().reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0);
    let start = text[..all.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[all.end..].find('\n').map_or(text.len(), |at| all.end + at + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Edit;
    use proptest::prelude::*;

    #[test]
    fn problems_are_shown_in_the_order_of_the_text_with_caret_and_help() {
        let source = Sources::of(SourceText::new("specs/x.toml", "[a]\nkind = \"trian\"\n\n[a]\n"));
        let problems = [
            Diagnostic::error("S0103", "the table `a` is there twice", 17 + 5..17 + 8, "again here")
                .and(0..3, "first here"),
            Diagnostic::warning("S0204", "`kind` does not know `trian`", 11..18, "").help("did you mean `train`?"),
        ];
        insta::assert_snapshot!(render(&source, &problems, false), @r#"
        warning[S0204]: `kind` does not know `trian`
         --> specs/x.toml:2:8
          |
        2 | kind = "trian"
          |        ^^^^^^^
          |
        help: did you mean `train`?

        error[S0103]: the table `a` is there twice
         --> specs/x.toml:4:3
          |
        1 | [a]
          | --- first here
        ...
        4 | [a]
          |   ^ again here
        "#);
    }

    #[test]
    fn a_fix_is_drawn_unless_its_sentence_holds_it_already() {
        let text = "[a] # note\nkind = \"trian\"\nepochs = \"3\"\n";
        let source = SourceText::new("specs/x.toml", text);
        let problems = [
            Diagnostic::error("S0204", "`kind` cannot be `trian`", 19..24, "")
                .fix("did you mean `train`?", [Edit::new(19..24, "train")]),
            Diagnostic::error("S0202", "`a` has no key `frames`", 1..2, "needs `frames`")
                .fix("`frames`: the stage whose frames it learns from", [Edit::new(10..10, "\nframes = \"\"")]),
            Diagnostic::error("S0203", "`epochs` wants an integer", 35..38, "this is a string")
                .fix("drop the quotes", [Edit::new(35..36, ""), Edit::new(37..38, "")]),
        ];
        insta::assert_snapshot!(render(&Sources::of(source), &problems, false), @r#"
        error[S0202]: `a` has no key `frames`
         --> specs/x.toml:1:2
          |
        1 | [a] # note
          |  ^ needs `frames`
          |
        help: `frames`: the stage whose frames it learns from
          |
        1 ~ [a] # note
        2 + frames = ""
          |

        error[S0204]: `kind` cannot be `trian`
         --> specs/x.toml:2:9
          |
        2 | kind = "trian"
          |         ^^^^^
          |
        help: did you mean `train`?

        error[S0203]: `epochs` wants an integer
         --> specs/x.toml:3:10
          |
        3 | epochs = "3"
          |          ^^^ this is a string
          |
        help: drop the quotes
          |
        3 - epochs = "3"
        3 + epochs = 3
          |
        "#);
    }

    #[test]
    fn a_place_at_the_end_of_the_file_and_an_empty_file_can_be_shown() {
        for (text, span) in [("", 0..0), ("a = ", 4..4), ("a\n", 2..2), ("é", 1..1), ("a", 5..900)] {
            let shown = render(
                &Sources::of(SourceText::new("f", text)),
                &[Diagnostic::error("S0102", "m", span, "here")],
                false,
            );
            assert!(shown.contains("error[S0102]: m"), "{shown}");
        }
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let source = Sources::of(SourceText::new("f", "a = 1"));
        let problem = [Diagnostic::error("S0102", "m", 0..1, "here")];
        assert!(!render(&source, &problem, false).contains('\u{1b}'));
        assert!(render(&source, &problem, true).contains('\u{1b}'));
    }

    #[test]
    fn a_hostile_name_cannot_send_escapes_to_the_terminal() {
        let source = Sources::of(SourceText::new("f", "\"\u{1b}[31m\" = 1"));
        let problem = [Diagnostic::error("S0201", "unknown key `\u{1b}[31m`", 0..3, "\u{1b}[0m").help("\u{7}")];
        assert!(!render(&source, &problem, false).contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn no_text_and_no_span_makes_it_panic(
            text in "(?s).{0,60}",
            spans in proptest::collection::vec((0usize..300, 0usize..300), 1..4),
            color: bool,
        ) {
            let mut problem = Diagnostic::error("S0102", "m", spans[0].0..spans[0].1, "here");
            for span in &spans[1..] {
                problem = problem.and(span.0..span.1, "there");
            }
            let source = Sources::of(SourceText::new("f", text));
            let _ = render(&source, &[problem.clone()], color);
            let _ = super::super::to_json(&source, &[problem]);
        }
    }
}
