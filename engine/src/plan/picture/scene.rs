//! A plan -> what its picture shows and where: a panel for each stage, its tasks in rows when they are wanted, and the
//! lines between them. Knows sizes of letters; knows nothing of SVG.

use super::layers::Layers;
use super::place::{Placed, Size, place};
use super::{Look, tasks_of};
use crate::ids::scalar;
use crate::plan::Plan;
use petgraph::visit::EdgeRef;
use std::collections::HashMap;

/// Widths of one letter of the three sizes of text. The font has one width for all letters, so that boxes can be made
/// to fit; where a reader's font is another, `textLength` would distort, so there is some room to spare.
pub(super) const LARGE: f64 = 10.0;
pub(super) const NORMAL: f64 = 8.0;
pub(super) const SMALL: f64 = 6.8;
/// Room inside a panel, and around the picture.
pub(super) const PADDING: f64 = 12.0;
pub(super) const MARGIN: f64 = 24.0;
/// Heights: of the title, of a panel's head without and with the tally, of a task and the gap after it.
pub(super) const TITLE: f64 = 64.0;
const HEAD: f64 = 46.0;
const TALLY: f64 = 20.0;
/// The height of a panel whose head is one line, and how many panels one above the other make them all so.
const LINE: f64 = 28.0;
const MANY: usize = 20;
pub(super) const ROW: f64 = 20.0;
const ROW_GAP: f64 = 4.0;
/// Room of a symbol and the blank after it.
pub(super) const SYMBOL: f64 = 14.0;
/// Letters that are shown of a name, and of what stands below it.
const LONGEST: usize = 34;
const LONGEST_ABOUT: usize = 48;
/// Tasks of a stage that stand in one column; more are set in several, as wide as high.
const COLUMN: usize = 40;
/// Tasks of a stage that are drawn; the others are counted.
const MOST_TASKS: usize = 1000;
/// A picture wider than this that is also flat grows downwards instead: pages scroll that way.
const WIDEST: f64 = 2400.0;
const FLAT: f64 = 3.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// One stage.
pub(super) struct Panel {
    pub(super) frame: Rect,
    pub(super) stage: usize,
    /// The stage's name, shortened.
    pub(super) name: String,
    /// Its kind and how many tasks it has.
    pub(super) about: String,
    /// How many tasks look how, when that is known.
    pub(super) tally: Vec<(Look, usize)>,
    /// Whether its head is one line rather than three.
    pub(super) dense: bool,
    /// How high its head is.
    head: f64,
    pub(super) rows: Vec<Row>,
    /// Tasks that are not drawn, and where that is said.
    pub(super) unseen: Option<(usize, Rect)>,
}

/// One task inside a panel.
pub(super) struct Row {
    pub(super) frame: Rect,
    pub(super) task: usize,
    /// The values of its cell, shortened.
    pub(super) label: String,
}

/// A line and what it says when one points at it.
pub(super) struct Line {
    /// Pairs of places: the line goes straight from the first to the second of each, and in a curve to the next pair.
    pub(super) through: Vec<[(f64, f64); 2]>,
    /// Whether it joins single tasks.
    pub(super) fine: bool,
    pub(super) about: String,
}

/// What a picture shows.
pub(super) struct Scene {
    pub(super) panels: Vec<Panel>,
    pub(super) lines: Vec<Line>,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Whether lines go down rather than to the right.
    pub(super) down: bool,
}

