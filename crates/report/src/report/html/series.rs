//! The charts over time of a run, from `timeseries.csv` and `nodes.csv`, thinned out to what a page
//! can show.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use kvs_measure::Measured;

use super::{Axis, Chart, Curve, PageError, Variant};

/// Places on the time axis: about two for each pixel of a small screen, one for each of a large
/// one. Longer runs have several seconds a place.
pub(super) const PLACES_MAX: usize = 900;
/// Curves of one chart: nodes beyond these are left out, and the page says so.
pub(super) const CURVES_MAX: usize = 24;
/// Rows that are read of a file: more than a day of a hundred nodes.
const ROWS_MAX: usize = 20_000_000;

/// The charts over time, and what a reader should know beside them.
pub(super) fn time_charts(directory: &Path) -> Result<(Vec<Chart>, Vec<String>), PageError> {
    let mut notices = Vec::new();
    let mut charts = Vec::new();
    let Some(rows) = read::<KindLine>(&directory.join(Measured::SERIES_FILE_NAME))? else {
        let name = Measured::SERIES_FILE_NAME;
        notices.push(format!("{name} is missing: there are no charts over time."));
        return Ok((charts, notices));
    };
    let mut kinds: BTreeMap<(usize, String), Vec<Sample>> = BTreeMap::new();
    const ORDER: [&str; 6] = [
        "all",
        "read",
        "update",
        "insert",
        "read-modify-write",
        "compare-and-set",
    ];
    for row in rows {
        let place = ORDER.iter().position(|known| *known == row.kind);
        let key = (place.unwrap_or(ORDER.len()), row.kind.clone());
        kinds.entry(key).or_default().push(row.sample());
    }
    let Some(all) = kinds.get(&(0, "all".to_owned())) else {
        return Ok((charts, notices));
    };
    let grid = Grid::over(all);
    let named: Vec<(String, Vec<Place>)> = { kinds.iter() }
        .map(|((_, name), samples)| (name.clone(), grid.thin(samples)))
        .collect();
    charts.push(throughput(&grid, &named));
    charts.push(latency(&grid, &named));

    match read::<PlaceLine>(&directory.join(Measured::PLACES_FILE_NAME))? {
        None => notices.push(format!(
            "{} is missing: this run is older than the charts by node.",
            Measured::PLACES_FILE_NAME
        )),
        Some(rows) => {
            let mut places: BTreeMap<(String, u32), Vec<Sample>> = BTreeMap::new();
            for row in rows {
                let key = (row.scope.clone(), row.id);
                places.entry(key).or_default().push(row.sample());
            }
            for (id, scope, title, letter) in [
                ("by-group", "group", "By replica group (shard)", "g"),
                ("by-node", "node", "By node", "n"),
            ] {
                let of_scope = places.iter().filter(|((of, _), _)| of == scope);
                let count = of_scope.clone().count();
                // One group is the whole.
                if count < 2 {
                    continue;
                }
                if count > CURVES_MAX {
                    notices.push(format!(
                        "{title}: the first {CURVES_MAX} of {count} are drawn; {} has all.",
                        Measured::PLACES_FILE_NAME
                    ));
                }
                let curves: Vec<(String, Vec<Place>)> = of_scope
                    .take(CURVES_MAX)
                    .map(|((_, id), samples)| (format!("{letter}{id}"), grid.thin(samples)))
                    .collect();
                charts.push(by_place(id, title, &grid, &curves));
            }
        }
    }
    Ok((charts, notices))
}

