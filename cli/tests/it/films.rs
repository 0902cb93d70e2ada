//! Six games, each filmed from four angles in 10 GB, none of which any disk here has room for: as jobs elsewhere, with 512 MB of
//! scratch for each.

use crate::afar::{Afar, CLOUD_RUN};
use pipe_fakeweb::{Content, Stretched};
use rusqlite::Connection;
use std::fs;
use std::process::Command;

const SPEC: &str = r#"
version = 1
name = "films"
[params]
games = ["g1", "g2", "g3", "g4", "g5", "g6"]
[stages.plays]
kind = "export"
matrix.game = "{{ params.games }}"
source = { type = "sqlite", path = "plays.db" }
query = "select id, start_ms, end_ms from plays order by start_ms"
[stages.clips]
kind = "extract-clips"
matrix.game = "{{ params.games }}"
plays = "plays"
resources = { cpu = 1, memory = "512 MiB" }
PLACE
[stages.clips.videos]
FAR_LEFT = "gs://films/{{ game }}/FAR_LEFT.mp4"
NEAR_LEFT = "gs://films/{{ game }}/NEAR_LEFT.mp4"
FAR_RIGHT = "gs://films/{{ game }}/FAR_RIGHT.mp4"
NEAR_RIGHT = "gs://films/{{ game }}/NEAR_RIGHT.mp4"
"#;
const GAMES: usize = 6;
const ANGLES: [&str; 4] = ["FAR_LEFT", "NEAR_LEFT", "FAR_RIGHT", "NEAR_RIGHT"];
const PLAYS: usize = 5;
const SIZE: u64 = 10_000_000_000;

/// Before its worker a container gets a scratch disk of its own, which is gone when it is, and waits until all six have begun.
const SMALL: &str = r#"
mount -t tmpfs -o size=512m none "$SCRATCH" || exit 99
tries=0
while [ $(wc -l < '@/book') -lt 6 ] && [ $tries -lt 6000 ]; do sleep 0.05; tries=$((tries + 1)); done
[ $(wc -l < '@/book') -ge 6 ] || exit 98
"#;

/// Whether a process here may have disks of its own.
fn may_mount(afar: &Afar) -> bool {
    let folder = afar.bench.path("probe");
    fs::create_dir(&folder).unwrap();
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "none"]).arg(&folder);
    probe.output().is_ok_and(|output| output.status.success())
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "whoever reads the tests' output is to see what was measured, and what was not tried"
)]
fn six_games_of_four_films_of_ten_gigabytes_start_at_once_and_little_of_them_is_read() {
    if std::env::var_os("PIPE_TEST_FILMS").is_none() {
        return eprintln!("skipped: `make test-more` asks for it with PIPE_TEST_FILMS");
    }
    let afar = Afar::with(&CLOUD_RUN, SPEC);
    if !may_mount(&afar) {
        return eprintln!("skipped: a small disk can be mounted by root only");
    }
    let noise = afar.bench.path("noise.mp4");
    pipe_testdata::noise(&noise, 20).unwrap();
    let stretched = Stretched::of(fs::read(&noise).unwrap(), SIZE, 20);
    assert!(stretched.size() > SIZE * 9 / 10, "{}", stretched.size());
    let film = afar.bench.path("film.mp4");
    stretched.write(&fs::File::create(&film).unwrap()).unwrap();
    let names = (1..=GAMES).flat_map(|game| ANGLES.map(|angle| format!("g{game}/{angle}.mp4"))).collect::<Vec<_>>();
    afar.standin.make_bucket("films");
    afar.standin.lay("films", &names, &film);
    let plays = Connection::open(afar.bench.path("plays.db")).unwrap();
    plays.execute_batch("create table plays (id text, start_ms integer, end_ms integer)").unwrap();
    for n in 0..PLAYS as i64 {
        let row = (n.to_string(), n * 3900 + 450, n * 3900 + 2950);
        plays.execute("insert into plays values (?1, ?2, ?3)", row).unwrap();
    }
    afar.contain_apart(&SMALL.replace('@', &afar.bench.path("").display().to_string()));
    let said = afar.run("here", &[]);
    let made = |event: &serde_json::Value| event["items"]["made"].as_u64().unwrap_or_default();
    let clips: u64 = said.events().iter().filter(|event| event["type"] == "attempt_ended").map(made).sum();
    assert_eq!(clips, (GAMES * ANGLES.len() * PLAYS) as u64);
    assert_eq!(afar.containers().len(), GAMES, "all of them at once, or none would have gone on");
    let (read, all) = (afar.standin.sent("films", ""), names.len() as u64 * stretched.size());
    assert!(read * 10 <= all, "{read} bytes of {all} are read");
    eprintln!("{clips} clips out of {} films of {} bytes: {read} bytes of {all} read", names.len(), stretched.size());
}
