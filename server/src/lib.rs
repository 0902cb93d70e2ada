//! The HTTP API, the event stream, the live page and schedules, over the same runs as the command line. Empty until
//! the API moves in.
