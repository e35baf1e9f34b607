//! The live view of a run, `--tui`: rates, percentiles, every node, and faults as they happen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};
use ratatui::{DefaultTerminal, Frame};

use crate::measure::{IntervalRow, PlaceRow, Summary};
use crate::report::{rate_text, time_text};
use crate::run::Observer;

/// Seconds that the curves go back.
const SECONDS_MAX: usize = 600;
/// Faults that are remembered.
const FAULTS_MAX: usize = 100;
/// How often a key is looked for, so that the thread that does ends soon.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// Shows a run on the whole terminal until it is dropped.
pub(super) struct Tui {
    terminal: DefaultTerminal,
    keys: Option<JoinHandle<()>>,
    ended: Arc<AtomicBool>,
    shown: Shown,
}

/// What is shown.
#[derive(Debug, Default)]
struct Shown {
    title: String,
    stage: &'static str,
    message: String,
    /// The newest last.
    rows: VecDeque<IntervalRow>,
    /// What the nemesis did, the newest last, each with its second.
    faults: VecDeque<String>,
    present: String,
}

impl Tui {
    /// Takes the terminal over.
    pub(super) fn start(title: String) -> std::io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let ended = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&ended);
        let keys = std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || listen(&heard))?;
        Ok(Self {
            terminal,
            keys: Some(keys),
            ended,
            shown: Shown {
                title,
                ..Shown::default()
            },
        })
    }

    fn draw(&mut self) {
        // A terminal that cannot be drawn to is no reason to end the run.
        let _ = self.terminal.draw(|frame| draw(frame, &self.shown));
    }
}

/// Ends the run as Ctrl-C does when `q`, Escape or Ctrl-C is typed: in this mode the terminal sends
/// no signal itself.
fn listen(ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        if !event::poll(KEY_WAIT).unwrap_or(false) {
            continue;
        }
        let Ok(Event::Key(KeyEvent {
            code, modifiers, ..
        })) = event::read()
        else {
            continue;
        };
        let is_ctrl_c = code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL);
        let is_end = is_ctrl_c || matches!(code, KeyCode::Char('q') | KeyCode::Esc);
        if is_end {
            let this = rustix::process::getpid();
            // It exists, and it may signal itself.
            let _ = rustix::process::kill_process(this, rustix::process::Signal::INT);
        }
    }
}

impl Observer for Tui {
    fn stage(&mut self, name: &'static str) {
        self.shown.stage = name;
        self.shown.message.clear();
        self.draw();
    }

    fn progress(&mut self, message: String) {
        self.shown.message = message;
        self.draw();
    }

    fn second(&mut self, row: &IntervalRow) {
        if self.shown.rows.len() == SECONDS_MAX {
            self.shown.rows.pop_front();
        }
        self.shown.rows.push_back(row.clone());
        self.draw();
    }

    fn faults(&mut self, present: &str) {
        if present == self.shown.present {
            return;
        }
        let now = self
            .shown
            .rows
            .back()
            .map_or(0.0, |row| row.end_ns as f64 / 1e9);
        let change = if present.is_empty() {
            "all healed"
        } else {
            present
        };
        if self.shown.faults.len() == FAULTS_MAX {
            self.shown.faults.pop_front();
        }
        self.shown
            .faults
            .push_back(format!("{now:6.0} s  {change}"));
        present.clone_into(&mut self.shown.present);
        self.draw();
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(keys) = self.keys.take() {
            // It has nothing to say.
            let _ = keys.join();
        }
        ratatui::restore();
    }
}

/// The least size of a terminal, in columns and lines, that has room for panels.
const PANELS_MIN: (u16, u16) = (72, 24);

fn draw(frame: &mut Frame<'_>, shown: &Shown) {
    let area = frame.area();
    if area.width < PANELS_MIN.0 || area.height < PANELS_MIN.1 {
        in_lines(frame, shown);
    } else {
        in_panels(frame, shown);
    }
}