/// The courses of several runs over one another, from the start of each; nothing when no file is
/// there.
pub(in crate::report) fn overlaid_courses(
    id: &str,
    runs: &[(&str, &Path)],
) -> Result<Option<Chart>, PageError> {
    let mut courses: Vec<(String, Vec<Sample>)> = Vec::new();
    for (name, directory) in runs {
        let rows = read::<KindLine>(&directory.join(Measured::SERIES_FILE_NAME))?;
        let of_all = rows.into_iter().flatten().filter(|row| row.kind == "all");
        let mut samples: Vec<Sample> = of_all.map(|row| row.sample()).collect();
        let Some(start_s) = samples.first().map(|first| first.start_s) else {
            continue;
        };
        for sample in &mut samples {
            sample.start_s -= start_s;
            sample.end_s -= start_s;
        }
        courses.push(((*name).to_owned(), samples));
    }
    let Some((_, longest)) = courses.iter().max_by_key(|(_, samples)| samples.len()) else {
        return Ok(None);
    };
    let grid = Grid::over(longest);
    let named: Vec<(String, Vec<Place>)> = { courses.iter() }
        .map(|(name, samples)| (name.clone(), grid.thin(samples)))
        .collect();
    let mut chart = by_place(id, "Course", &grid, &named);
    for variant in &mut chart.variants {
        for (curve, (_, samples)) in variant.series.iter_mut().zip(&courses) {
            let end_s = samples.last().map_or(0.0, |last| last.end_s);
            // A run that has ended does not do nothing: it is no more.
            for (value, (from, _)) in curve.values.iter_mut().zip(&grid.0) {
                *value = value.filter(|_| *from < end_s);
            }
        }
    }
    chart.x_label = "time since the measured part began";
    chart.note = format!(
        "Second by second, the run of each set whose throughput is the median. {}",
        thinned(&grid)
    );
    (chart.sync, chart.shaded) = (None, false);
    Ok(Some(chart))
}

/// A row of `timeseries.csv`, as far as it is drawn.
#[derive(Deserialize)]
struct KindLine {
    start_s: f64,
    end_s: f64,
    kind: String,
    operations: u64,
    errors: u64,
    /// Of an open loop, on the lines of all kinds together.
    offered: Option<u64>,
    response_p50_ns: Option<f64>,
    response_p99_ns: Option<f64>,
    response_p999_ns: Option<f64>,
    response_max_ns: Option<f64>,
    service_p50_ns: Option<f64>,
    service_p99_ns: Option<f64>,
    service_p999_ns: Option<f64>,
    service_max_ns: Option<f64>,
}

/// A row of `nodes.csv`, as far as it is drawn.
#[derive(Deserialize)]
struct PlaceLine {
    start_s: f64,
    end_s: f64,
    scope: String,
    id: u32,
    operations: u64,
    errors: u64,
    p50_ns: Option<f64>,
    p99_ns: Option<f64>,
    p999_ns: Option<f64>,
    max_ns: Option<f64>,
}

/// What one curve's owner did in one interval.
#[derive(Clone, Copy)]
struct Sample {
    start_s: f64,
    end_s: f64,
    operations: u64,
    errors: u64,
    offered: Option<u64>,
    /// p50, p99, p99.9, max.
    latency: [Option<f64>; QUANTILES.len()],
}

const QUANTILES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

impl KindLine {
    fn sample(&self) -> Sample {
        Sample {
            start_s: self.start_s,
            end_s: self.end_s,
            operations: self.operations,
            errors: self.errors,
            offered: self.offered,
            latency: [
                self.response_p50_ns.or(self.service_p50_ns),
                self.response_p99_ns.or(self.service_p99_ns),
                self.response_p999_ns.or(self.service_p999_ns),
                self.response_max_ns.or(self.service_max_ns),
            ],
        }
    }
}

impl PlaceLine {
    const fn sample(&self) -> Sample {
        Sample {
            start_s: self.start_s,
            end_s: self.end_s,
            operations: self.operations,
            errors: self.errors,
            offered: None,
            latency: [self.p50_ns, self.p99_ns, self.p999_ns, self.max_ns],
        }
    }
}

/// The places on the time axis: where each begins and ends, in seconds.
struct Grid(Vec<(f64, f64)>);

/// What is drawn at one place.
#[derive(Clone, Copy, Default)]
struct Place {
    rate: f64,
    errors_rate: f64,
    /// What was offered, by the schedule; absent in a closed loop.
    offered_rate: Option<f64>,
    latency: [Option<f64>; QUANTILES.len()],
}

impl Grid {
    /// As many intervals a place as keep to [`PLACES_MAX`].
    fn over(all: &[Sample]) -> Self {
        let step = all.len().div_ceil(PLACES_MAX).max(1);
        let mut places: Vec<(f64, f64)> = all
            .chunks(step)
            .map(|chunk| (chunk[0].start_s, chunk[chunk.len() - 1].end_s))
            .collect();
        // A rate over the last few milliseconds means nothing: they count with those before.
        if let [.., before, last] = &mut places[..]
            && last.1 - last.0 < (before.1 - before.0) / 2.0
        {
            before.1 = last.1;
            places.pop();
        }
        Self(places)
    }

    fn xs(&self) -> Vec<f64> {
        self.0
            .iter()
            .map(|(start, end)| (start + end) / 2.0)
            .collect()
    }

