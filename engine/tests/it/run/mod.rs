//! Whole runs, from the text of a spec to files in a store, with scripts as stages.

mod caching;
mod causes;
mod checkpoints;
mod children;
mod disk;
mod elsewhere;
mod estimating;
mod following;
mod growing;
mod looking;
mod machines;
mod outputs;
mod patience;
mod project;
mod provider;
mod publishing;
mod service;
