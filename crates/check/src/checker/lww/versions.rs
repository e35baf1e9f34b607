//! The versions of a history: those of replies, and those that follow from them.
//!
//! A put without a version of its own, because its reply was lost or says nothing, has the one
//! under which a get read it. A get without one read its put's. What found nothing read no version.

use super::super::coverage::Coverage;
use super::super::index::{Index, Table};
use crate::history::{Evidence, Kind, Version, origin};

/// An operation with its place in arbitration order.
#[derive(Clone, Copy, Debug)]
pub(in crate::checker) struct Item {
    pub(in crate::checker) version: Option<Version>,
    pub(in crate::checker) is_get: bool,
    pub(in crate::checker) row: u32,
    /// The origin whose register of the key it acted on.
    pub(in crate::checker) place: u32,
}

impl Item {
    /// Version first, and a put before the gets of its version.
    pub(in crate::checker) fn rank(&self) -> (Option<Version>, bool) {
        (self.version, self.is_get)
    }
}

/// The version of every operation, as far as it is known.
#[derive(Debug)]
pub(in crate::checker) struct Versions<'a, 'h> {
    index: &'a Index<'h>,
    /// Of puts that carry none, that under which the first get read them.
    read: Table<u32, Version>,
}

impl<'a, 'h> Versions<'a, 'h> {
    pub(in crate::checker) fn new(index: &'a Index<'h>) -> Self {
        let columns = index.columns;
        let mut read: Table<u32, Version> = Table::default();
        for get in (0..index.history.len()).filter(|row| index.is_usable_get(*row)) {
            if let ([put], Some(version)) = (index.puts_read(get), columns.version(get))
                && columns.version(*put as usize).is_none()
            {
                read.entry(*put).or_insert(version);
            }
        }
        Self { index, read }
    }

    /// The version of a put.
    pub(in crate::checker) fn of_put(&self, put: usize) -> Option<Version> {
        let own = self.index.columns.version(put);
        own.or_else(|| self.read.get(&(put as u32)).copied())
    }

    fn of_get(&self, get: usize) -> Option<Option<Version>> {
        let own = self.index.columns.version(get);
        match self.index.puts_read(get) {
            [] => Some(own),
            [put] => own.or_else(|| self.of_put(*put as usize)).map(Some),
            [..] => None,
        }
    }

    /// The version of an operation: the outer `None` when it is not known, the inner one for a get
    /// of the value that nobody put.
    pub(in crate::checker) fn of(&self, row: usize) -> Option<Option<Version>> {
        match self.index.columns.kind[row] {
            Kind::Get => self.of_get(row),
            Kind::Put | Kind::Cas | Kind::Append => self.of_put(row).map(Some),
        }
    }

    /// Every operation of known version that an order has to explain, in no order.
    pub(in crate::checker) fn items(&self) -> Vec<Item> {
        let rows = 0..self.index.history.len();
        let counted = rows.filter(|row| self.index.counts(*row));
        counted.filter_map(|row| self.item(row)).collect()
    }

    fn item(&self, row: usize) -> Option<Item> {
        let columns = self.index.columns;
        let is_get = columns.kind[row] == Kind::Get;
        let version = self.of(row)?;
        let place = match version {
            Some(version) if !is_get => version.origin,
            Some(_) | None => origin(columns.node[row], columns.incarnation[row]),
        };
        Some(Item {
            version,
            is_get,
            row: row as u32,
            place,
        })
    }

    /// How much of the history has a known version; nothing where no operation carries one.
    pub(in crate::checker) fn coverage(&self) -> Coverage {
        let index = self.index;
        let carries = |row: usize| index.columns.evidence[row] == Evidence::Versions;
        let mut coverage = Coverage::of(index, |row| self.item(row).is_some());
        if !(0..index.history.len()).any(|row| index.counts(row) && carries(row)) {
            coverage.known = 0;
        }
        coverage
    }
}
