//! The engine's tests from outside: one binary, one file for each promise.



mod layering;

mod scheduler;


