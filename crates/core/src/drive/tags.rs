//! Request ids, which say whose request it was.

/// What a request id carries: a lane, and which of the lane's requests it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestTag {
    pub(super) lane: u32,
    pub(super) generation: u32,
}

/// The most lanes that there can be.
pub const LANES_MAX: u32 = 1 << 16;

/// How the 32 bits of a request id are shared out. Lanes get as few as they need and generations
/// the rest, so that generations come around only after some billion requests in all: by then no
/// answer to a request that was given up can still be on its way and be taken for another's.
#[derive(Clone, Copy, Debug)]
pub(super) struct TagLayout {
    lane_bits: u32,
}

impl TagLayout {
    /// The layout for at most `lanes` lanes, which is 1 to [`LANES_MAX`].
    pub(super) const fn for_lanes(lanes: u32) -> Self {
        assert!(lanes > 0 && lanes <= LANES_MAX, "a driver has lanes");
        let lane_bits = u32::BITS - (lanes - 1).leading_zeros();
        Self { lane_bits }
    }

    /// The generation after `generation`, wrapping.
    pub(super) const fn following(self, generation: u32) -> u32 {
        generation.wrapping_add(1) & (u32::MAX >> self.lane_bits)
    }

    pub(super) const fn pack(self, tag: RequestTag) -> u32 {
        (tag.generation << self.lane_bits) | tag.lane
    }

    pub(super) const fn unpack(self, id: u32) -> RequestTag {
        RequestTag {
            lane: id & ((1 << self.lane_bits) - 1),
            generation: id >> self.lane_bits,
        }
    }
}
