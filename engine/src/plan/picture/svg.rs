//! A scene -> SVG that needs no program, no font and no network to be looked at, and is the same for the same plan.

use super::scene::{
    LARGE, Line, MARGIN, PADDING, Panel, ROW, Rect, Row, SYMBOL, Scene, letters, tally_step, tally_words,
};
use super::{Look, shapes};
use crate::plan::Plan;
use std::borrow::Cow;
use std::fmt::Write;

/// What a picture shows besides the stages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail<'a> {
    /// What a run would do with each task, by its place in the plan, where that is known.
    pub looks: Option<&'a [Look]>,
    /// Whether each task is drawn.
    pub tasks: bool,
}

/// An SVG document: a box for each stage with its kind and number of tasks, lines from each stage to those that need
/// it, and as much more as `detail` asks for.
pub fn svg(plan: &Plan, detail: Detail<'_>) -> String {
    let title = escaped(&plan.name);
    let sum = Sum::of(plan, detail.looks);
    let scene = Scene::of(plan, detail.looks, detail.tasks, sum.width().max(letters(&plan.name) * LARGE));
    let (width, height) = (scene.width, scene.height);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n\
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"38\">{title}</text>\n",
        shapes::STYLE,
        width - 1.0,
        height - 1.0
    );
    sum.write(&mut out);
    scene.lines.iter().for_each(|line| write_line(&mut out, line, scene.down));
    scene.panels.iter().for_each(|panel| write_panel(&mut out, plan, panel, detail.looks));
    out.push_str("</svg>\n");
    out
}

/// The whole plan in a line, which explains the symbols as well.
struct Sum {
    tasks: String,
    looks: Vec<(Look, String)>,
}

impl Sum {
    fn of(plan: &Plan, looks: Option<&[Look]>) -> Self {
        let (tasks, stages) = (plan.len(), plan.stages.len());
        let s = |n: usize| if n == 1 { "" } else { "s" };
        let tasks = format!("{tasks} task{} in {stages} stage{}", s(tasks), s(stages));
        let count = |look: Look| looks.into_iter().flatten().filter(|l| **l == look).count();
        let told = |look: Look| {
            let words = match look {
                Look::Hit => "up to date",
                Look::Run => "to run",
                Look::Depends => "that depend on these",
                Look::Skip => "skipped",
                Look::Failed => "that cannot be looked up",
            };
            (look, format!("{} {words}", count(look)))
        };
        Self { tasks, looks: Look::ALL.into_iter().filter(|look| count(*look) > 0).map(told).collect() }
    }

    fn width(&self) -> f64 {
        let looks = self.looks.iter().map(|(_, words)| 24.0 + SYMBOL + letters(words) * 7.4);
        letters(&self.tasks) * 7.4 + looks.sum::<f64>()
    }

    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "<text class=\"sum\" x=\"{MARGIN}\" y=\"62\">{}</text>", self.tasks);
        let mut x = MARGIN + letters(&self.tasks) * 7.4 + 24.0;
        for (look, words) in &self.looks {
            let _ = writeln!(
                out,
                "{}<text class=\"sum\" x=\"{}\" y=\"62\">{words}</text>",
                shapes::symbol(*look, round(x + 4.0), 58.0),
                round(x + SYMBOL)
            );
            x += SYMBOL + letters(words) * 7.4 + 24.0;
        }
    }
}

fn write_panel(out: &mut String, plan: &Plan, panel: &Panel, looks: Option<&[Look]>) {
    let stage = &plan.stages[panel.stage];
    let Rect { x, y, width, height } = panel.frame;
    let _ = writeln!(
        out,
        "<g id=\"s{}\"><title>{}: {}</title><rect class=\"stage\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>\
         {}",
        panel.stage,
        escaped(&stage.name),
        escaped(&panel.about),
        head(panel),
    );
    panel.rows.iter().for_each(|row| write_row(out, plan, row, looks.map(|looks| looks[row.task])));
    if let Some((count, frame)) = panel.unseen {
        let _ =
            writeln!(out, "<text class=\"about\" x=\"{}\" y=\"{}\">and {count} more</text>", frame.x, frame.y + 14.0);
    }
    out.push_str("</g>\n");
}

