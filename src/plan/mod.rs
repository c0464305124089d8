//! Everything that a run will do, computed before anything is done. Pure.
