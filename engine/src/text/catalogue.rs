//! The code of a problem -> the page about it: what it means, how it looks, how it is put right.
//!
//! The pages lie in `docs/errors/` and are part of the binary, so they fit it and need no network. A code that is listed
//! here keeps its meaning for good; one that is no longer reported keeps its page.

/// What is known about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code, such as `S0201`.
    pub code: &'static str,
    /// The page, in Markdown. Its first line is `# <code>: <title>`.
    pub page: &'static str,
}

impl Entry {
    /// What the code stands for, in one line.
    pub fn title(&self) -> &'static str {
        let first = self.page.lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, title)| title)
    }
}

/// The page of a code, in whatever case it was typed.
pub fn page_of(code: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

macro_rules! catalogue {
    ($($code:literal)*) => {
        &[$(Entry { code: $code, page: include_str!(concat!("../../../docs/errors/", $code, ".md")) }),*]
    };
}

/// Every code there is, by the part of the work that reports it.
pub const CATALOGUE: &[Entry] = catalogue! {
    "S0101" "S0102" "S0103" "S0104" "S0105" "S0106" "S0107" "S0108" "S0109"
    "S0201" "S0202" "S0203" "S0204" "S0205" "S0206" "S0207" "S0208" "S0209"
    "S0301" "S0302" "S0303" "S0304" "S0305"
    "S0401" "S0402" "S0403" "S0404" "S0405"
    "P0101" "P0102" "P0103"
    "P0201" "P0202" "P0203" "P0204" "P0205" "P0206" "P0207"
    "P0301" "P0302" "P0303" "P0304" "P0305" "P0306" "P0307" "P0308" "P0309"
    "P0401" "P0402" "P0403" "P0404" "P0405" "P0406"
    "P0501" "P0502" "P0503" "P0504" "P0505" "P0506" "P0507"
    "P0601" "P0602" "P0603" "P0604" "P0605" "P0606" "P0607"
    "P0701" "P0702" "P0703" "P0704"
    "P0801"
};
