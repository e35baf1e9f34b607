//! What a get returned beside what its vector covers (A4).

use super::super::certificate::entry;
use super::super::dominance::Wrong;
use super::super::property::AnomalyKind;
use super::{Axioms, NEAR};
use crate::history::{dot_origin, dot_text};

impl Axioms<'_, '_> {
    /// A4.
    pub(super) fn siblings(&mut self, get: usize, vector: &[u64]) {
        let key = self.index.key[get];
        let near = &mut self.near[key as usize];
        let latest = |(place, dot): (usize, &u64)| {
            let near = &mut near[place % NEAR];
            self.certificate.latest_on_key(key, *dot, near)
        };
        let candidates: Vec<u32> = vector.iter().enumerate().filter_map(latest).collect();
        let superseding = |put: u32| {
            let dot = self.certificate.dot(put);
            candidates.iter().copied().find(|other| {
                *other != put && entry(self.certificate.vector(*other), dot_origin(dot)) >= dot
            })
        };
        let returned = self.index.puts_read(get);
        let missing: Vec<u32> = candidates
            .iter()
            .copied()
            .filter(|put| !returned.contains(&(self.certificate.row(*put) as u32)))
            .filter(|put| superseding(*put).is_none())
            .collect();
        let covered = returned
            .iter()
            .map(|row| self.certificate.number[*row as usize]);
        let superseded: Vec<(u32, u32)> = covered
            .filter_map(|put| Some((put, superseding(put)?)))
            .collect();
        for put in missing {
            self.missing_sibling(get, put);
        }
        self.uncovered_siblings(get, vector);
        for (put, by) in superseded {
            self.superseded_sibling(get, vector, put, by);
        }
    }

    /// A4 where contexts say what supersedes what.
    pub(super) fn siblings_by_contexts(&mut self, get: usize, vector: &[u64]) {
        let key = self.index.key[get];
        let covered = |dots: &[u64]| {
            let upto = dots
                .first()
                .map_or(0, |dot| entry(vector, dot_origin(*dot)));
            dots.partition_point(|dot| *dot <= upto) as u32
        };
        let runs = self.certificate.runs(key);
        let seen: Vec<u32> = runs.map(|(_, dots)| covered(dots)).collect();
        let Some(contexts) = &mut self.contexts else {
            return;
        };
        let wrong = match contexts.judge(self.index, key, &seen, self.index.puts_read(get)) {
            Ok(wrong) => wrong,
            Err(reason) => {
                self.open = Some(reason);
                Vec::new()
            }
        };
        self.uncovered_siblings(get, vector);
        let number = |row: u32| self.certificate.number[row as usize];
        for wrong in wrong {
            match wrong {
                Wrong::Missing { put } => self.missing_sibling(get, number(put)),
                Wrong::Superseded { put, by } => {
                    self.superseded_sibling(get, vector, number(put), number(by));
                }
            }
        }
    }

    fn missing_sibling(&mut self, get: usize, put: u32) {
        let row = self.certificate.row(put);
        self.findings
            .add(AnomalyKind::MissingSibling, &[row, get], || {
                format!(
                    "{} covers {}, nothing it covers supersedes it, yet it was left out",
                    self.index.name(get),
                    dot_text(self.certificate.dot(put))
                )
            });
    }

    fn uncovered_siblings(&mut self, get: usize, vector: &[u64]) {
        for row in self.index.puts_read(get) {
            let number = self.certificate.number[*row as usize];
            let dot = self.certificate.dot(number);
            if entry(vector, dot_origin(dot)) < dot {
                self.findings
                    .add(AnomalyKind::UncoveredSibling, &[*row as usize, get], || {
                        format!(
                            "{} returned {}, which its own vector lacks",
                            self.index.name(get),
                            dot_text(dot)
                        )
                    });
            }
        }
    }

    /// Unless the vector lacks the sibling itself, which is wrong already.
    fn superseded_sibling(&mut self, get: usize, vector: &[u64], put: u32, by: u32) {
        let dot = self.certificate.dot(put);
        if entry(vector, dot_origin(dot)) < dot {
            return;
        }
        let rows = [self.certificate.row(put), self.certificate.row(by), get];
        self.findings
            .add(AnomalyKind::SupersededSibling, &rows, || {
                format!(
                    "{} returned {} although it covers {}, which supersedes it",
                    self.index.name(get),
                    dot_text(dot),
                    dot_text(self.certificate.dot(by))
                )
            });
    }
}
