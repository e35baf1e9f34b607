//! Measures in the simulator how updates spread among more replicas than a machine can hold as
//! processes, and compares that with the theory of epidemics.

mod grid;
mod plot;
mod point;
mod table;

use std::num::NonZero;
use std::path::Path;

use kvs_sim::{Scale, SimVerdict, Spread, Topology};

use crate::{Observer, parallel};

pub use grid::Grid;
pub use point::Point;
pub use table::{csv, text};

/// Measures every combination with so many seeds, from 0, `jobs` at a time.
///
/// # Errors
/// The verdict of a simulated replica that failed.
///
/// # Panics
/// When there are more combinations and seeds than memory has places.
pub fn measure(
    scales: &[Scale],
    seeds: NonZero<u64>,
    jobs: NonZero<usize>,
    observer: &mut dyn Observer,
) -> Result<Vec<Point>, SimVerdict> {
    let all = scales.len() as u64 * seeds.get();
    observer.begin(all);
    let work = |number: u64| {
        let scale = &scales[usize::try_from(number / seeds).expect("a place in the list")];
        scale.run(number % seeds)
    };
    let ran = parallel::each(0..all, jobs, work, |_| observer.advance("scale"));
    observer.end();
    let spreads = ran
        .into_iter()
        .collect::<Result<Vec<Spread>, SimVerdict>>()?;
    let by_scale = spreads.chunks(usize::try_from(seeds.get()).expect("as many are in memory"));
    let points = scales.iter().zip(by_scale);
    Ok(points
        .map(|(scale, seeds)| Point::new(scale, seeds))
        .collect())
}

/// Writes the table and the plots into a directory.
///
/// # Errors
/// When one of them cannot be drawn or written.
pub fn keep(directory: &Path, topology: Topology, points: &[Point]) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("scale.csv"), csv(points)?)?;
    std::fs::write(directory.join("scale.txt"), text(points))?;
    for (name, svg) in plot::figures(topology, points)? {
        std::fs::write(directory.join(name), svg)?;
    }
    Ok(())
}
