//! What was measured, as files for other tools.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use super::hgrm::write_hgrm;
use super::kind::OperationKind;
use super::meter::Measured;

impl Measured {
    /// The file of the HDR interval log in a run directory; the caller gives it to the recorder.
    pub const LOG_FILE_NAME: &'static str = "latency.hlog";

    /// The course of the run, kind by kind.
    pub const SERIES_FILE_NAME: &'static str = "timeseries.csv";
    /// The course of the run, node by node and group by group.
    pub const PLACES_FILE_NAME: &'static str = "nodes.csv";

    /// What the nodes' processes used of the machine; the run writes it.
    pub const USAGE_FILE_NAME: &'static str = "usage.csv";

    /// Writes `timeseries.csv`, `nodes.csv` and, for each kind of operation and of time that was
    /// measured, `<kind>.<time>.hgrm` into `directory`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        let create = |name: &str| File::create(directory.join(name)).map(BufWriter::new);
        self.series.write_csv(create(Self::SERIES_FILE_NAME)?)?;
        self.series
            .write_places_csv(create(Self::PLACES_FILE_NAME)?)?;
        for (time, histograms) in [("service", &self.service), ("response", &self.response)] {
            for (kind, histogram) in OperationKind::ALL.iter().zip(histograms) {
                if histogram.count() > 0 {
                    write_hgrm(histogram, create(&format!("{kind}.{time}.hgrm"))?)?;
                }
            }
        }
        Ok(())
    }
}
