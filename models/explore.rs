//! Explores a model to the end, and says what it found on the way.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::{Duration, Instant};

use stateright::report::{ReportData, ReportDiscovery, Reporter};
use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::action::Action;
use crate::adapter::ClusterModel;
use crate::cluster::Cluster;

/// What an exploration found.
pub(crate) struct Found {
    /// States that are told apart.
    pub(crate) states: usize,
    /// The longest way to a state that breadth first needs.
    pub(crate) depth: usize,
    pub(crate) time: Duration,
    pub(crate) broken: Vec<Broken>,
}

/// A property that does not hold.
pub(crate) struct Broken {
    pub(crate) property: &'static str,
    /// The way to the state that breaks it, in words; none when it is that no state has it.
    pub(crate) path: Option<Vec<String>>,
}

/// Visits every state, or until one breaks a property, on so many threads; `progress` is told how
/// far it is.
pub(crate) fn explore(model: ClusterModel, threads: usize, progress: fn(&str)) -> Found {
    let started = Instant::now();
    // What is found first is found on a shortest way, but for what threads do at the same time.
    let checker = model.checker().threads(threads);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs();
    // A thread that panics fails here.
    let checker = checker.join_and_report(&mut Progress(progress, 0));
    let mut discoveries = checker.discoveries();
    let mut broken = Vec::new();
    for property in checker.model().properties() {
        let path = discoveries.remove(property.name);
        let is_found = path.is_some();
        if is_found == property.expectation.discovery_is_failure() {
            broken.push(Broken {
                property: property.name,
                path: path.map(in_words),
            });
        }
    }
    if broken.iter().any(|broken| broken.path.is_some()) {
        // It ended there, so what has not happened might have yet.
        broken.retain(|broken| broken.path.is_some());
    }
    Found {
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        time: started.elapsed(),
        broken,
    }
}

fn in_words(path: Path<Cluster, Action>) -> Vec<String> {
    let actions = path.into_actions();
    actions.iter().map(ToString::to_string).collect()
}

/// Who is told how far it is, and how often the reporter has looked.
struct Progress(fn(&str), u32);

/// The reporter looks often, so that it does not keep a short exploration from ending.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_A_LINE: u32 = 200;

impl Reporter<ClusterModel> for Progress {
    fn report_checking(&mut self, data: ReportData) {
        self.1 += 1;
        if !data.done && self.1.is_multiple_of(LOOKS_A_LINE) {
            let (states, seconds) = (data.unique_states, data.duration.as_secs());
            let depth = data.max_depth;
            (self.0)(&format!("{states} states, depth {depth}, {seconds} s"));
        }
    }

    fn report_discoveries(
        &mut self,
        _: &ClusterModel,
        _: BTreeMap<&'static str, ReportDiscovery<ClusterModel>>,
    ) where
        Action: Debug + PartialEq,
        Cluster: Debug + Hash + PartialEq,
    {
    }

    fn delay(&self) -> Duration {
        LOOK_EVERY
    }
}

/// The model has as many states as are pinned, and every property holds in all of them.
#[cfg(test)]
#[track_caller]
pub(crate) fn assert_holds(name: &str) {
    let entry = crate::catalogue::find(name).expect("there is such a model");
    let found = explore((entry.model)(None), 2, |_| ());
    let broken: Vec<_> = found.broken.iter().map(|broken| broken.property).collect();
    assert_eq!(
        (broken.as_slice(), found.states),
        (&[] as &[&str], entry.states)
    );
}
