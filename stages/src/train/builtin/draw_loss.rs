//! Draws how a training went: losses above, accuracies below, epoch by epoch, as SVG with real text.
//! Knows the numbers of epochs and nothing else.

use plotters::coord::Shift;
use plotters::coord::types::{RangedCoordf64, RangedCoordu32};
use plotters::prelude::*;

use super::metrics::EpochMetrics;

const SIZE: (u32, u32) = (800, 640);
const BLUE: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const ORANGE: RGBColor = RGBColor(0xd9, 0x5f, 0x02);
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordu32, RangedCoordf64>>;

/// One line of a panel: its name, its colour and its value in an epoch.
struct Curve {
    name: &'static str,
    color: RGBColor,
    value: fn(&EpochMetrics) -> f64,
}

/// What one panel shows.
struct Panel {
    title: &'static str,
    top: f64,
    curves: [Curve; 2],
    x_title: &'static str,
}

/// The picture's SVG text.
///
/// # Errors
/// What the drawing library says.
pub(super) fn loss_svg(metrics: &[EpochMetrics]) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        let (above, below) = root.split_vertically(SIZE.1 / 2);
        draw_panel(&above, &losses(metrics), metrics)?;
        draw_panel(&below, &accuracies(), metrics)?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(svg)
}

fn losses(metrics: &[EpochMetrics]) -> Panel {
    let curves = [
        Curve { name: "training clips", color: BLUE, value: |epoch| epoch.train_loss },
        Curve { name: "validation clips", color: ORANGE, value: |epoch| epoch.validation_loss },
    ];
    let highest = metrics.iter().flat_map(|epoch| [epoch.train_loss, epoch.validation_loss]).fold(0.0, f64::max);
    // An axis needs some height, even when every loss is zero.
    Panel { title: "Loss (cross-entropy, nats)", top: (highest * 1.05).max(0.01), curves, x_title: "" }
}

fn accuracies() -> Panel {
    let curves = [
        Curve { name: "validation clips", color: ORANGE, value: |epoch| epoch.validation_accuracy * 100.0 },
        Curve { name: "validation plays", color: BLACK, value: |epoch| epoch.validation_group_accuracy * 100.0 },
    ];
    Panel { title: "Accuracy (%)", top: 105.0, curves, x_title: "Epoch" }
}

fn draw_panel(area: &Area<'_>, panel: &Panel, metrics: &[EpochMetrics]) -> Result<(), String> {
    let last = metrics.iter().map(|epoch| epoch.epoch).max().unwrap_or(1);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, (FONT, 18))
        .margin(12)
        .margin_right(24)
        .x_label_area_size(if panel.x_title.is_empty() { 24 } else { 44 })
        .y_label_area_size(56)
        .build_cartesian_2d(0..last, 0.0..panel.top)
        .map_err(|error| error.to_string())?;
    chart
        .configure_mesh()
        .x_desc(panel.x_title)
        .x_labels(11)
        .y_labels(6)
        .light_line_style(TRANSPARENT)
        .bold_line_style(RGBColor(0xdd, 0xdd, 0xdd))
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .draw()
        .map_err(|error| error.to_string())?;
    for Curve { name, color, value } in &panel.curves {
        let points = || metrics.iter().map(|epoch| (epoch.epoch, value(epoch)));
        let line = LineSeries::new(points(), color.stroke_width(2));
        let stroke = color.stroke_width(2);
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 20, y)], stroke);
        chart.draw_series(line).map_err(|error| error.to_string())?.label(*name).legend(legend);
        let dots = points().map(|point| Circle::new(point, 3, color.filled()));
        chart.draw_series(dots).map_err(|error| error.to_string())?;
    }
    draw_legend(&mut chart, panel)
}

fn draw_legend<'a>(chart: &mut Chart<'a>, panel: &Panel) -> Result<(), String> {
    // Losses fall and accuracies rise, so the free corner is above in one panel and below in the other.
    let corner =
        if panel.x_title.is_empty() { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::LowerRight };
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.9))
        .border_style(RGBColor(0xbb, 0xbb, 0xbb))
        .label_font((FONT, 14))
        .margin(8)
        .draw()
        .map_err(|error| error.to_string())
}
