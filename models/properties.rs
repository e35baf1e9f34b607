//! What has to hold in every state, and what has to happen in some.

use kvs_core::replica::{Buffer, Status};
use stateright::Property;

use crate::adapter::ClusterModel;
use crate::cluster::Cluster;

/// From every state, whatever is in flight being lost, anti-entropy without further loss makes the
/// replicas of a group equal: in what they have applied and in what they store.
pub(crate) const REPLICAS_AGREE: &str = "replicas agree once healed";
/// After that no update waits for another and no request for its replica: whoever asked was
/// answered.
pub(crate) const NOTHING_WAITS: &str = "nothing waits once healed";
/// After that every replica of its group shows each put that was answered, or one that supersedes
/// it; but for puts that no replica had any more, since all that had them restarted empty.
pub(crate) const NOTHING_IS_LOST: &str = "no accepted put is lost";
/// Every answer covers what its session had seen, the session's own puts, and what the values that
/// it shows had covered.
pub(crate) const SESSIONS_ARE_CAUSAL: &str = "sessions are causal";
/// The tester of the cluster's promise accepts what clients did.
pub(crate) const AN_ORDER_EXPLAINS_ALL: &str = "an order explains what clients saw";
/// No two puts are answered with the same dot, in whatever life.
pub(crate) const DOTS_ARE_UNIQUE: &str = "dots are unique";
/// What waits and what is logged stays within the settings.
pub(crate) const BUFFERS_ARE_BOUNDED: &str = "buffers keep their bounds";

/// What has to happen in some state of a model, or the model is too tame to prove anything. What
/// only one kind of replica does is in that kind's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happens {
    pub(crate) name: &'static str,
    pub(crate) happened: fn(&ClusterModel, &Cluster) -> bool,
}

/// What has to hold in every state of a model beyond what all models must keep: what only one kind
/// of replica has, which is in that kind's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeps {
    pub(crate) name: &'static str,
    pub(crate) holds: fn(&ClusterModel, &Cluster) -> bool,
}

/// A request waits in vain for the replica to catch up with its session.
pub(crate) const A_REQUEST_IS_REFUSED: &Happens = &Happens {
    name: "a request is refused",
    happened: |_, state| state.seen.noted(A_REQUEST_IS_REFUSED),
};
/// A request finds as many waiting as there may be.
pub(crate) const A_QUEUE_IS_FULL: &Happens = &Happens {
    name: "a queue is full",
    happened: |_, state| state.seen.noted(A_QUEUE_IS_FULL),
};
/// A put was answered that no replica has, since all that had it restarted empty.
pub(crate) const A_PUT_IS_LOST: &Happens = &Happens {
    name: "a put is lost with its memory",
    happened: |model, state| {
        let healed = state.healed(model);
        state.accepted.keys().any(|dot| !healed.was_held(*dot))
    },
};
/// A session has seen a put that is lost, and is told so.
pub(crate) const A_CONTEXT_IS_LOST: &Happens = &Happens {
    name: "a context is lost",
    happened: |_, state| state.seen.noted(A_CONTEXT_IS_LOST),
};
/// A process ends before a change is durable that it has made, and comes back without.
pub(crate) const A_CHANGE_IS_LOST: &Happens = &Happens {
    name: "a crash takes a change",
    happened: |_, state| state.seen.noted(A_CHANGE_IS_LOST),
};
/// A get shows less than an earlier one had: the new put, then the old one.
pub(crate) const A_GET_GOES_BACK: &Happens = &Happens {
    name: "a get goes back",
    happened: |_, state| state.seen.noted(A_GET_GOES_BACK),
};
/// A put arrives after its session has given it up.
pub(crate) const A_LATE_PUT_IS_TAKEN: &Happens = &Happens {
    name: "a put that was given up takes effect",
    happened: |_, state| state.seen.noted(A_LATE_PUT_IS_TAKEN),
};

/// The properties of every model, and the model's own.
pub(crate) fn all(model: &ClusterModel) -> Vec<Property<ClusterModel>> {
    let mut properties = always();
    let keeps = model.keeps.iter();
    properties.extend(keeps.map(|it| Property::always(it.name, it.holds)));
    let happens = model.happens.iter();
    properties.extend(happens.map(|it| Property::sometimes(it.name, it.happened)));
    properties.retain(|property| {
        let can_fail = model.records || property.name != AN_ORDER_EXPLAINS_ALL;
        can_fail && model.only.is_none_or(|only| only == property.name)
    });
    properties
}

fn always() -> Vec<Property<ClusterModel>> {
    vec![
        Property::always(SESSIONS_ARE_CAUSAL, |_, state: &Cluster| {
            !state.seen.acausal
        }),
        Property::always(AN_ORDER_EXPLAINS_ALL, |model, state: &Cluster| {
            !state.seen.unexplained && state.final_reads_are_explained(model)
        }),
        Property::always(DOTS_ARE_UNIQUE, |_, state: &Cluster| !state.seen.dot_twice),
        Property::always(BUFFERS_ARE_BOUNDED, |model, state: &Cluster| {
            buffers(model, state).all(|buffer| buffer.used <= buffer.max)
        }),
        Property::always(REPLICAS_AGREE, |model, state: &Cluster| {
            state.healed(model).agree
        }),
        Property::always(NOTHING_WAITS, |model, state: &Cluster| {
            state.healed(model).nothing_waits
        }),
        Property::always(NOTHING_IS_LOST, |model, state: &Cluster| {
            let healed = state.healed(model);
            state.accepted.iter().all(|(dot, (key, put))| {
                if healed.was_held(*dot) {
                    healed.everywhere(key, put)
                } else {
                    // The life that accepted it has ended.
                    dot.origin() != state.nodes.origin(dot.origin().node())
                }
            })
        }),
    ]
}

/// What each replica has that is bounded.
pub(crate) fn buffers(model: &ClusterModel, state: &Cluster) -> impl Iterator<Item = Buffer> {
    let bounds = model.bounds;
    statuses(state).flat_map(move |status| status.buffers(&bounds))
}

/// What each replica has, in numbers.
pub(crate) fn statuses(state: &Cluster) -> impl Iterator<Item = Status> {
    state.nodes.replicas.iter().map(|replica| replica.status())
}
