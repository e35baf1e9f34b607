//! The points as pictures: one figure for each chance of loss, with four panels.

use std::collections::BTreeSet;

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use super::point::Point;
use kvs_sim::Topology;

const SIZE: (u32, u32) = (1_200, 900);
/// Numbers on an axis.
const LABELS_MAX: usize = 6;
const FONT: &str = "sans-serif";
/// A colour for each fanout, and again for the sixth.
const COLOURS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(60, 60, 60),
];
/// How much room a logarithmic axis leaves beyond the points.
const MARGIN: f64 = 1.3;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What a panel compares with: its name, and its value at a point.
type Reference = (&'static str, fn(&Point) -> f64);

/// One panel: what is measured, what theory says of it, and what it is compared with.
struct Panel {
    title: &'static str,
    unit: &'static str,
    measured: fn(&Point) -> Option<f64>,
    theory: Option<fn(&Point) -> f64>,
    reference: Option<Reference>,
    /// Whether the axis is logarithmic; otherwise it goes from 0 to 1.
    logarithmic: bool,
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Replicas that rumours alone reach",
        unit: "part of the group",
        measured: |point| Some(point.reached),
        theory: Some(|point| point.theory_reached),
        reference: None,
        logarithmic: false,
    },
    Panel {
        title: "Until the last replica has an update",
        unit: "ms (median over updates)",
        measured: |point| point.last_ms,
        theory: Some(|point| point.theory_last_ms),
        reference: None,
        logarithmic: true,
    },
    Panel {
        title: "Rumours for each update",
        unit: "messages",
        measured: |point| Some(point.rumour_messages),
        theory: Some(|point| point.theory_rumour_messages),
        reference: Some(("one to each other replica", |point| {
            f64::from(point.replicas / point.shards - 1)
        })),
        logarithmic: true,
    },
    Panel {
        title: "Rumours and repairs for each update and replica",
        unit: "bytes",
        measured: |point| Some(point.update_bytes_per_replica),
        theory: None,
        reference: Some(("the value alone", |point| f64::from(point.value_bytes))),
        logarithmic: true,
    },
];

/// What the points differ in, on the horizontal axis.
struct Across {
    name: &'static str,
    of: fn(&Point) -> f64,
}

impl Across {
    fn of(points: &[Point]) -> Self {
        let axes = [
            Self {
                name: "replicas",
                of: |point| f64::from(point.replicas),
            },
            Self {
                name: "shards",
                of: |point| f64::from(point.shards),
            },
            Self {
                name: "sessions that put",
                of: |point| f64::from(point.sessions),
            },
            Self {
                name: "ms between two puts",
                of: |point| point.every_ms,
            },
        ];
        let differs = |axis: &Self| {
            let first = points.first().map(axis.of);
            points.iter().any(|point| Some((axis.of)(point)) != first)
        };
        let [replicas, shards, sessions, every] = axes;
        [shards, sessions, every]
            .into_iter()
            .find(differs)
            .filter(|_| !differs(&replicas))
            .unwrap_or(replicas)
    }
}

/// A figure for each chance of loss, with the name of its file.
pub(super) fn figures(
    topology: Topology,
    points: &[Point],
) -> anyhow::Result<Vec<(String, String)>> {
    let across = Across::of(points);
    let losses: BTreeSet<String> = points.iter().map(|point| point.loss.to_string()).collect();
    let mut figures = Vec::new();
    for loss in losses {
        let same = |point: &&Point| point.loss.to_string() == loss;
        let points: Vec<&Point> = points.iter().filter(same).collect();
        let mut svg = String::new();
        draw(&mut svg, &across, topology, &loss, &points)
            .map_err(|error| anyhow!("cannot draw: {error}"))?;
        figures.push((format!("{}-loss-{loss}.svg", topology.name()), svg));
    }
    Ok(figures)
}

