//! Writes the games and plays of a recipe into an SQLite file.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::generate::Recipe;
use crate::plays::plays_of;

const TABLES: &str = "
    create table games (id text primary key, title text not null);
    create table plays (
        id       text primary key,
        game_id  text not null references games (id),
        label    text not null,
        start_ms integer not null,
        end_ms   integer not null
    );
    create index plays_by_game on plays (game_id);
";

/// Writes the database; `path` does not exist yet.
pub(crate) fn write(recipe: &Recipe, path: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    let rows = connection.transaction()?;
    rows.execute_batch(TABLES)?;
    for game in 1..=recipe.games {
        rows.execute("insert into games values (?1, ?2)", params![format!("g{game}"), format!("Game {game}")])?;
        for play in plays_of(recipe, game) {
            rows.execute(
                "insert into plays values (?1, ?2, ?3, ?4, ?5)",
                params![play.id, play.game_id, play.label.name(), play.start_ms, play.end_ms],
            )?;
        }
    }
    rows.commit()?;
    connection.close().map_err(|(_, error)| error)
}
