//! `kvs-bench scale`: how updates spread among more replicas than a machine can hold as processes,
//! measured in the simulator and put beside what the theory of epidemics says.

mod arguments;
mod plot;
mod point;
mod table;

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::sim::{Scale, Spread, Verdict};

use super::progress::Bar;
use super::{ExitStatus, Failure, parallel};

pub(super) use arguments::ScaleArgs;
use point::Point;

/// Measures every combination of the parameters, and prints one line each.
pub(super) fn main(args: &ScaleArgs) -> Result<ExitStatus, Failure> {
    let scales = args.scales()?;
    let points = measure(args, &scales)?;
    if args.json() {
        let json = serde_json::to_string_pretty(&points).context("cannot print the result")?;
        super::print(&json)?;
    } else if args.csv() {
        super::print(&table::csv(&points)?)?;
    } else {
        super::print(&table::text(&points))?;
    }
    if let Some(directory) = args.out() {
        keep(directory, args, &points)
            .with_context(|| format!("cannot keep the result in {}", directory.display()))?;
    }
    // An update that is not everywhere at the end has not spread, which is what gossip promises.
    Ok(if points.iter().all(Point::converged) {
        ExitStatus::Valid
    } else {
        ExitStatus::Invalid
    })
}

fn measure(args: &ScaleArgs, scales: &[Scale]) -> Result<Vec<Point>, Failure> {
    let seeds = args.seeds();
    let bar = Bar::new(scales.len() as u64 * seeds);
    let work = |number: u64| {
        let scale = &scales[usize::try_from(number / seeds).expect("a place in the list")];
        scale.run(number % seeds)
    };
    let all = 0..scales.len() as u64 * seeds;
    let ran = parallel::each(all, args.jobs(), work, |_| bar.advance("scale".to_owned()));
    let spreads = ran
        .into_iter()
        .collect::<Result<Vec<Spread>, Verdict>>()
        .map_err(|verdict| Failure {
            status: ExitStatus::Invalid,
            error: anyhow!("a simulated replica failed: {verdict}"),
        })?;
    let by_scale = spreads.chunks(usize::try_from(seeds).expect("bounded by its parser"));
    let points = scales.iter().zip(by_scale);
    Ok(points
        .map(|(scale, seeds)| Point::new(scale, seeds))
        .collect())
}

/// Writes the table and the plots.
fn keep(directory: &Path, args: &ScaleArgs, points: &[Point]) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("scale.csv"), table::csv(points)?)?;
    std::fs::write(directory.join("scale.txt"), table::text(points))?;
    for (name, svg) in plot::figures(args.topology(), points)? {
        std::fs::write(directory.join(name), svg)?;
    }
    Ok(())
}
