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

/// What is found in the report of a node that failed, in this order: what it means, and what mends it.
const CAUSES: [(&str, &str); 10] = [
    (
        "BlobNotFound",
        "the program is not there any more: was the run cleaned up meanwhile?",
    ),
    (
        "ContainerNotFound",
        "the program's container is not there any more: was the run cleaned up meanwhile?",
    ),
    (
        "BlobAccessDenied",
        "the node may not read the program: is the storage account open to the pool's network?",
    ),
    (
        "BlobDownload",
        "the node cannot fetch the program: is the storage account open to the pool's network?",
    ),
    (
        "Exec format error",
        "the program is of another architecture: deploy/build-node.sh builds one for the nodes",
    ),
    (
        "computed checksum did NOT match",
        "the program arrived damaged, or was changed while it was staged: run again",
    ),
    (
        "No space left on device",
        "the node's disk is full: use a larger --vm-size",
    ),
    (
        "not found",
        "the program needs something that the image lacks: deploy/build-node.sh builds one that needs nothing",
    ),
    (
        "is unknown",
        "the service has no contact to the node: its machine or its network is gone",
    ),
    (
        "is unusable",
        "nodes become unusable mostly because they cannot reach Storage and Batch: is there a firewall, or a subnet \
         without a way out to Storage and BatchNodeManagement?",
    ),
];

/// What is wrong with `node` of `pool`, with the end of its start task's output where there is one, and what may mend it.
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
    if let Some(cause) = cause_of(&text) {
        text = format!("{text}\n  {cause}");
    }
    redact(&text).into_owned()
}

/// The likely cause in `report`, and what mends it.
fn cause_of(report: &str) -> Option<&'static str> {
    CAUSES
        .iter()
        .find(|(sign, _)| report.contains(sign))
        .map(|(_, cause)| *cause)
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
    fn the_cause_that_a_report_shows_is_named() {
        for (report, says) in [
            ("start task: BlobAccessDenied: no", "network"),
            ("/bin/sh: 1: topn: Exec format error", "architecture"),
            (
                "sha256sum: WARNING: 1 computed checksum did NOT match",
                "damaged",
            ),
            ("cp: error writing: No space left on device", "--vm-size"),
            ("node n is unusable", "firewall"),
        ] {
            let cause = cause_of(report).unwrap();
            assert!(cause.contains(says), "{report}: {cause}");
        }
        assert_eq!(cause_of("FailureExitCode (exit code 3)"), None);
    }

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
