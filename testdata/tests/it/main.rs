//! The sample data is what it claims to be, read from its decoded frames and its database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed, in its helpers as well")]

use std::fs;
use std::path::Path;

use pipe_testdata::{Angle, Play, Recipe, Zone, generate, plays_of, zone_of};
use pipe_video::{FrameSpec, Sampling, probe, sample};

fn tiny() -> Recipe {
    Recipe { games: 2, angles: vec![Angle::NearRight], plays: 4, seconds: 10, ..Recipe::default() }
}

fn everything_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    found.push((path.strip_prefix(folder).unwrap().display().to_string(), fs::read(path).unwrap()))
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_recipe_gives_the_same_bytes_and_a_second_call_makes_nothing() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let made = generate(one.path(), &tiny()).unwrap();
    assert_eq!((made.videos, made.plays, made.already_there), (2, 8, false));
    generate(two.path(), &tiny()).unwrap();
    let (files, again) = (everything_in(one.path()), everything_in(two.path()));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["plays.db", "videos/g1/NEAR_RIGHT.mp4", "videos/g2/NEAR_RIGHT.mp4", "videos/made.stamp"]);
    assert!(files == again, "the bytes differ");
    assert!(generate(one.path(), &tiny()).unwrap().already_there);
}

#[test]
fn a_file_that_was_cut_short_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { games: 1, plays: 1, seconds: 4, ..tiny() };
    generate(folder.path(), &recipe).unwrap();
    let video = folder.path().join("videos/g1/NEAR_RIGHT.mp4");
    let whole = fs::read(&video).unwrap();
    fs::write(&video, &whole[..whole.len() / 2]).unwrap();
    assert!(!generate(folder.path(), &recipe).unwrap().already_there);
    assert!(fs::read(&video).unwrap() == whole);
}

#[test]
fn a_recipe_without_room_for_its_plays_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = generate(folder.path(), &Recipe { plays: 20, seconds: 10, ..tiny() }).unwrap_err();
    assert_eq!(error.to_string(), "the recipe cannot be made: 20 plays need 42 s of video, not 10");
}

#[test]
fn the_database_holds_the_plays() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), &Recipe { games: 1, plays: 2, seconds: 6, ..tiny() }).unwrap();
    let database = rusqlite::Connection::open(folder.path().join("plays.db")).unwrap();
    let mut rows =
        database.prepare("select id, game_id, label, start_ms, end_ms from plays order by start_ms").unwrap();
    let rows: Vec<(String, String, String, u32, u32)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let ids: Vec<(&str, &str)> = rows.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect();
    assert_eq!(ids, [("g1-p01", "g1"), ("g1-p02", "g1")]);
    assert!((1000..=1150).contains(&rows[0].3) && (3000..=3150).contains(&rows[1].3), "{rows:?}");
    let title: String = database.query_row("select title from games where id = 'g1'", [], |row| row.get(0)).unwrap();
    assert_eq!(title, "Game 1");
}

/// The zone that holds most orange pixels, and how many there are in it and in all others together.
fn orange(rgb: &[u8], width: usize, height: usize) -> (Zone, usize, usize) {
    let mut counts = [0; 6];
    for (i, pixel) in rgb.chunks_exact(3).enumerate() {
        let (r, g, b) = (i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2]));
        if r > 150 && r - g > 45 && g - b > 40 {
            counts[(i / width) / (height / 2) * 3 + (i % width) / (width / 3)] += 1;
        }
    }
    let best = (0..6).max_by_key(|&zone| counts[zone]).unwrap();
    (Zone(best as u8), counts[best], counts.iter().sum::<usize>() - counts[best])
}

#[test]
fn the_disc_stands_in_the_zone_of_the_label_during_each_play_and_elsewhere_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { games: 1, angles: Angle::ALL.to_vec(), ..tiny() };
    generate(folder.path(), &recipe).unwrap();
    let plays = plays_of(&recipe, 1);
    for angle in Angle::ALL {
        let video = folder.path().join(format!("videos/g1/{}.mp4", angle.name()));
        let info = probe(&video).unwrap();
        assert_eq!((info.width, info.height, info.duration_ms, info.has_audio), (192, 108, Some(10_000), true));
        let spec = FrameSpec { keep_rgb: true, ..FrameSpec::plain(192, 108) };
        let sampled = sample(&video, Sampling::Every { n: 1 }, &spec).unwrap();
        assert_eq!(sampled.frames, 150);
        for (number, rgb) in sampled.rgb.unwrap().chunks_exact(192 * 108 * 3).enumerate() {
            check_frame(number as u32, orange(rgb, 192, 108), angle, &plays);
        }
    }
}

/// Frame `n` of 15 a second is shown at n * 1000 / 15 ms.
fn check_frame(number: u32, seen: (Zone, usize, usize), angle: Angle, plays: &[Play]) {
    let (zone, in_it, elsewhere) = seen;
    assert!(
        in_it > 100 && elsewhere < in_it / 4,
        "{angle:?} {number}: {in_it} orange pixels and {elsewhere} elsewhere"
    );
    let inside = |play: &&Play| number * 1000 >= play.start_ms * 15 && number * 1000 < play.end_ms * 15;
    if let Some(play) = plays.iter().find(inside) {
        assert_eq!(zone, zone_of(angle, play.label), "{angle:?} {number} in {}", play.id);
        return;
    }
    let before = plays.iter().rfind(|play| play.start_ms * 15 <= number * 1000);
    let after = plays.iter().find(|play| play.start_ms * 15 > number * 1000);
    for play in [before, after].into_iter().flatten() {
        assert_ne!(zone, zone_of(angle, play.label), "{angle:?} {number} beside {}", play.id);
    }
}