/// What matters most, a line each, for a terminal without room for panels.
fn in_lines(frame: &mut Frame<'_>, shown: &Shown) {
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time_text);
    let mut lines = vec![
        Line::from(shown.title.clone()).bold(),
        Line::from(format!("{} {}", shown.stage, shown.message)),
    ];
    if let Some(row) = shown.rows.back() {
        let summary = latency(row);
        let rate = row.per_second(row.all.service.count).unwrap_or(0.0);
        lines.push(Line::from(format!(
            "{} operations/s, {} errors",
            rate_text(rate),
            row.all.errors
        )));
        lines.push(Line::from(format!(
            "p50 {}, p99 {}, max {}",
            time(summary.p50),
            time(summary.p99),
            time(summary.max)
        )));
        for (id, node) in row.nodes.iter().enumerate() {
            let (state, colour) = state(node);
            let style = Style::default().fg(colour);
            lines.push(Line::from(format!("n{id} {state}")).style(style));
        }
    }
    lines.extend({ shown.faults.iter().rev() }.map(|fault| Line::from(fault.as_str())));
    frame.render_widget(Paragraph::new(lines), frame.area());
}

/// How clients found a node in the last second, in a word and its colour.
const fn state(node: &PlaceRow) -> (&'static str, Color) {
    match (node.latency.count, node.errors) {
        (0, 0) => ("idle", Color::DarkGray),
        (0, _) => ("silent", Color::Red),
        (_, 0) => ("well", Color::Green),
        (_, _) => ("troubled", Color::Yellow),
    }
}

fn in_panels(frame: &mut Frame<'_>, shown: &Shown) {
    let nodes = shown.rows.back().map_or(0, |row| row.nodes.len()) as u16;
    let [head, curves, numbers, places, faults] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(nodes.clamp(1, 12) + 3),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    let state = format!("{} {}", shown.stage, shown.message);
    let head_text = vec![
        Line::from(shown.title.clone()).bold(),
        Line::from(state),
        Line::from("q ends the run; what was recorded is kept").dim(),
    ];
    frame.render_widget(Paragraph::new(head_text), head);
    let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(curves);
    let latest = shown.rows.back();
    let rates = |row: &IntervalRow| row.per_second(row.all.service.count).unwrap_or(0.0);
    let offered = latest.and_then(|row| row.per_second(row.offered?));
    let title = format!(
        "operations/s: {}{}",
        rate_text(latest.map_or(0.0, rates)),
        offered.map_or_else(String::new, |rate| format!(
            " of {} offered",
            rate_text(rate)
        ))
    );
    curve(frame, left, shown, title, Color::Blue, |row| {
        rates(row) as u64
    });
    let p99 = |row: &IntervalRow| latency(row).p99.unwrap_or(0);
    let title = format!("p99: {}", time_text(latest.map_or(0, p99)));
    curve(frame, right, shown, title, Color::Red, p99);
    if let Some(row) = shown.rows.back() {
        percentiles(frame, numbers, row);
        health(frame, places, row);
    }
    let style = if shown.present.is_empty() {
        Style::default()
    } else {
        Style::default().fg(Color::Yellow)
    };
    let room = faults.height.saturating_sub(2) as usize;
    let lines: Vec<Line<'_>> = { shown.faults.iter().rev().take(room) }
        .map(|line| Line::from(line.as_str()))
        .collect();
    let block = Block::bordered().title("faults, the newest first");
    frame.render_widget(Paragraph::new(lines).style(style).block(block), faults);
}

const fn latency(row: &IntervalRow) -> Summary {
    match row.all.response {
        Some(response) => response,
        None => row.all.service,
    }
}

fn curve(
    frame: &mut Frame<'_>,
    area: Rect,
    shown: &Shown,
    title: String,
    colour: Color,
    value: impl Fn(&IntervalRow) -> u64,
) {
    let width = area.width.saturating_sub(2) as usize;
    let from = shown.rows.len().saturating_sub(width);
    let values: Vec<u64> = shown.rows.iter().skip(from).map(value).collect();
    let block = Block::bordered().title(title);
    let line = Sparkline::default()
        .data(values)
        .style(Style::default().fg(colour))
        .block(block);
    frame.render_widget(line, area);
}

