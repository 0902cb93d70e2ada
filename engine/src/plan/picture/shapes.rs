//! The looks of tasks as symbols and colours. Shapes tell them apart as well, for those who cannot by colour.

use super::Look;

/// Colours of a light page, and of a dark one where the reader's system asks for it. The picture paints its own
/// background, so it can be read on any page. Renderers that know no `@media` show the light one.
pub(super) const STYLE: &str = "\
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328 }
.title { font-size: 16px; font-weight: 600 } .name { font-size: 13px; font-weight: 600 }
.about, .task, .tally { font-size: 11px } .about, .tally { fill: #59636e } .sum { font-size: 12px; fill: #59636e }
.page { fill: #ffffff; stroke: #d1d9e0 } .stage { fill: #f6f8fa; stroke: #afb8c1 }
.line { fill: none; stroke: #818b98; stroke-width: 1.5 } .fine { stroke-width: 1; opacity: 0.55 } .tip { fill: #818b98 }
.line:hover { stroke: #0969da; opacity: 1 }
.cell { fill: #ffffff; stroke: #d1d9e0 } .bar { stroke: none }
.cell.hit { fill: #e6f6ea; stroke: #a9d9b6 } .cell.run { fill: #fff3e0; stroke: #e8c48c }
.cell.depends, .cell.skip { fill: #eef1f5; stroke: #c8d1da } .cell.failed { fill: #ffebe9; stroke: #f0b2ae }
.hit { fill: #1a7f37 } .run { fill: #b35900 } .depends, .skip { fill: #8c95a0 } .failed { fill: #cf222e }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .about, .tally, .sum { fill: #9198a1 }
.page { fill: #0d1117; stroke: #3d444d } .stage { fill: #151b23; stroke: #4a525c }
.line { stroke: #7d8590 } .tip { fill: #7d8590 } .line:hover { stroke: #58a6ff }
.cell { fill: #0d1117; stroke: #3d444d }
.cell.hit { fill: #12261e; stroke: #23633a } .cell.run { fill: #2b2111; stroke: #6b4d17 }
.cell.depends, .cell.skip { fill: #1c232c; stroke: #3d444d } .cell.failed { fill: #2d1517; stroke: #7a2b2b }
.hit { fill: #3fb950 } .run { fill: #e3a341 } .depends, .skip { fill: #8b949e } .failed { fill: #f85149 }
}
";

/// The class of a look.
pub(super) fn class(look: Look) -> &'static str {
    look.word()
}

/// A symbol around a point: a disc, a triangle, a ring, a line, a cross.
pub(super) fn symbol(look: Look, x: f64, y: f64) -> String {
    let class = class(look);
    match look {
        Look::Hit => format!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"4\"/>"),
        Look::Run => {
            let (left, right, top, bottom) = (x - 3.5, x + 4.5, y - 4.5, y + 4.5);
            format!("<path class=\"{class}\" d=\"M{left} {top}L{right} {y}L{left} {bottom}Z\"/>")
        }
        Look::Depends => {
            format!(
                "<path class=\"{class}\" fill-rule=\"evenodd\" d=\"M{} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0ZM{} {y}a2 2 0 1 0 4 0a2 2 0 1 0 -4 0Z\"/>",
                x - 4.0,
                x - 2.0
            )
        }
        Look::Skip => format!("<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"8\" height=\"2\"/>", x - 4.0, y - 1.0),
        Look::Failed => {
            let (left, top) = (x - 4.0, y - 3.0);
            format!(
                "<path class=\"{class}\" d=\"M{left} {top}l1 -1l3 3l3 -3l1 1l-3 3l3 3l-1 1l-3 -3l-3 3l-1 -1l3 -3Z\"/>"
            )
        }
    }
}
