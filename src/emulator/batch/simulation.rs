//! Simulated tasks: how long one takes and how it ends, said by the service's settings or by the task's own environment.
//!
//! That it runs no process is up to `emulator::node`. In a service that runs processes these variables are plain ones.

use super::error::BatchError;
use super::object::{children, text};
use super::schema::Object;
use crate::emulator::behaviour::Span;
use crate::emulator::node::Simulation;

/// Variable of a task, or of its job, with the seconds that it takes: `2.5`, or `1..10`.
const SECONDS: &str = "SIMULATED_SECONDS";
/// Variable of a task, or of its job, with the exit code that it ends with.
const EXIT_CODE: &str = "SIMULATED_EXIT_CODE";

/// What a task with `body`, of a job with `common`, does; `span` is how long it takes if neither says.
pub(super) fn simulate(body: &Object, common: Option<&Object>, span: Span) -> Simulation {
    let said = |name| {
        setting(body, "environmentSettings", name)
            .or_else(|| setting(common?, "commonEnvironmentSettings", name))
    };
    Simulation {
        duration: said(SECONDS).and_then(Span::read).unwrap_or(span).draw(),
        exit_code: said(EXIT_CODE)
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0),
    }
}

fn setting<'a>(body: &'a Object, list: &str, name: &str) -> Option<&'a str> {
    children(body, list)
        .filter(|setting| text(setting, "name") == Some(name))
        .last()
        .and_then(|setting| text(setting, "value"))
}

/// Checks what `body`, of a task or a job, says of its simulation.
///
/// # Errors
/// `InvalidPropertyValue`.
pub(super) fn check_simulation(body: &Object) -> Result<(), BatchError> {
    for list in ["environmentSettings", "commonEnvironmentSettings"] {
        if let Some(value) = setting(body, list, SECONDS)
            && Span::read(value).is_none()
        {
            return Err(BatchError::property(
                SECONDS,
                value,
                "It must be seconds, as 2.5, or two of them, as 1..10.",
            ));
        }
        if let Some(value) = setting(body, list, EXIT_CODE)
            && value.trim().parse::<i32>().is_err()
        {
            return Err(BatchError::property(
                EXIT_CODE,
                value,
                "It must be an exit code.",
            ));
        }
    }
    Ok(())
}
