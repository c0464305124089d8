//! The formula by which the pool of a run sizes itself: what ends its cost when no client is there to end it.
//!
//! It writes the formula; the service evaluates it, every five minutes and whenever it is set anew.

use std::time::Duration;

use time::OffsetDateTime;

use crate::azure::http_date::to_iso;

/// Time between two evaluations: the shortest that the service takes.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How long a pool keeps its nodes although nothing is pending yet: the client is still adding tasks.
pub(crate) const SETTLING: time::Duration = time::Duration::minutes(10);

/// Sizes a pool: `nodes` until `deadline`, none from then on, and none once nothing has been pending for five minutes.
///
/// - `settled`: until then the pool has its nodes whatever is pending.
/// - The end at `deadline` needs no sample: nothing that a sample could lack is looked at from then on. Before it, too few
///   samples count as something pending.
/// - Times are absolute and to the second, so that it does not matter when the service evaluates first.
/// - Nodes that go put their tasks back: those are run again when the run is resumed, and nothing waits for a stuck one.
///
/// Source: "Create a formula to automatically scale compute nodes in a Batch pool".
pub(crate) fn formula(nodes: u32, settled: OffsetDateTime, deadline: OffsetDateTime) -> String {
    let (settled, deadline) = (to_iso(settled), to_iso(deadline));
    format!(
        "deadline = time(\"{deadline}\");\n\
         settled = time(\"{settled}\");\n\
         window = TimeInterval_Minute * 5;\n\
         pending = time() >= deadline ? 0 : (time() < settled ? 1 : \
         ($PendingTasks.GetSamplePercent(window) < 70 ? 1 : max($PendingTasks.GetSample(window))));\n\
         $TargetDedicatedNodes = pending > 0 ? {nodes} : 0;\n\
         $TargetLowPriorityNodes = 0;\n\
         $NodeDeallocationOption = requeue;\n"
    )
}

#[cfg(all(test, feature = "emulator"))]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::emulator::try_formula;

    const SETTLED: OffsetDateTime = datetime!(2026-11-22 10:10 UTC);
    const DEADLINE: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    /// The nodes at `now` when the samples of the last minutes, one each half a minute, saw these many pending tasks.
    fn nodes_at(now: OffsetDateTime, pending: &[u32]) -> usize {
        let text = formula(4, SETTLED, DEADLINE);
        let scale = try_formula(&text, now, pending).expect("a formula of the language");
        assert_eq!(scale.1, "requeue");
        scale.0
    }

    #[test]
    fn a_pool_has_its_nodes_while_something_is_pending_and_none_from_the_deadline_on() {
        assert_eq!(nodes_at(datetime!(2026-11-22 11:59:59 UTC), &[1; 10]), 4);
        assert_eq!(nodes_at(DEADLINE, &[1; 10]), 0);
        assert_eq!(nodes_at(datetime!(2026-12-22 12:00 UTC), &[9; 10]), 0);
    }

    #[test]
    fn a_pool_without_work_has_no_nodes_once_it_has_settled() {
        assert_eq!(nodes_at(datetime!(2026-11-22 10:09:59 UTC), &[0; 10]), 4);
        assert_eq!(nodes_at(SETTLED, &[0; 10]), 0);
        let mut ended = [0; 10];
        ended[0] = 1;
        assert_eq!(
            nodes_at(SETTLED, &ended),
            4,
            "something ended within the window"
        );
    }

    #[test]
    fn the_deadline_needs_no_sample_and_too_few_keep_the_nodes() {
        assert_eq!(nodes_at(DEADLINE, &[]), 0);
        assert_eq!(nodes_at(SETTLED, &[]), 4);
        assert_eq!(nodes_at(SETTLED, &[0; 6]), 4);
    }
}