    /// How long most places are, in seconds.
    fn seconds(&self) -> f64 {
        self.0.first().map_or(1.0, |(start, end)| end - start)
    }

    /// Rates are means over a place, and each percentile is that of its worst interval.
    fn thin(&self, samples: &[Sample]) -> Vec<Place> {
        let mut samples = samples.iter().peekable();
        self.0
            .iter()
            .map(|(start, end)| {
                let mut place = Place::default();
                while let Some(sample) = samples.next_if(|sample| sample.start_s < *end) {
                    place.rate += sample.operations as f64;
                    place.errors_rate += sample.errors as f64;
                    if let Some(offered) = sample.offered {
                        *place.offered_rate.get_or_insert(0.0) += offered as f64;
                    }
                    for (worst, latency) in place.latency.iter_mut().zip(sample.latency) {
                        *worst = match (*worst, latency) {
                            (Some(worst), Some(latency)) => Some(worst.max(latency)),
                            (one, other) => one.or(other),
                        };
                    }
                }
                let seconds = (end - start).max(1e-3);
                place.rate /= seconds;
                place.errors_rate /= seconds;
                place.offered_rate = place.offered_rate.map(|offered| offered / seconds);
                place
            })
            .collect()
    }
}

/// A chart over the time of a run, which is zoomed together with the others and shows its faults.
pub(super) fn chart(
    id: &str,
    title: &str,
    note: String,
    xs: Vec<f64>,
    variants: Vec<Variant>,
) -> Chart {
    Chart {
        id: id.to_owned(),
        title: title.to_owned(),
        note,
        x: Axis::Seconds,
        x_label: "time since the run began",
        x_log: false,
        sync: Some("time"),
        shaded: true,
        points: false,
        xs,
        variants,
    }
}

/// A curve: its value at each place.
pub(super) fn curve<P>(name: &str, places: &[P], value: impl Fn(&P) -> Option<f64>) -> Curve {
    Curve {
        name: name.to_owned(),
        values: places.iter().map(value).collect(),
    }
}

/// How long a place is, where that is not the usual second.
fn thinned(grid: &Grid) -> String {
    let seconds = grid.seconds();
    if seconds < 1.5 {
        "Each point is a second.".to_owned()
    } else {
        format!(
            "Each point is {seconds:.0} seconds: rates are their mean, percentiles those of the \
             worst second."
        )
    }
}

fn throughput(grid: &Grid, kinds: &[(String, Vec<Place>)]) -> Chart {
    let mut series: Vec<Curve> = { kinds.iter() }
        .map(|(name, places)| curve(name, places, |place| Some(place.rate)))
        .collect();
    if let Some((_, all)) = kinds.first() {
        series.push(curve("errors", all, |place| Some(place.errors_rate)));
        if all.iter().any(|place| place.offered_rate.is_some()) {
            series.push(curve("offered", all, |place| place.offered_rate));
        }
    }
    let variant = Variant {
        name: "operations".to_owned(),
        y: Axis::Rate,
        log: false,
        series,
    };
    let note = format!(
        "Operations a second that succeeded, errors, and in an open loop what was offered by its \
         schedule. {} Drag to zoom, double-click to see all.",
        thinned(grid)
    );
    chart("throughput", "Throughput", note, grid.xs(), vec![variant])
}

fn latency(grid: &Grid, kinds: &[(String, Vec<Place>)]) -> Chart {
    let variants = kinds.iter().map(|(name, places)| Variant {
        name: name.clone(),
        y: Axis::Latency,
        log: true,
        series: (0..QUANTILES.len())
            .map(|at| curve(QUANTILES[at], places, |place| place.latency[at]))
            .collect(),
    });
    let note = format!(
        "Of operations that succeeded, on a logarithmic scale: response time in an open loop, \
         service time in a closed one. {}",
        thinned(grid)
    );
    chart("latency", "Latency", note, grid.xs(), variants.collect())
}

fn by_place(id: &str, title: &str, grid: &Grid, places: &[(String, Vec<Place>)]) -> Chart {
    let variant = |name: &str, y, log, value: &dyn Fn(&Place) -> Option<f64>| Variant {
        name: name.to_owned(),
        y,
        log,
        series: { places.iter() }
            .map(|(name, places)| curve(name, places, value))
            .collect(),
    };
    let mut variants = vec![variant("operations", Axis::Rate, false, &|place| {
        Some(place.rate)
    })];
    for (at, name) in QUANTILES.iter().enumerate() {
        variants.push(variant(name, Axis::Latency, true, &|place| {
            place.latency[at]
        }));
    }
    variants.push(variant("errors", Axis::Rate, false, &|place| {
        Some(place.errors_rate)
    }));
    let note = format!("What clients saw of each. {}", thinned(grid));
    chart(id, title, note, grid.xs(), variants)
}