fn draw(
    svg: &mut String,
    across: &Across,
    topology: Topology,
    loss: &str,
    points: &[&Point],
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!(
        "How updates spread: {}, loss {loss}. Dots: measured. Lines: theory. Dashes: comparison.",
        topology.name()
    );
    let body = root.titled(&title, (FONT, 20))?;
    for (panel, area) in PANELS.iter().zip(body.split_evenly((2, 2))) {
        if panel.logarithmic {
            let values = points.iter().flat_map(|point| panel.values(point));
            let (least, most) = bounds(values);
            let chart = chart(&area, panel)
                .build_cartesian_2d(horizontal(across, points), (least..most).log_scale())?;
            panel.draw(chart, across, points)?;
        } else {
            let chart =
                chart(&area, panel).build_cartesian_2d(horizontal(across, points), 0.0..1.02)?;
            panel.draw(chart, across, points)?;
        }
    }
    root.present()?;
    drop(body);
    drop(root);
    Ok(())
}

fn chart<'a, 'b>(area: &'a Area<'b>, panel: &Panel) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart
        .caption(panel.title, (FONT, 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(72);
    chart
}

fn horizontal(across: &Across, points: &[&Point]) -> LogCoord<f64> {
    let (least, most) = bounds(points.iter().map(|point| (across.of)(point)));
    (least..most).log_scale().into()
}

/// From below the least to above the largest, for a logarithmic axis.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let positive = values.filter(|value| *value > 0.0);
    let (least, most) = positive.fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
        (least.min(value), most.max(value))
    });
    if most > 0.0 {
        (least / MARGIN, most * MARGIN)
    } else {
        (1.0, 10.0)
    }
}

impl Panel {
    /// Everything that is drawn of a point.
    fn values(&self, point: &Point) -> impl Iterator<Item = f64> {
        let measured = (self.measured)(point);
        let theory = self.theory.map(|theory| theory(point));
        let reference = self.reference.map(|(_, reference)| reference(point));
        measured.into_iter().chain(theory).chain(reference)
    }

    fn draw<'a, 'b, Y>(
        &self,
        mut chart: ChartContext<'a, SVGBackend<'b>, Plane<Y>>,
        across: &Across,
        points: &[&Point],
    ) -> Result<(), Box<dyn std::error::Error>>
    where
        'b: 'a,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        chart
            .configure_mesh()
            .x_desc(across.name)
            .y_desc(self.unit)
            .x_labels(LABELS_MAX)
            .y_labels(LABELS_MAX)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .axis_desc_style((FONT, 15))
            .label_style((FONT, 13))
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .draw()?;
        let fanouts: BTreeSet<u16> = points.iter().map(|point| point.fanout).collect();
        for (place, fanout) in fanouts.into_iter().enumerate() {
            let colour = COLOURS[place % COLOURS.len()];
            let same = points.iter().filter(|point| point.fanout == fanout);
            if let Some(theory) = self.theory {
                let line = same
                    .clone()
                    .map(|point| ((across.of)(point), theory(point)));
                chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            }
            let dots = same.filter_map(|point| {
                let at = ((across.of)(point), (self.measured)(point)?);
                Some(Circle::new(at, 4, colour.filled()))
            });
            chart
                .draw_series(dots)?
                .label(format!("fanout {fanout}"))
                .legend(move |at| Circle::new((at.0 + 10, at.1), 4, colour.filled()));
        }
        if let Some((name, reference)) = self.reference {
            let mut line: Vec<(f64, f64)> = points
                .iter()
                .map(|point| ((across.of)(point), reference(point)))
                .collect();
            line.sort_by(|one, other| one.0.total_cmp(&other.0));
            line.dedup();
            chart
                .draw_series(DashedLineSeries::new(line, 6, 4, BLACK.into()))?
                .label(name)
                .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], BLACK));
        }
        chart
            .configure_series_labels()
            .position(self.legend())
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    }

    const fn legend(&self) -> SeriesLabelPosition {
        if self.logarithmic {
            SeriesLabelPosition::UpperLeft
        } else {
            SeriesLabelPosition::MiddleRight
        }
    }
}

/// Both axes of a panel.
type Plane<Y> = Cartesian2d<LogCoord<f64>, Y>;

/// A number on an axis.
fn number(value: &f64) -> String {
    let text = if *value < 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.0}")
    };
    text.trim_end_matches(".00").to_owned()
}
