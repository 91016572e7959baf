//! Keyword rules: what a refund's free text says about the reason. The note itself is dropped.
//!
//! A rule is a sequence of words; a word that ends in `*` matches any word that begins so. Case,
//! accents and punctuation do not count. The first rule that occurs in a note decides.

use common::config::Reasons;
use common::reason::Reason;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The part of a note that is looked at.
const MAX_CHARS: usize = 2_000;

/// Shipped rules, English and French, the more telling before the more general. Phrases are
/// separated by `|`.
const DEFAULTS: [(Reason, &str); 14] = [
    (
        Reason::DamagedInTransit,
        "damaged in transit|damaged in shipping|damaged in shipment|damaged during *|damaged in the \
         mail|damaged in delivery|damaged on arrival|damaged when it arrived|damaged when arrived|\
         arrived damaged|arrived broken|came damaged|came broken|broken in transit|broken in \
         shipping|broken during *|broken on arrival|shipping damage*|transit damage*|damaged package|\
         damaged parcel|damaged box|abime* pendant|abime* dans le transport|abime* lors *|endommage* \
         pendant|endommage* dans le transport|endommage* par le transport*|endommage* lors *|casse* \
         pendant *|casse* dans le transport|casse* a l arrivee|arrive* casse*|arrive* endommage*|\
         arrive* abime*|recu* casse*|recu* endommage*|recu* abime*|colis endommage*|colis abime*|\
         dommage* transport|dommage* de transport",
    ),
    (
        Reason::Delivery,
        "arrived late|arrived too late|too late|late|never arrived|not arrived|did not arrive|didn t \
         arrive|not received|never received|did not receive|didn t receive|not delivered|lost in \
         transit|lost package|lost parcel|lost in the mail|took too long|delay*|livraison|en retard|\
         retard|non recu*|pas recu*|jamais recu*|jamais arrive*|colis perdu|trop longtemps",
    ),
    (
        Reason::SizeTooSmall,
        "too small|too tight|too short|too narrow|runs small|run small|size up|bigger size|larger \
         size|trop petit|trop petite|trop petits|trop petites|trop serre*|trop court|trop courte|trop \
         courts|trop courtes|trop etroit*|taille petit|taille au dessus",
    ),
    (
        Reason::SizeTooLarge,
        "too large|too big|too loose|too wide|too long|runs large|runs big|run large|size down|\
         smaller size|trop grand|trop grande|trop grands|trop grandes|trop large|trop larges|trop \
         long|trop longue|trop longs|trop longues|taille grand|taille en dessous",
    ),
    (
        Reason::Fit,
        "wrong size|incorrect size|doesn t fit|does not fit|didn t fit|did not fit|not fit|poor fit|\
         bad fit|fit issue*|fit|uncomfortable|size|sizing|mauvaise taille|taille|inconfortable|\
         pas confortable",
    ),
    (
        Reason::WrongItem,
        "wrong item*|wrong product*|wrong article*|wrong order|wrong one|incorrect item*|incorrect \
         product*|received the wrong|sent the wrong|shipped the wrong|mauvais article*|mauvais \
         produit*|mauvaise reference|erreur de preparation|erreur d envoi|pas le bon article|pas le \
         bon produit|pas le bon modele",
    ),
    (
        Reason::NotAsDescribed,
        "not as described|not as pictured|not as shown|not as advertised|not like the picture*|not \
         like the photo*|different from the *|different than *|doesn t match|does not match|pas \
         conforme*|non conforme*|ne correspond pas|correspond pas|different de la *",
    ),
    (Reason::Color, "wrong color|wrong colour|color|colour|colors|colours|couleur|couleurs"),
    (Reason::Style, "style"),
    (
        Reason::Unwanted,
        "change* mind|change* my mind|change* his mind|change* her mind|change* their mind|change of \
         mind|no longer need*|no longer want*|don t want|doesn t want|does not want|didn t want|not \
         needed|not wanted|unwanted|don t like|didn t like|doesn t like|does not like|did not like|\
         ordered by mistake|bought by mistake|by mistake|accident*|change d avis|changement d avis|\
         ne veut plus|ne veux plus|plus besoin|n aime pas|ne plait pas|plait pas|par erreur|\
         retractation",
    ),
    (Reason::Quality, "quality|pilling|pills|cheap|cheaply|thin fabric|qualite|bouloche*|peluche*"),
    (
        Reason::Defective,
        "defect*|faulty|broken|broke|doesn t work|does not work|didn t work|not working|stopped \
         working|malfunction*|damage|damaged|damages|torn|cracked|ripped|scratched|hole|holes|\
         defaut*|defaill*|casse|cassee|casses|cassees|abime|abimee|abimes|abimees|endommage|\
         endommagee|endommages|endommagees|ne marche pas|ne fonctionne pas|marche pas|fonctionne \
         pas|en panne|dechire*|fissure*|troue*",
    ),
    (Reason::WrongItem, "wrong"),
    (Reason::Delivery, "delivery|shipping"),
];

