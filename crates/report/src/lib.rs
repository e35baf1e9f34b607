//! What people and CI read of a run, made from its saved record alone: [`report`] makes the screen
//! and the pages, [`web`] shows them in a browser.

pub mod report;
pub mod web;
