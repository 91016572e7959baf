//! Why a broker would not let us in: noted where a client hears of it, named where somebody waits for
//! an answer. Clients of Kafka only say that nothing came, and go on trying.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;

/// How long the first question waits before it is looked whether the broker has refused meanwhile;
/// each further one waits twice as long, as an answer may just be slow.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What a broker, or the client that checks it, objects to. The texts are the client's own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// User or password.
    #[error(
        "Kafka refuses the login ({0}); check kafka.sasl_mechanism, kafka.sasl_username and \
         kafka.sasl_password"
    )]
    Login(String),
    /// A certificate, ours or the broker's.
    #[error(
        "no TLS connection to Kafka ({0}); check kafka.tls_ca (unset: the system's authorities), \
         the names in kafka.brokers, and kafka.tls_cert and kafka.tls_key if the broker wants them"
    )]
    Tls(String),
    /// It hangs up, as it does on who speaks to a listener in another way than it expects.
    #[error(
        "Kafka hangs up ({0}); compare kafka.tls and kafka.sasl_mechanism with what the listener \
         at kafka.brokers wants"
    )]
    Protocol(String),
}

/// The latest refusal that a client has heard of. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Refusals(Arc<Mutex<Option<Refusal>>>);

/// Why a question has no answer.
#[derive(Debug)]
pub enum Unanswered<E> {
    /// The broker will not have us.
    Refused(Refusal),
    /// The client's own error.
    Failed(E),
}

impl Refusal {
    /// What the words in which librdkafka tells of a failed connection say of it: it has codes for
    /// some of these failures only.
    #[must_use]
    pub fn in_words(text: &str) -> Option<Self> {
        // Which of the client's threads it was is of no use to anybody.
        let text = match text.split_once("]: ") {
            Some((thread, rest)) if thread.starts_with("[thrd:") => rest,
            Some(_) | None => text,
        };
        let says = |words: &str| text.contains(words);
        let hangs_up = ["security.protocol", "PLAINTEXT broker listener", "closed by peer"];
        if hangs_up.into_iter().any(says) {
            Some(Self::Protocol(text.to_owned()))
        } else if says("SASL") {
            Some(Self::Login(text.to_owned()))
        } else if says("certificate") {
            Some(Self::Tls(text.to_owned()))
        } else {
            None
        }
    }

    /// Whether to ask again is of no use: somebody has to change something.
    fn is_final(&self) -> bool {
        match self {
            Self::Login(_) | Self::Tls(_) => true,
            // A broker that is about to end hangs up too.
            Self::Protocol(_) => false,
        }
    }
}

impl Refusals {
    /// Keeps what the words of a client say, if they tell of a refusal.
    pub fn hear(&self, text: &str) {
        if let Some(refusal) = Refusal::in_words(text) {
            self.note(refusal);
        }
    }

    /// Keeps a refusal; one that says less never takes the place of one that says more.
    pub fn note(&self, refusal: Refusal) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if refusal.is_final() || latest.as_ref().is_none_or(|known| !known.is_final()) {
            *latest = Some(refusal);
        }
    }

    /// The latest, if there is one.
    #[must_use]
    pub fn last(&self) -> Option<Refusal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Repeats a question until it is answered or refused, for `patience` at most. `ask` is told how
    /// long it may take, and lets the client hear what there is.
    pub fn ask<T, E>(
        &self,
        patience: Duration,
        mut ask: impl FnMut(Duration) -> Result<T, E>,
    ) -> Result<T, Unanswered<E>> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let left = patience.saturating_sub(begun.elapsed());
            let error = match ask(wait.min(left)) {
                Ok(answer) => {
                    *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    return Ok(answer);
                }
                Err(error) => error,
            };
            wait = (wait * 2).min(patience);
            let over = begun.elapsed() >= patience;
            match self.last() {
                Some(refusal) if refusal.is_final() || over => {
                    return Err(Unanswered::Refused(refusal));
                }
                Some(_) | None if over => return Err(Unanswered::Failed(error)),
                Some(_) | None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(40);

    #[test]
    fn the_words_of_the_client_are_sorted() {
        let check = |text: &str, expected: fn(String) -> Refusal| {
            assert_eq!(Refusal::in_words(text), Some(expected(text.to_owned())));
        };
        check(
            "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid \
             username or password (after 339ms in state AUTH_REQ)",
            Refusal::Login,
        );
        check(
            "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate \
             verify failed: broker certificate could not be verified",
            Refusal::Tls,
        );
        check(
            "ssl://b:1/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad \
             certificate: SSL alert number 42",
            Refusal::Tls,
        );
        check(
            "ssl://b:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by \
             peer: connecting to a PLAINTEXT broker listener?",
            Refusal::Protocol,
        );
        check(
            "b:1/bootstrap: Disconnected: verify that security.protocol is correctly configured, \
             broker might require SASL authentication",
            Refusal::Protocol,
        );
        let line = "[thrd:b:1/bootstrap]: b:1/bootstrap: Disconnected: connection closed by peer";
        let rest = "b:1/bootstrap: Disconnected: connection closed by peer".to_owned();
        assert_eq!(Refusal::in_words(line), Some(Refusal::Protocol(rest)));
        let refused = "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused";
        assert_eq!(Refusal::in_words(refused), None);
    }

    #[test]
    fn a_refused_login_ends_the_wait_and_a_broker_that_hangs_up_does_not() {
        let refusals = Refusals::default();
        let mut asked = 0;
        let answer: Result<u8, _> = refusals.ask(Duration::from_mins(1), |_| {
            asked += 1;
            let refusal = match asked {
                1 => Refusal::Protocol("disconnected".into()),
                _ => Refusal::Login("invalid".into()),
            };
            refusals.note(refusal);
            Err("no answer")
        });
        assert!(matches!(answer, Err(Unanswered::Refused(Refusal::Login(_)))), "{answer:?}");
        assert_eq!(asked, 2);
        refusals.note(Refusal::Protocol("disconnected".into()));
        assert_eq!(refusals.last(), Some(Refusal::Login("invalid".into())));
    }

    #[test]
    fn what_was_heard_is_named_once_the_time_is_over() {
        let refusals = Refusals::default();
        let answer: Result<u8, _> = refusals.ask(PATIENCE, |_| Err("no answer"));
        assert!(matches!(answer, Err(Unanswered::Failed("no answer"))), "{answer:?}");
        refusals.note(Refusal::Protocol("disconnected".into()));
        let answer: Result<u8, _> = refusals.ask(PATIENCE, |_| Err("no answer"));
        assert!(matches!(answer, Err(Unanswered::Refused(Refusal::Protocol(_)))), "{answer:?}");
    }

    #[test]
    fn an_answer_forgets_what_was_heard_before() {
        let refusals = Refusals::default();
        refusals.note(Refusal::Tls("unknown authority".into()));
        let answer: Result<u8, Unanswered<()>> = refusals.ask(PATIENCE, |_| Ok(1));
        assert!(matches!(answer, Ok(1)));
        assert_eq!(refusals.last(), None);
    }
}
