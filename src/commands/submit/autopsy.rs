//! Why a node or a task failed, in words: the cause that the service names and the end of what was printed.
//!
//! It reads and explains; what follows from it is decided by `watch` and `command`.

use super::watch::one_line;
use crate::azure::batch::{Batch, FileSource, Node, NodeState};
use crate::secret::redact;

/// The end of an output that is shown.
const TAIL_BYTES: u64 = 4 << 10;

/// Lines of it.
const TAIL_LINES: usize = 20;

/// What is wrong with `node` of `pool`, with the end of its start task's output where there is one.
///
/// Never fails: what cannot be read is left out.
pub(crate) async fn node(batch: &Batch, pool: &str, node: &Node) -> String {
    let mut text = format!("node {} is {}", node.id, node.state);
    let info = node.start_task_info.as_ref();
    if let Some(failure) = info.and_then(|info| info.failure_info.as_ref()) {
        text = format!(
            "{text}: start task: {}: {}",
            failure.code,
            one_line(&failure.message)
        );
    }
    if let Some(code) = info.and_then(|info| info.exit_code) {
        text = format!("{text} (exit code {code})");
    }
    for error in &node.errors {
        text = format!("{text}: {}: {}", error.code, one_line(&error.message));
    }
    // No file can be read from a node that is unusable.
    if node.state == NodeState::StartTaskFailed {
        for name in ["startup/stdout.txt", "startup/stderr.txt"] {
            let source = FileSource::Node {
                pool,
                node: &node.id,
            };
            if let Ok(Some(part)) = batch.get_file_tail(source, name, TAIL_BYTES).await {
                text.push_str(&tail(name, &part.bytes));
            }
        }
    }
    redact(&text).into_owned()
}

/// The last lines of `bytes` under the name of their file; nothing when there are none.
pub(crate) fn tail(name: &str, bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = shown
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let printable = |line: &&str| {
        line.chars()
            .filter(|c| !c.is_control() || *c == '\t')
            .collect::<String>()
    };
    let last: Vec<String> = last.iter().map(printable).collect();
    redact(&format!("\n  {name}:\n    {}", last.join("\n    "))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_the_last_lines_without_control_characters_and_signatures() {
        let text: String = (1..=30)
            .map(|n| format!("line {n}\u{1b}[31m\n\n"))
            .collect();
        let shown = tail("stderr.txt", format!("{text}http://h/?sig=abc").as_bytes());
        assert!(
            shown.starts_with("\n  stderr.txt:\n    line 12[31m\n"),
            "{shown}"
        );
        assert!(shown.ends_with("http://h/?sig=REDACTED"), "{shown}");
        assert_eq!(tail("stdout.txt", b"\n \n"), "");
    }
}
