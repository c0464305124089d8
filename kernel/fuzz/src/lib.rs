//! What the fuzz targets share: settings out of a byte.
//!
//! Tests nothing itself.

use kernel::settings::{CountSettings, WordMode};

/// The mode and the case that `choice` stands for.
#[must_use]
pub fn settings(choice: u8) -> CountSettings {
    let mode = match choice & 3 {
        0 => WordMode::Unicode,
        1 => WordMode::Whitespace,
        2 => WordMode::Alpha,
        _ => WordMode::Tutorial,
    };
    CountSettings::new(mode, choice & 4 != 0)
}
