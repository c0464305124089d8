//! The counting kernel of fanout: exact top-N word counts of bytes of any kind.

pub mod words;
