//! What a spec says and what becomes of it: the files it is made of, parameters, cells, conditions, places to run.

mod cells;
mod desk;
mod files;
mod params;
mod places;
