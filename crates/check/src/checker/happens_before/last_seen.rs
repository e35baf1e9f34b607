//! How far a run of puts has been seen. Every get asks for that, and mostly a little further on
//! than the get before.

use super::graph::Graph;

/// Where the last search in each run ended: the next one ends near it.
#[derive(Debug)]
pub(in crate::checker) struct LastSeen {
    ends: Vec<u32>,
}

impl LastSeen {
    /// Searches begin where the runs do.
    pub(in crate::checker) fn new(graph: &Graph<'_, '_>) -> Self {
        Self {
            ends: graph.runs.iter().map(|run| run.start).collect(),
        }
    }

    /// The last put of a run that is among the first `seen` of its session: where it stands in
    /// [`Graph::on_key`].
    pub(in crate::checker) fn of(
        &mut self,
        graph: &Graph<'_, '_>,
        run: usize,
        seen: u32,
    ) -> Option<u32> {
        let (start, end) = (graph.runs[run].start, graph.runs[run].end);
        let is_seen = |at: u32| graph.places_on_key[at as usize] <= seen;
        // Doubling steps from where the last search ended, then halving them.
        let mut low = start;
        let mut high;
        let hint = self.ends[run];
        let mut step = 1;
        if hint < end && is_seen(hint) {
            low = hint + 1;
            while low + step < end && is_seen(low + step) {
                low += step + 1;
                step *= 2;
            }
            high = end.min(low + step + 1);
        } else {
            high = hint.min(end);
            while high > start + step && !is_seen(high - step) {
                high -= step;
                step *= 2;
            }
            low = low.max(high.saturating_sub(step));
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_seen(middle) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        self.ends[run] = low.saturating_sub(1).max(start);
        (low > start).then(|| low - 1)
    }
}
