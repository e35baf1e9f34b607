//! Circles that only the order of sessions at one instant closes.
//!
//! What a session did in order is in order, also where one operation returned at the instant at
//! which the next was invoked. The walk compares times, which are equal there. A circle with an
//! edge of real time in it has one with no other edge that times do not tell (the precedences of a
//! history without such ties are an interval order), and the walk finds it. What is left are
//! circles of version order and of ties at one instant. This module searches the graph of both for
//! them, in O(n) for n operations.

use std::collections::VecDeque;

use super::super::index::{Index, Table};
use super::super::verdict::Findings;
use super::{Item, NONE, report};

/// Ties that are tried as the start of a circle to show.
const STARTS_MAX: usize = 64;

/// What has to come before what: the operations by their places, then what stands between those of
/// one rank and those of the next on a register.
struct Graph<'i> {
    items: &'i [Item],
    /// Node to those that have to come after it.
    after: Vec<Vec<u32>>,
    /// Pairs of places: a session's operation and its next, at one instant.
    ties: Vec<(u32, u32)>,
}

impl<'i> Graph<'i> {
    /// The graph of items that are sorted by rank; `None` where no session has a tie.
    fn new(index: &Index<'_>, items: &'i [Item]) -> Option<Self> {
        let mut graph = Self {
            items,
            after: vec![Vec::new(); items.len()],
            ties: ties(index, items),
        };
        if graph.ties.is_empty() {
            return None;
        }
        for (a, b) in &graph.ties {
            graph.after[*a as usize].push(*b);
        }
        graph.order_registers(index);
        graph.order_puts(index);
        Some(graph)
    }

    /// On a register operations come in the order of their ranks, those of one rank in any.
    fn order_registers(&mut self, index: &Index<'_>) {
        let key = |place: &u32| {
            let item = &self.items[*place as usize];
            (item.place, index.key[item.row as usize])
        };
        let mut places: Vec<u32> = (0..self.items.len() as u32).collect();
        places.sort_by_key(key);
        for register in places.chunk_by(|a, b| key(a) == key(b)) {
            let rank = |place: u32| self.items[place as usize].rank();
            let mut between = NONE;
            for group in register.chunk_by(|a, b| rank(*a) == rank(*b)) {
                if between != NONE {
                    self.after[between as usize].extend(group);
                }
                between = self.after.len() as u32;
                self.after.push(Vec::new());
                for place in group {
                    self.after[*place as usize].push(between);
                }
            }
        }
    }

    /// An origin puts in the order of versions, and what is read was put.
    fn order_puts(&mut self, index: &Index<'_>) {
        let mut last_of_origin: Table<u32, u32> = Table::default();
        let mut put_at: Table<u32, u32> = Table::default();
        for (place, item) in (0u32..).zip(self.items) {
            let before = if item.is_get {
                let put = index.puts_read(item.row as usize).first();
                put.and_then(|put| put_at.get(put).copied())
            } else {
                put_at.insert(item.row, place);
                last_of_origin.insert(item.place, place)
            };
            if let Some(before) = before {
                self.after[before as usize].push(place);
            }
        }
    }

    /// Which nodes are left when those are taken away again and again that nothing left has to come
    /// before: circles, and what comes after them.
    fn left(&self) -> Vec<bool> {
        let mut holds = vec![0u32; self.after.len()];
        for next in self.after.iter().flatten() {
            holds[*next as usize] += 1;
        }
        let nodes = 0..self.after.len() as u32;
        let mut ready: Vec<u32> = nodes.filter(|node| holds[*node as usize] == 0).collect();
        let mut left = vec![true; self.after.len()];
        while let Some(node) = ready.pop() {
            left[node as usize] = false;
            for next in &self.after[node as usize] {
                holds[*next as usize] -= 1;
                if holds[*next as usize] == 0 {
                    ready.push(*next);
                }
            }
        }
        left
    }

    /// The places on a shortest way along what is left.
    fn way(&self, from: u32, to: u32, left: &[bool]) -> Option<Vec<u32>> {
        let mut reached_from: Table<u32, u32> = Table::default();
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut way = vec![to];
                while let Some(before) = way.last().and_then(|node| reached_from.get(node)) {
                    way.push(*before);
                }
                way.reverse();
                way.retain(|node| (*node as usize) < self.items.len());
                return Some(way);
            }
            for next in self.after[node as usize].iter().copied() {
                if left[next as usize] && next != from && !reached_from.contains_key(&next) {
                    reached_from.insert(next, node);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

/// Each two operations of a session that follow each other without a tick of the clock, by their
/// places among the items.
fn ties(index: &Index<'_>, items: &[Item]) -> Vec<(u32, u32)> {
    let mut place_of = vec![NONE; index.history.len()];
    for (place, item) in (0u32..).zip(items) {
        place_of[item.row as usize] = place;
    }
    let mut ties = Vec::new();
    for session in 0..index.by_session.len() {
        let rows = index.by_session.at(session).iter().copied();
        let mut rows = rows.filter(|row| place_of[*row as usize] != NONE);
        let Some(mut before) = rows.next() else {
            continue;
        };
        for row in rows {
            if index.returned(before as usize) == index.invoke(row as usize) {
                ties.push((place_of[before as usize], place_of[row as usize]));
            }
            before = row;
        }
    }
    ties
}

/// Reports a circle, if there is one. `items` are sorted by rank.
pub(super) fn find(index: &Index<'_>, items: &[Item], findings: &mut Findings<'_>) {
    let Some(graph) = Graph::new(index, items) else {
        return;
    };
    let left = graph.left();
    let is_left = |(a, b): &&(u32, u32)| left[*a as usize] && left[*b as usize];
    let ties = graph.ties.iter().filter(is_left).take(STARTS_MAX);
    let ways = ties.filter_map(|(a, b)| graph.way(*b, *a, &left));
    if let Some(way) = ways.min_by_key(Vec::len) {
        let rows = way.iter().map(|place| items[*place as usize].row as usize);
        report(index, &items[way[0] as usize], rows.collect(), findings);
    }
}