impl Scene {
    /// Arranges a plan. `title_width` is the least width.
    pub(super) fn of(plan: &Plan, looks: Option<&[Look]>, tasks: bool, title_width: f64) -> Self {
        let edges = Edges::of(plan);
        let by_stage = plan.by_stage();
        let pairs: Vec<(usize, usize)> = edges.stages().collect();
        let layers = Layers::of(plan.stages.len(), &pairs);
        let dense = layers.layers.iter().any(|layer| layer.iter().filter(|k| **k < plan.stages.len()).count() > MANY);
        let panel = |(stage, tasks): (usize, &Vec<usize>)| Panel::of(plan, stage, tasks, looks, dense);
        let mut panels: Vec<Panel> = by_stage.iter().enumerate().map(panel).collect();
        if tasks {
            for (panel, tasks) in panels.iter_mut().zip(edges.order(plan, by_stage)) {
                panel.add_rows(plan, &tasks, looks.is_some());
            }
        }
        let sized = |down: bool| -> Placed {
            let sizes: Vec<Size> = panels.iter().map(|panel| panel.size(down)).collect();
            place(&layers, &sizes)
        };
        let right = sized(false);
        let down = right.whole.along > WIDEST && right.whole.along > FLAT * right.whole.across;
        let placed = if down { sized(true) } else { right };
        for panel in &mut panels {
            panel.move_to(&placed, &layers, down);
        }
        let way = Way { placed: &placed, layers: &layers, panels: &panels, down };
        let lines = pairs.iter().zip(&layers.routes).flat_map(|(pair, route)| way.lines(plan, &edges, *pair, route));
        let lines = lines.collect();
        let (along, across) = (placed.whole.along, placed.whole.across);
        let (width, height) = if down { (across, along) } else { (along, across) };
        Self {
            panels,
            lines,
            width: width.max(title_width) + 2.0 * MARGIN,
            height: height + TITLE + 2.0 * MARGIN,
            down,
        }
    }
}

impl Panel {
    fn of(plan: &Plan, stage: usize, tasks: &[usize], looks: Option<&[Look]>, dense: bool) -> Self {
        let about = format!("{}, {}", plan.stages[stage].kind.name(), tasks_of(&plan.stages[stage], tasks.len()));
        let tally = looks.map_or_else(Vec::new, |looks| {
            let of = |look| (look, tasks.iter().filter(|task| looks[**task] == look).count());
            Look::ALL.into_iter().map(of).filter(|(_, count)| *count > 0).collect()
        });
        let name = short(&plan.stages[stage].name);
        let parts =
            [letters(&name) * NORMAL, letters(&about) * SMALL, tally.iter().map(|p| tally_step(*p, dense)).sum()];
        let (width, head) = if dense {
            (parts.iter().sum::<f64>() + PADDING, LINE)
        } else {
            (parts.into_iter().fold(0.0, f64::max), HEAD + if looks.is_some() { TALLY } else { 0.0 })
        };
        let frame = Rect { width: (width + 2.0 * PADDING).round(), height: head, ..Rect::default() };
        Self { frame, stage, name, about, tally, dense, head, rows: Vec::new(), unseen: None }
    }

    /// Adds rows for the tasks of a stage with cells, in columns. Their places are those inside the panel.
    fn add_rows(&mut self, plan: &Plan, tasks: &[usize], looks: bool) {
        if tasks.iter().all(|task| plan.task(*task).id.cell.is_empty()) {
            return;
        }
        let keys: Vec<&str> = plan.task(tasks[0]).id.cell.keys().collect();
        self.about = cut(&format!("{} by {}", self.about, keys.join(", ")), LONGEST_ABOUT);
        let shown = &tasks[..tasks.len().min(MOST_TASKS)];
        let labels: Vec<String> = shown.iter().map(|task| label(plan, *task)).collect();
        let symbol = if looks { SYMBOL } else { 0.0 };
        let longest = labels.iter().map(|label| letters(label)).fold(0.0, f64::max);
        let cell = (longest * SMALL + symbol + PADDING).round();
        let step = ROW + ROW_GAP;
        let columns = match shown.len() {
            0..=COLUMN => 1,
            many => ((many as f64 * step / (cell + ROW_GAP)).sqrt().ceil() as usize).max(1),
        };
        let rows = shown.len().div_ceil(columns);
        let inner = columns as f64 * (cell + ROW_GAP) - ROW_GAP;
        let content = inner.max(letters(&self.about) * SMALL);
        self.frame.width = self.frame.width.max(content + 2.0 * PADDING).round();
        self.frame.height += rows as f64 * step - ROW_GAP + PADDING;
        for (at, (task, label)) in shown.iter().zip(labels).enumerate() {
            let (column, row) = (at / rows, at % rows);
            let frame = Rect {
                x: PADDING + column as f64 * (cell + ROW_GAP),
                y: self.head + row as f64 * step,
                width: cell,
                height: ROW,
            };
            self.rows.push(Row { frame, task: *task, label });
        }
        if let unseen @ 1.. = tasks.len() - shown.len() {
            let frame = Rect { x: PADDING, y: self.frame.height - PADDING + ROW_GAP, width: inner, height: ROW };
            self.unseen = Some((unseen, frame));
            self.frame.height += step;
        }
    }