fn percentiles(frame: &mut Frame<'_>, area: Rect, row: &IntervalRow) {
    let summary = latency(row);
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time_text);
    let header = Row::new([
        "last second",
        "p50",
        "p90",
        "p95",
        "p99",
        "p99.9",
        "max",
        "errors",
    ]);
    let cells = [
        "all kinds".to_owned(),
        time(summary.p50),
        time(summary.p90),
        time(summary.p95),
        time(summary.p99),
        time(summary.p999),
        time(summary.max),
        row.all.errors.to_string(),
    ];
    let widths = [Constraint::Length(12); 8];
    let table = Table::new([Row::new(cells)], widths)
        .header(header.bold())
        .block(Block::bordered().title("latency"));
    frame.render_widget(table, area);
}

fn health(frame: &mut Frame<'_>, area: Rect, row: &IntervalRow) {
    let header = Row::new(["node", "state", "ops/s", "p50", "p99", "errors"]);
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), time_text);
    let rows = row.nodes.iter().enumerate().map(|(id, node)| {
        let (state, colour) = state(node);
        let rate = row.per_second(node.latency.count);
        Row::new([
            Cell::from(format!("n{id}")),
            Cell::from(state).style(Style::default().fg(colour)),
            Cell::from(rate.map_or_else(|| "-".to_owned(), rate_text)),
            Cell::from(time(node.latency.p50)),
            Cell::from(time(node.latency.p99)),
            Cell::from(node.errors.to_string()),
        ])
    });
    let widths = [Constraint::Length(12); 6];
    let table = Table::new(rows, widths)
        .header(header.bold())
        .block(Block::bordered().title("nodes, as clients see them"));
    frame.render_widget(table, area);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::measure::KindRow;

    #[test]
    fn a_screen_shows_rates_percentiles_nodes_and_faults() {
        let summary = |count| Summary {
            count,
            p50: Some(200_000),
            p99: Some(3_000_000),
            ..Summary::default()
        };
        let place = |count, errors| PlaceRow {
            latency: summary(count),
            errors,
        };
        let row = IntervalRow {
            start_ns: 1_000_000_000,
            end_ns: 2_000_000_000,
            offered: Some(20_000),
            all: KindRow {
                service: summary(12_345),
                ..KindRow::default()
            },
            nodes: vec![place(9_000, 0), place(3_345, 7), place(0, 40)],
            ..IntervalRow::default()
        };
        let shown = Shown {
            title: "replicated, causal: zipf".to_owned(),
            stage: "run",
            rows: VecDeque::from([row]),
            faults: VecDeque::from(["     2 s  kill n2".to_owned()]),
            ..Shown::default()
        };
        let mut terminal = Terminal::new(TestBackend::new(100, 30)).expect("a screen");
        terminal.draw(|frame| draw(frame, &shown)).expect("drawn");
        let screen = terminal.backend().to_string();
        for text in [
            "12.3k of 20.0k offered",
            "p95",
            "3.00 ms",
            "well",
            "troubled",
            "silent",
            "kill n2",
        ] {
            assert!(screen.contains(text), "{text} is not on\n{screen}");
        }
        // A small terminal has the same without panels, the newest fault included.
        let mut terminal = Terminal::new(TestBackend::new(40, 12)).expect("a screen");
        terminal.draw(|frame| draw(frame, &shown)).expect("drawn");
        let screen = terminal.backend().to_string();
        for text in [
            "12.3k operations/s",
            "p99 3.00 ms",
            "n0 well",
            "n1 troubled",
            "n2 silent",
            "kill n2",
        ] {
            assert!(screen.contains(text), "{text} is not on\n{screen}");
        }
        // A tiny one cuts it short and does not panic.
        let mut terminal = Terminal::new(TestBackend::new(20, 5)).expect("a screen");
        terminal.draw(|frame| draw(frame, &shown)).expect("drawn");
    }
}