/// A stage's name, kind and tally: below each other, or in one line.
fn head(panel: &Panel) -> String {
    let Rect { x, y, width, .. } = panel.frame;
    let (left, right) = (x + PADDING, x + width - PADDING);
    let (name, about) = (escaped(&panel.name), escaped(&panel.about));
    let text = |class: &str, x: f64, y: f64, text: &str| {
        format!("<text class=\"{class}\" x=\"{}\" y=\"{y}\">{text}</text>", round(x))
    };
    if !panel.dense {
        let (tally, _) = tally(panel, left, y + 54.0);
        return text("name", left, y + 20.0, &name) + &text("about", left, y + 36.0, &about) + &tally;
    }
    let (tally, end) = tally(panel, left, y + 18.0);
    let about = format!("<text class=\"about\" text-anchor=\"end\" x=\"{right}\" y=\"{}\">{about}</text>", y + 18.0);
    tally + &text("name", end, y + 18.0, &name) + &about
}

/// The tally on a line, and where what follows it may begin.
fn tally(panel: &Panel, left: f64, y: f64) -> (String, f64) {
    let (mut out, mut x) = (String::new(), left);
    for part in &panel.tally {
        let words = tally_words(*part, panel.dense);
        out.push_str(&shapes::symbol(part.0, round(x + 4.0), y - 4.0));
        let _ = write!(out, "<text class=\"tally\" x=\"{}\" y=\"{y}\">{words}</text>", round(x + SYMBOL));
        x += tally_step(*part, panel.dense);
    }
    (out, x)
}

fn write_row(out: &mut String, plan: &Plan, row: &Row, look: Option<Look>) {
    let Rect { x, y, width, height } = row.frame;
    let class = look.map_or_else(String::new, |look| format!(" {}", shapes::class(look)));
    let _ = write!(
        out,
        "<g><title>{}</title><rect class=\"cell{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"4\"/>",
        escaped(&plan.task(row.task).id.to_string())
    );
    let mut left = x + 6.0;
    if let Some(look) = look {
        out.push_str(&shapes::symbol(look, left + 4.0, y + ROW / 2.0));
        left += SYMBOL;
    }
    let _ = writeln!(out, "<text class=\"task\" x=\"{left}\" y=\"{}\">{}</text></g>", y + 14.0, escaped(&row.label));
}

fn write_line(out: &mut String, line: &Line, down: bool) {
    let mut path = String::new();
    let mut before: Option<(f64, f64)> = None;
    for [from, to] in &line.through {
        match before {
            None => drop(write!(path, "M{} {}", round(from.0), round(from.1))),
            Some(before) => path.push_str(&curve(before, *from, down)),
        }
        if from != to {
            let _ = write!(path, "L{} {}", round(to.0), round(to.1));
        }
        before = Some(*to);
    }
    let fine = if line.fine { " fine" } else { "" };
    let about = escaped(&line.about);
    let _ = writeln!(out, "<path class=\"line{fine}\" d=\"{path}\"><title>{about}</title></path>");
    if let (Some((x, y)), false) = (before, line.fine) {
        let (x, y) = (round(x), round(y));
        let tip = if down { "l-4 -8l8 0Z" } else { "l-8 -4l0 8Z" };
        let _ = writeln!(out, "<path class=\"tip\" d=\"M{x} {y}{tip}\"/>");
    }
}

/// A curve that leaves and arrives along the way the lines go.
fn curve(from: (f64, f64), to: (f64, f64), down: bool) -> String {
    let (a, b) = if down {
        let middle = (from.1 + to.1) / 2.0;
        ((from.0, middle), (to.0, middle))
    } else {
        let middle = (from.0 + to.0) / 2.0;
        ((middle, from.1), (middle, to.1))
    };
    format!("C{} {} {} {} {} {}", round(a.0), round(a.1), round(b.0), round(b.1), round(to.0), round(to.1))
}

/// Tenths are finer than anybody sees.
fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Text as XML takes it. Control characters have no place in XML at all.
fn escaped(text: &str) -> Cow<'_, str> {
    let special =
        |c: char| matches!(c, '&' | '<' | '>' | '"') || c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if special(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_so_that_xml_reads_it_back() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
        assert_eq!(escaped("x\u{1}y\0z"), "x\u{fffd}y\u{fffd}z", "XML has no way to write these");
        assert!(matches!(escaped("caf\u{e9}"), Cow::Borrowed(_)));
    }
}