/// The rows of a CSV file with a header; nothing when there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<Vec<T>>, PageError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(PageError::Unreadable { path, source });
        }
    };
    let malformed = |reason: String| PageError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let mut rows = Vec::new();
    for row in csv::Reader::from_reader(file).into_deserialize() {
        if rows.len() == ROWS_MAX {
            return Err(malformed(format!("it has more than {ROWS_MAX} rows")));
        }
        rows.push(row.map_err(|error| malformed(error.to_string()))?);
    }
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, operations: u64, p99_ns: Option<f64>) -> Sample {
        Sample {
            start_s: second as f64,
            end_s: second as f64 + 1.0,
            operations,
            errors: 0,
            offered: Some(1000),
            latency: [None, p99_ns, None, None],
        }
    }

    #[test]
    fn an_hour_is_thinned_out_without_hiding_its_worst_second() {
        let hour: Vec<Sample> = (0..3600)
            .map(|second| sample(second, 1000, Some(if second == 1801 { 9e9 } else { 1e6 })))
            .collect();
        let grid = Grid::over(&hour);
        let places = grid.thin(&hour);
        assert_eq!(places.len(), PLACES_MAX);
        assert!(
            places
                .iter()
                .all(|place| (place.rate - 1000.0).abs() < 1e-9)
        );
        assert!(places.iter().all(|place| {
            let offered = place.offered_rate.expect("an open loop");
            (offered - place.rate).abs() < 1e-9
        }));
        let worst = places.iter().filter(|place| place.latency[1] == Some(9e9));
        assert_eq!(worst.count(), 1);
    }

    #[test]
    fn courses_are_laid_over_one_another_from_their_starts_and_end_where_they_end() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, start: u64, seconds: u64| {
            let run = directory.path().join(name);
            std::fs::create_dir(&run).expect("made");
            let mut csv = "start_s,end_s,kind,operations,errors,response_p50_ns,response_p99_ns,\
                response_p999_ns,response_max_ns,service_p50_ns,service_p99_ns,service_p999_ns,\
                service_max_ns\n"
                .to_owned();
            for second in start..start + seconds {
                csv += &format!("{second},{},all,100,0,,,,,1,2,3,4\n", second + 1);
            }
            std::fs::write(run.join("timeseries.csv"), csv).expect("written");
            run
        };
        let (a, b) = (write("a", 1, 4), write("b", 7, 2));
        let runs = [("A", a.as_path()), ("B", b.as_path())];
        let chart = overlaid_courses("course", &runs)
            .expect("read")
            .expect("a chart");
        assert_eq!(chart.xs, [0.5, 1.5, 2.5, 3.5]);
        let rates = |at: usize| chart.variants[0].series[at].values.clone();
        assert_eq!(rates(0), [Some(100.0); 4]);
        assert_eq!(rates(1), [Some(100.0), Some(100.0), None, None]);
        let nowhere = directory.path().join("nowhere");
        assert!(
            overlaid_courses("c", &[("A", &nowhere)])
                .expect("read")
                .is_none()
        );
    }

    #[test]
    fn a_last_interval_of_some_milliseconds_is_no_place_of_its_own() {
        let last = Sample {
            end_s: 2.01,
            ..sample(2, 90, None)
        };
        let all = [sample(0, 100, None), sample(1, 100, None), last];
        let grid = Grid::over(&all);
        let places = grid.thin(&all);
        let rates: Vec<f64> = places.iter().map(|place| place.rate).collect();
        assert_eq!(rates.len(), 2);
        assert!((rates[1] - 190.0 / 1.01).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn a_kind_that_pauses_is_zero_then_and_has_no_latency() {
        let all: Vec<Sample> = (0..4).map(|second| sample(second, 5, Some(1.0))).collect();
        let grid = Grid::over(&all);
        let places = grid.thin(&[sample(0, 5, Some(1.0)), sample(3, 5, Some(1.0))]);
        let rates: Vec<f64> = places.iter().map(|place| place.rate).collect();
        assert_eq!(rates, [5.0, 0.0, 0.0, 5.0]);
        assert_eq!(places[1].latency, [None; 4]);
    }
}