    fn size(&self, down: bool) -> Size {
        let Rect { width, height, .. } = self.frame;
        if down { Size { along: height, across: width } } else { Size { along: width, across: height } }
    }

    /// Takes its place. Panels above each other are made equally wide, and so are rows that stand alone in theirs.
    fn move_to(&mut self, placed: &Placed, layers: &Layers, down: bool) {
        let (begin, end) = placed.spans[layers.layer_of[self.stage]];
        let middle = placed.middle[self.stage];
        let (x, y) =
            if down { (middle - self.frame.width / 2.0, begin) } else { (begin, middle - self.frame.height / 2.0) };
        let more = if down { 0.0 } else { end - begin - self.frame.width };
        self.frame = Rect { x: x + MARGIN, y: y + MARGIN + TITLE, width: self.frame.width + more, ..self.frame };
        let one_column = self.rows.iter().all(|row| row.frame.x == PADDING);
        let Rect { x, y, width, .. } = self.frame;
        for row in &mut self.rows {
            row.frame.x += x;
            row.frame.y += y;
            if one_column {
                row.frame.width = width - 2.0 * PADDING;
            }
        }
        if let Some((_, frame)) = &mut self.unseen {
            frame.x += x;
            frame.y += y;
        }
    }

    /// Whether lines to its rows would not run through other rows.
    fn takes_lines(&self) -> bool {
        let mut columns = self.rows.iter().map(|row| row.frame.x);
        let first = columns.next();
        first.is_some_and(|first| columns.all(|x| x == first)) && self.unseen.is_none()
    }
}

/// Two stages or two tasks, the first of which the second needs.
type Edge = (usize, usize);

/// What needs what: pairs of stages, and for each the pairs of their tasks.
struct Edges(Vec<(Edge, Vec<Edge>)>);

impl Edges {
    fn of(plan: &Plan) -> Self {
        let mut found: HashMap<(usize, usize), Vec<(usize, usize)>> = HashMap::new();
        for edge in plan.graph.edge_references() {
            let (from, to) = (edge.source().index(), edge.target().index());
            found.entry((plan.task(from).stage, plan.task(to).stage)).or_default().push((from, to));
        }
        // A stage may need another of which no single task is needed.
        for (to, stage) in plan.stages.iter().enumerate() {
            for from in &stage.needs {
                found.entry((*from, to)).or_default();
            }
        }
        let mut edges: Vec<_> = found.into_iter().collect();
        edges.sort();
        Self(edges)
    }

    fn stages(&self) -> impl Iterator<Item = (usize, usize)> {
        self.0.iter().map(|(stages, _)| *stages)
    }

    fn between(&self, stages: (usize, usize)) -> &[(usize, usize)] {
        self.0.binary_search_by_key(&stages, |(stages, _)| *stages).map_or(&[], |at| &self.0[at].1)
    }

    /// The tasks of each stage in the order in which they are drawn: each near those it needs.
    fn order(&self, plan: &Plan, mut stages: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
        let mut needs: Vec<Vec<usize>> = vec![Vec::new(); plan.len()];
        for (from, to) in self.0.iter().flat_map(|(_, tasks)| tasks) {
            needs[*to].push(*from);
        }
        // How far down its panel each task stands, from 0 to 1. Inputs come first in a plan, so theirs are known.
        let mut height = vec![0.0; plan.len()];
        for tasks in &mut stages {
            let wanted = |task: &usize| match needs[*task].as_slice() {
                [] => 0.0,
                needs => needs.iter().map(|need| height[*need]).sum::<f64>() / needs.len() as f64,
            };
            tasks.sort_by(|a, b| wanted(a).total_cmp(&wanted(b)));
            let count = tasks.len() as f64;
            tasks.iter().enumerate().for_each(|(at, task)| height[*task] = at as f64 / count);
        }
        stages
    }
}

/// Finds the ways of lines.
struct Way<'a> {
    placed: &'a Placed,
    layers: &'a Layers,
    panels: &'a [Panel],
    down: bool,
}

