//! The text of a spec -> whether this build has the kinds of stages and places that it names.

/// What the smallest build leaves out: whether it is here, and the words of a spec that need it.
const PARTS: [(bool, &[&str]); 3] = [
    (cfg!(feature = "video"), &["extract-clips", "preprocess"]),
    (cfg!(feature = "trainer"), &["\"train\""]),
    (cfg!(feature = "cloud"), &["cloud-run", "\"vertex\"", "https://videos."]),
];

/// Whether nothing of a spec is left out of this build.
pub(crate) fn can_plan(spec: &str) -> bool {
    PARTS.iter().all(|(is_here, words)| *is_here || !words.iter().any(|word| spec.contains(word)))
}
