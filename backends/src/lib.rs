//! Places to run besides this machine: Cloud Run Jobs, Vertex AI and others, one folder each, with the same file
//! names in every folder. Empty until the first of them moves in.
