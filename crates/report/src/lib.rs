//! Reports of a run for people and CI, made from its saved record alone: [`report`] makes the
//! screen and the pages, [`web`] shows them in a browser.

pub mod report;
pub mod web;
