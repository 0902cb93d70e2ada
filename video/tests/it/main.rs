//! Facts about cutting, sampling and writing, read from decoded pixels of videos that carry their frame numbers.

mod cutting;
mod made;
mod refusing;
mod sampling;
mod sheets;
