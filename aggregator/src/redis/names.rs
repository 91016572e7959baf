//! The names of Redis keys. All of a partition share a hash tag, so that one script may write them.

/// The names of one partition's keys.
#[derive(Clone, Debug)]
pub struct Names {
    head: String,
}

impl Names {
    /// Those of `partition` under `prefix`.
    #[must_use]
    pub fn new(prefix: &str, partition: u16) -> Self {
        Self { head: format!("{prefix}:{{p{partition:02}}}") }
    }

    /// The position.
    #[must_use]
    pub fn position(&self) -> Vec<u8> {
        format!("{}:at", self.head).into_bytes()
    }

    /// A node of the tree.
    #[must_use]
    pub fn node(&self, id: u64) -> Vec<u8> {
        format!("{}:n:{id}", self.head).into_bytes()
    }

    /// A part of a document that stands apart.
    #[must_use]
    pub fn part(&self, key: &[u8], part: u64) -> Vec<u8> {
        // A key may hold any bytes; the digits after the last colon keep names apart.
        let (head, tail) = (format!("{}:b:", self.head), format!(":{part}"));
        [head.as_bytes(), key, tail.as_bytes()].concat()
    }
}

/// The name of a generation's manifest.
#[must_use]
pub fn manifest(prefix: &str) -> String {
    format!("{prefix}:manifest")
}

/// The name of what is written and deleted at the start, to see that it may be.
#[must_use]
pub fn probe(prefix: &str) -> String {
    format!("{prefix}:probe")
}

/// The name of what says which generation is in use.
#[must_use]
pub fn generations(base: &str) -> String {
    format!("{base}:generations")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_tag() {
        let names = Names::new("tallyhook", 7);
        assert_eq!(names.position(), b"tallyhook:{p07}:at");
        assert_eq!(names.part(b"a.example\0O", 12), b"tallyhook:{p07}:b:a.example\0O:12");
        assert_eq!(Names::new("t", 1023).node(3), b"t:{p1023}:n:3");
    }
}
