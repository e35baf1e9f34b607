//! One replica as a process: its socket ([`transport`]), its disk ([`storage`]), and the launcher
//! that starts it ([`node`]).

pub mod node;
pub mod storage;
pub mod transport;
