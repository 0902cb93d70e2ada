//! Rows of kills -> the table that is printed.

use crate::watch::Wrong;
use std::fmt::{self, Display};

/// Kills at one point, and what did not hold after them.
#[derive(Default)]
pub(crate) struct Row {
    name: String,
    pub(crate) kills: usize,
    /// Kills that fell while tasks ran.
    pub(crate) amid: usize,
    pub(crate) wrong: Wrong,
}

/// All rows.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    /// Points that no run of the project comes to.
    pub(crate) not_reached: Vec<&'static str>,
}

impl Row {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn line(&self) -> String {
        let Wrong { lost, torn, twice, stuck } = &self.wrong;
        let counts = [self.kills, self.amid, lost.len(), torn.len(), twice.len(), stuck.len()];
        line(&self.name, counts.map(|count| count.to_string()))
    }
}

impl Table {
    /// The row that is being filled.
    pub(crate) fn last(&mut self) -> &mut Row {
        if self.rows.is_empty() {
            self.rows.push(Row::default());
        }
        self.rows.last_mut().expect("there is one")
    }

    /// Whether everything held, at the points and as often as it should.
    pub(crate) fn holds(&self) -> bool {
        let (kills, amid) = self.sums();
        self.rows.iter().all(|row| row.wrong.all().next().is_none()) && amid * 2 >= kills
    }

    fn sums(&self) -> (usize, usize) {
        (self.rows.iter().map(|row| row.kills).sum(), self.rows.iter().map(|row| row.amid).sum())
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ["kills", "amid tasks", "lost", "torn", "twice", "stuck"].map(str::to_owned);
        writeln!(f, "{}", line("killed at", heads))?;
        writeln!(f, "|{}", "---|".repeat(7))?;
        for row in &self.rows {
            writeln!(f, "{}", row.line())?;
        }
        let (kills, amid) = self.sums();
        writeln!(f, "\n{kills} kills, {amid} of them while tasks ran")?;
        for point in &self.not_reached {
            writeln!(f, "{point}: no run of this project comes there")?;
        }
        for row in &self.rows {
            for (kind, what) in row.wrong.all() {
                writeln!(f, "{kind} after kills at {}: {what}", row.name)?;
            }
        }
        Ok(())
    }
}

fn line(name: &str, counts: [String; 6]) -> String {
    let counts = counts.map(|count| format!(" {count:>10} |")).concat();
    format!("| {name:<22} |{counts}")
}
