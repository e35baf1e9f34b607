//! The nodes, their replica groups, and who talks to whom, as places of a drawing.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use serde::Serialize;

use crate::report::layout::plural;
use kvs_measure::{NodeRecord, RunRecord};

/// The radius of a node.
const RADIUS: f64 = 18.0;
/// Between groups, and around the drawing.
const MARGIN: f64 = 14.0;
/// Groups that stand side by side.
const COLUMNS_MAX: usize = 6;
/// The room above the groups, for the load generator.
const HEAD: f64 = 80.0;
/// Up to so many nodes the links between all of them can be told apart.
const LINKED_NODES_MAX: usize = 9;

/// The drawing.
#[derive(Debug, Serialize)]
pub(super) struct Topology {
    width: f64,
    height: f64,
    middle: f64,
    client_left: f64,
    radius: f64,
    client: String,
    caption: String,
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    left: f64,
    top: f64,
    size: f64,
    middle: f64,
    label: f64,
    nodes: Vec<Node>,
    /// From and to, x and y each.
    links: Vec<[f64; 4]>,
}

#[derive(Debug, Serialize)]
struct Node {
    name: String,
    x: f64,
    y: f64,
    trouble: bool,
    title: String,
}

/// Draws the topology of a run.
pub(super) fn topology(record: &RunRecord) -> Topology {
    let configuration = &record.configuration;
    let mut groups: BTreeMap<u32, Vec<&NodeRecord>> = BTreeMap::new();
    for node in &record.nodes {
        groups.entry(node.group).or_default().push(node);
    }
    let largest = groups.values().map(Vec::len).max().unwrap_or(1);
    // The ring of the largest group leaves a radius between its nodes.
    let ring = if largest > 1 {
        (largest as f64 * RADIUS * 3.2 / TAU).max(RADIUS * 1.9)
    } else {
        0.0
    };
    let size = 2.0 * (ring + RADIUS + MARGIN) + 14.0;
    let columns = groups.len().clamp(1, COLUMNS_MAX);
    let width = (columns as f64 * (size + MARGIN) + MARGIN).max(340.0);
    let indent = (width - columns as f64 * (size + MARGIN) + MARGIN) / 2.0;
    let rows = groups.len().div_ceil(columns);
    let replicated = configuration.lattice.is_some();
    let groups: Vec<Group> = groups
        .iter()
        .enumerate()
        .map(|(at, (id, nodes))| {
            let left = indent + (at % columns) as f64 * (size + MARGIN);
            let top = HEAD + (at / columns) as f64 * (size + MARGIN);
            group(*id, nodes, left, top, size, ring, replicated)
        })
        .collect();
    let lattice = configuration.lattice.as_deref();
    let gossip = lattice.map_or_else(
        || "nodes do not talk to one another".to_owned(),
        |lattice| format!("dashed lines: gossip of {lattice} values"),
    );
    Topology {
        width: width.round(),
        height: (HEAD + rows as f64 * (size + MARGIN)).round(),
        middle: (width / 2.0).round(),
        client_left: (width / 2.0 - 120.0).round(),
        radius: RADIUS,
        client: format!(
            "{} ({})",
            plural(u64::from(configuration.sessions), "session"),
            configuration.routing
        ),
        caption: format!(
            "{}: {} in {}; solid lines: requests, routed by key; {gossip}.",
            configuration.architecture,
            plural(u64::from(configuration.nodes), "node"),
            plural(u64::from(configuration.groups), "group"),
        ),
        groups,
    }
}

fn group(
    id: u32,
    nodes: &[&NodeRecord],
    left: f64,
    top: f64,
    size: f64,
    ring: f64,
    replicated: bool,
) -> Group {
    let middle = left + size / 2.0;
    let centre = top + size / 2.0 + 7.0;
    let place = |at: usize| {
        let angle = TAU * at as f64 / nodes.len() as f64 - TAU / 4.0;
        let round = |it: f64| (it * 10.0).round() / 10.0;
        (
            round(middle + ring * angle.cos()),
            round(centre + ring * angle.sin()),
        )
    };
    let mut links = Vec::new();
    if replicated && nodes.len() <= LINKED_NODES_MAX {
        for from in 0..nodes.len() {
            for to in from + 1..nodes.len() {
                let ((x1, y1), (x2, y2)) = (place(from), place(to));
                links.push([x1, y1, x2, y2]);
            }
        }
    }
    Group {
        name: format!("group {id}"),
        left,
        top,
        size,
        middle,
        label: top + 15.0,
        nodes: nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                let (x, y) = place(at);
                let fate = node.fate.as_deref().unwrap_or("ended as asked");
                Node {
                    name: format!("n{}", node.node),
                    x,
                    y,
                    trouble: node.fate.is_some(),
                    title: format!("n{}: {} requests; {fate}", node.node, node.requests),
                }
            })
            .collect(),
        links,
    }
}
