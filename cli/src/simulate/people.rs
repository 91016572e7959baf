//! Invented people: plausible personal data, so that what must not pass the door is there to be stopped.

/// First names, some beyond ASCII.
const FIRST: [&str; 31] = [
    "Anna", "Ben", "Chloé", "Daniel", "Emma", "Felix", "Grace", "Hiro", "Isabel", "Jon", "Karin",
    "Luca", "Mia", "Noah", "Olga", "Paul", "Quinn", "Rosa", "Sören", "Tara", "Uma", "Victor",
    "Wendy", "Xenia", "Yuki", "Zoë", "Amara", "Bruno", "Clara", "Dmitri", "Elif",
];
/// Last names, some beyond ASCII.
const LAST: [&str; 37] = [
    "Abbott",
    "Baker",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "García",
    "Hansen",
    "Ivanova",
    "Jones",
    "Kim",
    "Lindqvist",
    "Müller",
    "Novak",
    "O'Brien",
    "Peters",
    "Quist",
    "Rossi",
    "Smith",
    "Tanaka",
    "Ueda",
    "Vogel",
    "Weber",
    "Xu",
    "Young",
    "Ziegler",
    "Brown",
    "Clark",
    "Diaz",
    "Edwards",
    "Fox",
    "Green",
    "Hughes",
    "Iyer",
    "Jansen",
    "Khan",
    "Laurent",
];
/// Streets.
const STREETS: [&str; 11] = [
    "Elm Street",
    "Harbour Road",
    "Station Lane",
    "Mill Hill",
    "Rue des Lilas",
    "Gartenweg",
    "Sakura Avenue",
    "Park Row",
    "Church Street",
    "Canal Side",
    "High Street",
];

/// One invented person, worked out from a number instead of being stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person(pub(super) u32);

impl Person {
    /// The first name.
    pub(super) fn first(self) -> &'static str {
        FIRST[self.0 as usize % FIRST.len()]
    }

    /// The last name.
    pub(super) fn last(self) -> &'static str {
        LAST[self.0 as usize / FIRST.len() % LAST.len()]
    }

    /// First and last name.
    pub(super) fn name(self) -> String {
        format!("{} {}", self.first(), self.last())
    }

    /// An address of a domain that is reserved for examples.
    pub(super) fn email(self) -> String {
        let ascii = |name: &str| -> String {
            name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase()
        };
        format!("{}.{}{}@example.com", ascii(self.first()), ascii(self.last()), self.0)
    }

    /// A number that looks like one.
    pub(super) fn phone(self) -> String {
        format!("+1555{:07}", u64::from(self.0) * 7919 % 10_000_000)
    }

    /// House number and street.
    pub(super) fn street(self) -> String {
        format!("{} {}", self.0 % 240 + 1, STREETS[self.0 as usize % STREETS.len()])
    }

    /// A postal code.
    pub(super) fn zip(self) -> String {
        format!("{:05}", u64::from(self.0) * 6151 % 100_000)
    }

    /// An address of a network that is reserved for documentation.
    pub(super) fn ip(self) -> String {
        format!("203.0.113.{}", self.0 % 254 + 1)
    }
}
