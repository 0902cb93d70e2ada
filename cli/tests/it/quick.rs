//! The quickstart with videos in a bucket of the stand-in or in a folder, a store in either, and its tasks here or elsewhere.

use crate::afar::{Afar, CLOUD_RUN};
use pipe_testdata::{Angle, Recipe, generate};
use std::fs;
use std::path::Path;

/// What the quickstart says of its trainer: where a test says more of the training.
pub(crate) const WHERE: &str = "trainer = { type = \"builtin\", seed = \"{{ params.seed }}\" }";
/// Where videos lie that lie in a bucket.
pub(crate) const FILMS: &str = "gs://films/videos";

/// A folder with what the quickstart needs, sample games, and the services with the same videos.
pub(crate) struct Quick {
    pub(crate) afar: Afar,
    recipe: Recipe,
}

impl Quick {
    /// Two games from one angle.
    pub(crate) fn small() -> Self {
        Self::of(Recipe { games: 2, angles: vec![Angle::ALL[0]], ..Recipe::default() })
    }

    pub(crate) fn of(recipe: Recipe) -> Self {
        let afar = Afar::with(&CLOUD_RUN, "version = 1\nname = \"none\"\n");
        let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs");
        for file in ["prompts/play.jinja", "tools/model-card.sh"] {
            let place = afar.bench.path(file);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(specs.join(file), place).unwrap();
        }
        generate(&afar.bench.path("data"), &recipe).unwrap();
        afar.standin.make_bucket("films");
        let quick = Self { afar, recipe };
        for (game, angle) in quick.films() {
            let film = fs::read(quick.afar.bench.path(&format!("data/videos/{game}/{angle}.mp4"))).unwrap();
            quick.afar.standin.put("films", &format!("videos/{game}/{angle}.mp4"), &film);
        }
        quick
    }

    fn films(&self) -> Vec<(String, &'static str)> {
        let games = (1..=self.recipe.games).map(|game| format!("g{game}"));
        games.flat_map(|game| self.recipe.angles.iter().map(move |angle| (game.clone(), angle.name()))).collect()
    }

    /// Where the videos lie in a folder.
    pub(crate) fn videos(&self) -> String {
        self.afar.bench.path("data/videos").display().to_string()
    }

    /// The quickstart: `place` in each of its stages, its videos there, its results in that store.
    pub(crate) fn spec(&self, place: &str, videos: &str, store: &str) -> String {
        let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../specs");
        let spec = fs::read_to_string(specs.join("quickstart.toml")).unwrap();
        let games: Vec<String> = (1..=self.recipe.games).map(|game| format!("\"g{game}\"")).collect();
        let angles: Vec<String> = self.recipe.angles.iter().map(|angle| format!("\"{}\"", angle.name())).collect();
        let changes = [
            ("\nkind = ", format!("\n{place}\nkind = ")),
            ("{{ params.data | path }}/videos", videos.to_owned()),
            ("../testdata", self.afar.bench.path("data").display().to_string()),
            ("\"../out\"", format!("\"{store}\"")),
        ];
        let spec = changes.iter().fold(spec, |spec, (from, to)| {
            assert!(spec.contains(from), "the quickstart has no {from}");
            spec.replace(from, to)
        });
        let lists = [("games  = ", games), ("angles = ", angles)];
        let lines = spec.lines().map(|line| {
            let list = lists.iter().find(|(begin, _)| line.starts_with(begin));
            list.map_or_else(|| line.to_owned(), |(begin, names)| format!("{begin}[{}]", names.join(", ")))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn write(&self, spec: &str) {
        self.afar.bench.write("spec.toml", spec);
    }
}
