//! The topics of the distributed shape: names and limits that both halves must agree on.

/// Events, in the partitions of their shops.
pub const EVENTS: &str = "tallyhook.events.v1";

/// What could not be translated.
pub const DEAD_LETTERS: &str = "tallyhook.dead-letters.v1";

/// The largest message, from the producer over the topics to the consumer: a body of 8 MiB, which
/// the receiver takes, must pass once it is an event or a dead letter.
pub const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;

/// What key, headers and framing of a message take at most of [`MAX_MESSAGE_BYTES`].
pub const MESSAGE_OVERHEAD_BYTES: usize = 16 * 1024;
