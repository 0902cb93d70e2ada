//! Draws a table of counts as SVG with real text: a row for each truth, a column for each answer.
//! Knows the table and nothing else.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::confusion::Confusion;

const CELL: i32 = 56;
const TITLES: i32 = 84;
const MARGIN: i32 = 20;
const FONT: &str = "sans-serif";
/// The width of a letter at 14 px, on the wide side: without a font at hand the text cannot be measured.
const LETTER: i32 = 8;
const GREEN: RGBColor = RGBColor(0x1b, 0x7f, 0x4d);
const RED: RGBColor = RGBColor(0xc0, 0x39, 0x2b);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture's SVG text.
///
/// # Errors
/// What the drawing library says.
pub(super) fn confusion_svg(confusion: &Confusion) -> Result<String, String> {
    let names = LETTER * confusion.labels.iter().map(|label| as_i32(label.chars().count())).max().unwrap_or(0) + 12;
    let side = CELL * as_i32(confusion.labels.len());
    let table = Table { confusion, left: MARGIN + names + 24, top: TITLES + names, names };
    let size = (table.left + side.max(320) + MARGIN, table.top + side + MARGIN);
    let mut svg = String::new();
    {
        let root =
            SVGBackend::with_string(&mut svg, (size.0.unsigned_abs(), size.1.unsigned_abs())).into_drawing_area();
        table.draw(&root).map_err(|error| error.to_string())?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

/// Where the table lies in the picture, in pixels.
struct Table<'a> {
    confusion: &'a Confusion,
    left: i32,
    top: i32,
    names: i32,
}

type Drawn = Result<(), DrawingAreaErrorKind<<SVGBackend<'static> as DrawingBackend>::ErrorType>>;

impl Table<'_> {
    fn draw(&self, area: &Area<'_>) -> Drawn {
        area.fill(&WHITE)?;
        self.draw_titles(area)?;
        for (index, label) in self.confusion.labels.iter().enumerate() {
            self.draw_names(area, as_i32(index), label)?;
        }
        for (truth, row) in self.confusion.counts.iter().enumerate() {
            let most = row.iter().sum::<u64>().max(1);
            for (answer, count) in row.iter().enumerate() {
                let share = *count as f64 / most as f64;
                self.draw_cell(area, (as_i32(truth), as_i32(answer)), *count, share)?;
            }
        }
        Ok(())
    }

    fn draw_titles(&self, area: &Area<'_>) -> Drawn {
        let (right, total) = (self.confusion.right(), self.confusion.total());
        let title = format!("{right} of {total} plays right ({:.1} %)", self.confusion.accuracy() * 100.0);
        let middle = CELL * as_i32(self.confusion.labels.len()) / 2;
        let start = Pos::new(HPos::Left, VPos::Center);
        let center = Pos::new(HPos::Center, VPos::Center);
        area.draw(&Text::new(title, (MARGIN, 26), (FONT, 18).into_font().color(&BLACK).pos(start)))?;
        let grey = RGBColor(0x55, 0x55, 0x55);
        let across = (FONT, 14).into_font().color(&grey).pos(center);
        area.draw(&Text::new("answered", (self.left + middle, self.top - self.names - 16), across))?;
        let upright = (FONT, 14).into_font().transform(FontTransform::Rotate270).color(&grey).pos(center);
        area.draw(&Text::new("true play", (MARGIN, self.top + middle), upright))
    }

    fn draw_names(&self, area: &Area<'_>, index: i32, label: &str) -> Drawn {
        let middle = index * CELL + CELL / 2;
        let row = (FONT, 14).into_font().color(&BLACK).pos(Pos::new(HPos::Right, VPos::Center));
        area.draw(&Text::new(label, (self.left - 8, self.top + middle), row))?;
        let column = (FONT, 14).into_font().transform(FontTransform::Rotate270);
        let column = column.color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(label, (self.left + middle, self.top - 8), column))
    }

    /// One count. The deeper the colour, the larger its share of the row; green is right, red is wrong.
    fn draw_cell(&self, area: &Area<'_>, (truth, answer): (i32, i32), count: u64, share: f64) -> Drawn {
        let (x, y) = (self.left + answer * CELL, self.top + truth * CELL);
        let color = if truth == answer { GREEN } else { RED };
        let corners = [(x, y), (x + CELL, y + CELL)];
        area.draw(&Rectangle::new(corners, color.mix(share).filled()))?;
        area.draw(&Rectangle::new(corners, RGBColor(0xcc, 0xcc, 0xcc)))?;
        let ink = match count {
            0 => RGBColor(0xaa, 0xaa, 0xaa),
            _ if share > 0.5 => WHITE,
            _ => BLACK,
        };
        let style = (FONT, 16).into_font().color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
        area.draw(&Text::new(count.to_string(), (x + CELL / 2, y + CELL / 2), style))
    }
}

/// Pixels and labels are few; a table too large for an `i32` is drawn cut off rather than not at all.
fn as_i32(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX / (2 * CELL))
}
