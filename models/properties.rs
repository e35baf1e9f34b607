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

/// A replica keeps two values of a key.
pub(crate) const CONCURRENT_PUTS_MEET: &str = "concurrent puts meet";
/// A request waits in vain for the replica to catch up with its session.
pub(crate) const A_REQUEST_IS_REFUSED: &str = "a request is refused";
/// An update arrives before one that it depends on.
pub(crate) const AN_UPDATE_IS_HELD_BACK: &str = "an update is held back";
/// A request finds as many waiting as there may be.
pub(crate) const A_QUEUE_IS_FULL: &str = "a queue is full";
/// A replica logs as many updates as it may.
pub(crate) const THE_LOG_IS_FULL: &str = "the log is full";
/// As many updates as may be wait for others.
pub(crate) const HELD_BACK_IS_FULL: &str = "no more updates may be held back";
/// As many requests as may be wait for the replica.
pub(crate) const DEFERRED_IS_FULL: &str = "no more requests may wait";
/// A replica that the log does not reach gets the state.
pub(crate) const A_STATE_IS_SENT: &str = "a state is sent";
/// A put was answered that no replica has, since all that had it restarted empty.
pub(crate) const A_PUT_IS_LOST: &str = "a put is lost with its memory";
/// A session has seen a put that is lost, and is told so.
pub(crate) const A_CONTEXT_IS_LOST: &str = "a context is lost";
/// A process ends before a change is durable that it has made, and comes back without.
pub(crate) const A_CHANGE_IS_LOST: &str = "a crash takes a change";
/// A get shows less than an earlier one had: the new put, then the old one.
pub(crate) const A_GET_GOES_BACK: &str = "a get goes back";
/// A put arrives after its session has given it up.
pub(crate) const A_LATE_PUT_IS_TAKEN: &str = "a put that was given up takes effect";

/// The properties of every model, and of those that have to happen the model's own.
pub(crate) fn all(model: &ClusterModel) -> Vec<Property<ClusterModel>> {
    let mut properties = always();
    let mut happens = sometimes();
    happens.retain(|property| model.happens.contains(&property.name));
    assert_eq!(happens.len(), model.happens.len(), "each is known");
    properties.extend(happens);
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

fn sometimes() -> Vec<Property<ClusterModel>> {
    vec![
        Property::sometimes(A_REQUEST_IS_REFUSED, |_, state: &Cluster| {
            state.seen.happened.contains(A_REQUEST_IS_REFUSED)
        }),
        Property::sometimes(A_QUEUE_IS_FULL, |_, state: &Cluster| {
            state.seen.happened.contains(A_QUEUE_IS_FULL)
        }),
        Property::sometimes(A_CONTEXT_IS_LOST, |_, state: &Cluster| {
            state.seen.happened.contains(A_CONTEXT_IS_LOST)
        }),
        Property::sometimes(A_CHANGE_IS_LOST, |_, state: &Cluster| {
            state.seen.happened.contains(A_CHANGE_IS_LOST)
        }),
        Property::sometimes(A_GET_GOES_BACK, |_, state: &Cluster| {
            state.seen.happened.contains(A_GET_GOES_BACK)
        }),
        Property::sometimes(A_LATE_PUT_IS_TAKEN, |_, state: &Cluster| {
            state.seen.happened.contains(A_LATE_PUT_IS_TAKEN)
        }),
        Property::sometimes(CONCURRENT_PUTS_MEET, |_, state: &Cluster| {
            statuses(state).any(|status| status.siblings > status.keys)
        }),
        Property::sometimes(AN_UPDATE_IS_HELD_BACK, |model, state: &Cluster| {
            let mut held_back = buffers(model, state).filter(|buffer| buffer.name == "held back");
            held_back.any(|buffer| buffer.used > 0)
        }),
        Property::sometimes(A_STATE_IS_SENT, |_, state: &Cluster| {
            let mut packets = state.nodes.in_flight.iter();
            packets.any(|packet| packet.message.body.kind().name() == "state")
        }),
        Property::sometimes(A_PUT_IS_LOST, |model, state: &Cluster| {
            let healed = state.healed(model);
            state.accepted.keys().any(|dot| !healed.was_held(*dot))
        }),
        Property::sometimes(THE_LOG_IS_FULL, |model, state: &Cluster| {
            is_full("log", model, state)
        }),
        Property::sometimes(HELD_BACK_IS_FULL, |model, state: &Cluster| {
            is_full("held back", model, state)
        }),
        Property::sometimes(DEFERRED_IS_FULL, |model, state: &Cluster| {
            is_full("deferred", model, state)
        }),
    ]
}

/// Whether the buffer of this name holds as many items as it may, at some replica.
fn is_full(name: &str, model: &ClusterModel, state: &Cluster) -> bool {
    let mut buffers = buffers(model, state).filter(|buffer| buffer.name == name);
    buffers.any(|buffer| buffer.used == buffer.max)
}

/// What each replica has that is bounded.
fn buffers(model: &ClusterModel, state: &Cluster) -> impl Iterator<Item = Buffer> {
    let bounds = model.bounds;
    statuses(state).flat_map(move |status| status.buffers(&bounds))
}

fn statuses(state: &Cluster) -> impl Iterator<Item = Status> {
    state.nodes.replicas.iter().map(|replica| replica.status())
}