impl Way<'_> {
    /// The lines from one stage to another: from task to task where the eye can follow them, else one.
    fn lines(&self, plan: &Plan, edges: &Edges, stages: (usize, usize), route: &[usize]) -> Vec<Line> {
        let (from, to) = (&self.panels[stages.0], &self.panels[stages.1]);
        let tasks = edges.between(stages);
        let about = format!("{} \u{2192} {}", plan.stages[from.stage].name, plan.stages[to.stage].name);
        // One to one, fanning out and gathering can be followed; all with all cannot.
        let can_be_followed = tasks.len() <= from.rows.len().max(to.rows.len());
        let has_rows =
            from.takes_lines() && (to.takes_lines() || to.rows.is_empty()) || from.rows.is_empty() && to.takes_lines();
        if self.down || route.len() > 2 || !can_be_followed || !has_rows {
            return vec![Line { through: self.through(route, self.port(from), self.port(to)), fine: false, about }];
        }
        let line = |(one, other): &(usize, usize)| Line {
            through: self.through(route, self.row_port(from, *one, true), self.row_port(to, *other, false)),
            fine: true,
            about: format!("{} \u{2192} {}", plan.task(*one).id, plan.task(*other).id),
        };
        tasks.iter().map(line).collect()
    }

    /// Where lines of a whole panel touch it: from where to where along, and how far across. Beside rows, which may
    /// have lines of their own, they keep to the head.
    fn port(&self, panel: &Panel) -> (f64, f64, f64) {
        let Rect { x, y, width, height } = panel.frame;
        let middle = if panel.rows.is_empty() { height / 2.0 } else { panel.head / 2.0 };
        if self.down { (y, y + height, x + width / 2.0) } else { (x, x + width, y + middle) }
    }

    fn row_port(&self, panel: &Panel, task: usize, leaving: bool) -> (f64, f64, f64) {
        let Some(row) = panel.rows.iter().find(|row| row.task == task) else { return self.port(panel) };
        let Rect { x, width, .. } = panel.frame;
        let row = row.frame;
        let middle = row.y + row.height / 2.0;
        if leaving { (x, row.x + row.width, middle) } else { (row.x, x + width, middle) }
    }

    /// The straight parts of a line, one in each layer it touches; curves lie between the layers, where no panel is.
    fn through(&self, route: &[usize], from: (f64, f64, f64), to: (f64, f64, f64)) -> Vec<[(f64, f64); 2]> {
        let (along, across) = if self.down { (MARGIN + TITLE, MARGIN) } else { (MARGIN, MARGIN + TITLE) };
        let span = |knot: usize| {
            let (begin, end) = self.placed.spans[self.layers.layer_of[knot]];
            (begin + along, end + along)
        };
        let last = route.len() - 1;
        let parts = route.iter().enumerate().map(|(at, knot)| {
            let (begin, end) = span(*knot);
            match at {
                0 => [(from.1, from.2), (end.max(from.1), from.2)],
                _ if at == last => [(begin.min(to.0), to.2), (to.0, to.2)],
                _ => [(begin, self.placed.middle[*knot] + across), (end, self.placed.middle[*knot] + across)],
            }
        });
        let turned = |(along, across): (f64, f64)| if self.down { (across, along) } else { (along, across) };
        parts.map(|part| part.map(turned)).collect()
    }
}

/// The values of a task's cell; its keys are the same for the whole stage.
fn label(plan: &Plan, task: usize) -> String {
    let cell = &plan.task(task).id.cell;
    short(&cell.iter().map(|(_, value)| scalar(value)).collect::<Vec<_>>().join(", "))
}

/// What a tally says of one look: `31 hit`, and in a dense panel `31`.
pub(super) fn tally_words((look, count): (Look, usize), dense: bool) -> String {
    if dense { count.to_string() } else { format!("{count} {}", look.word()) }
}

/// The room that one part of a tally takes, with the blank after it.
pub(super) fn tally_step(part: (Look, usize), dense: bool) -> f64 {
    SYMBOL + letters(&tally_words(part, dense)) * SMALL + PADDING
}

/// How many letters wide a text is. Letters of East Asia are twice as wide as others.
pub(super) fn letters(text: &str) -> f64 {
    text.chars().map(|c| if ('\u{1100}'..='\u{ffdc}').contains(&c) || c > '\u{ffff}' { 2.0 } else { 1.0 }).sum()
}

fn short(text: &str) -> String {
    cut(text, LONGEST)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['\u{2026}']).collect()
}