/// Rules in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct NoteRules {
    rules: Vec<(Vec<String>, Reason)>,
}

impl NoteRules {
    /// The configured rules, then the shipped ones.
    #[must_use]
    pub fn new(configured: &Reasons) -> Self {
        let own = configured
            .iter()
            .flat_map(|(reason, phrases)| phrases.iter().map(|phrase| (words(phrase), *reason)));
        let shipped = DEFAULTS.iter().flat_map(|(reason, phrases)| {
            phrases.split('|').map(move |phrase| (words(phrase), *reason))
        });
        let rules = own.chain(shipped).filter(|(words, _)| !words.is_empty()).collect();
        Self { rules }
    }

    /// The reason that the words of `note` give; `None` where no rule occurs in it.
    #[must_use]
    pub fn classify(&self, note: &str) -> Option<Reason> {
        let end = note.char_indices().nth(MAX_CHARS).map_or(note.len(), |(end, _)| end);
        let note = words(&note[..end]);
        let occurs = |rule: &[String]| {
            note.windows(rule.len())
                .any(|place| place.iter().zip(rule).all(|(word, rule)| word_matches(word, rule)))
        };
        self.rules.iter().find(|(rule, _)| occurs(rule)).map(|&(_, reason)| reason)
    }
}

impl Default for NoteRules {
    fn default() -> Self {
        Self::new(&Reasons::new())
    }
}

fn word_matches(word: &str, rule: &str) -> bool {
    rule.strip_suffix('*').map_or(word == rule, |start| word.starts_with(start))
}

/// Lower-case words without accents; `*` stays at the end of a word.
fn words(text: &str) -> Vec<String> {
    let plain: String =
        text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    plain
        .split(|c: char| !c.is_alphanumeric() && c != '*')
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(note: &str, expected: Option<Reason>) {
        assert_eq!(NoteRules::default().classify(note), expected, "{note}");
    }

    #[test]
    fn classifies_english() {
        check("wrong size", Some(Reason::Fit));
        check("Too SMALL!", Some(Reason::SizeTooSmall));
        check("it's too-big for me", Some(Reason::SizeTooLarge));
        check("Things were damaged", Some(Reason::Defective));
        check("Package was damaged in transit.", Some(Reason::DamagedInTransit));
        check("box arrived damaged", Some(Reason::DamagedInTransit));
        check("Customer changed their mind", Some(Reason::Unwanted));
        check("received the wrong item", Some(Reason::WrongItem));
        check("delivery took too long", Some(Reason::Delivery));
        check("poor quality", Some(Reason::Quality));
        check("not as described on the site", Some(Reason::NotAsDescribed));
        check("the colour is off", Some(Reason::Color));
    }

    #[test]
    fn classifies_french() {
        check("Trop petit", Some(Reason::SizeTooSmall));
        check("c'est trop grande", Some(Reason::SizeTooLarge));
        check("ne marche pas", Some(Reason::Defective));
        check("Produit défectueux", Some(Reason::Defective));
        check("article cassé", Some(Reason::Defective));
        check("arrivé cassé", Some(Reason::DamagedInTransit));
        check("Ne correspond pas à la photo", Some(Reason::NotAsDescribed));
        check("j'ai changé d’avis", Some(Reason::Unwanted));
        check("mauvaise taille", Some(Reason::Fit));
        check("jamais reçu", Some(Reason::Delivery));
    }

    #[test]
    fn says_nothing_without_a_rule() {
        for note in ["", "   ", "Kunde hat storniert", "casserole", "translate"] {
            check(note, None);
        }
    }

    #[test]
    fn configured_rules_go_first() {
        let own = Reasons::from([(Reason::Defective, vec!["too small".to_owned()])]);
        let rules = NoteRules::new(&own);
        assert_eq!(rules.classify("far too small"), Some(Reason::Defective));
        assert_eq!(rules.classify("trop petit"), Some(Reason::SizeTooSmall));
    }
}
