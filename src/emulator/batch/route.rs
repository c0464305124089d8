//! Which operation a request means.
//!
//! Operations that the real service has and this one has not are named in their 501.

use super::error::BatchError;
use super::service::{Batch, Order};
use crate::emulator::server::Answer;
use std::sync::Arc;

impl Batch {
    /// Carries out `order`.
    ///
    /// # Errors
    /// What the operation says; `InvalidUri` for no operation of the service; 501 for one that is not offered.
    pub(super) async fn route(self: &Arc<Self>, order: &Order) -> Result<Answer, BatchError> {
        let segments = order.call.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = order.call.method.as_str();
        match segments.as_slice() {
            ["supportedimages"] if method == "GET" => self.list_images(&order.call),
            ["nodecounts"] if method == "GET" => self.list_node_counts(order),
            ["pools"] => match method {
                "GET" => self.list_pools(order),
                "POST" => self.add_pool(order),
                _ => Err(BatchError::of("UnsupportedHttpVerb")),
            },
            ["pools", pool, rest @ ..] => self.route_pool(order, pool, rest).await,
            ["jobs"] => match method {
                "GET" => self.list_jobs(order),
                "POST" => self.add_job(order),
                _ => Err(BatchError::of("UnsupportedHttpVerb")),
            },
            ["jobs", job, rest @ ..] => self.route_job(order, job, rest).await,
            [
                kind @ ("jobschedules" | "applications" | "certificates" | "poolusagemetrics"
                | "lifetimepoolstats" | "lifetimejobstats"),
                ..,
            ] => Err(BatchError::missing(format!("{method} /{kind}"))),
            _ => Err(BatchError::of("InvalidUri")),
        }
    }

    async fn route_pool(
        self: &Arc<Self>,
        order: &Order,
        pool: &str,
        rest: &[&str],
    ) -> Result<Answer, BatchError> {
        match (order.call.method.as_str(), rest) {
            ("GET" | "HEAD", []) => self.get_pool(order, pool),
            ("PATCH", []) => self.patch_pool(order, pool),
            ("DELETE", []) => self.delete_pool(order, pool),
            ("POST", ["updateproperties"]) => self.replace_pool_properties(order, pool),
            ("POST", ["resize"]) => self.resize_pool(order, pool),
            ("POST", ["stopresize"]) => self.stop_resize(order, pool),
            ("POST", ["enableautoscale"]) => self.enable_autoscale(order, pool),
            ("POST", ["disableautoscale"]) => self.disable_autoscale(order, pool),
            ("POST", ["evaluateautoscale"]) => self.evaluate_autoscale(order, pool),
            ("POST", ["removenodes"]) => self.remove_pool_nodes(order, pool),
            ("GET", ["nodes"]) => self.list_nodes(order, pool),
            ("GET", ["nodes", node]) => self.get_node(order, pool, node),
            ("POST", ["nodes", node, "disablescheduling"]) => {
                self.disable_scheduling(order, pool, node)
            }
            ("POST", ["nodes", node, "enablescheduling"]) => {
                self.enable_scheduling(order, pool, node)
            }
            ("POST", ["nodes", node, "deallocate"]) => self.deallocate_node(order, pool, node),
            ("POST", ["nodes", node, "start"]) => self.start_node(order, pool, node),
            ("GET", ["nodes", node, "files"]) => self.list_node_files(order, pool, node),
            ("GET" | "HEAD" | "DELETE", ["nodes", node, "files", path @ ..]) => {
                self.node_file(order, (pool, node), &path.join("/")).await
            }
            (
                method,
                ["extensions", ..]
                | [
                    "nodes",
                    _,
                    "reboot"
                    | "reimage"
                    | "users"
                    | "extensions"
                    | "rdp"
                    | "remoteloginsettings"
                    | "uploadbatchservicelogs",
                    ..,
                ],
            ) => Err(missing(method, "pools", rest)),
            (_, [] | ["nodes", ..]) => Err(BatchError::of("UnsupportedHttpVerb")),
            _ => Err(BatchError::of("InvalidUri")),
        }
    }

    async fn route_job(
        self: &Arc<Self>,
        order: &Order,
        job: &str,
        rest: &[&str],
    ) -> Result<Answer, BatchError> {
        match (order.call.method.as_str(), rest) {
            ("GET", []) => self.get_job(order, job),
            ("PATCH", []) => self.patch_job(order, job),
            ("PUT", []) => self.put_job(order, job),
            ("DELETE", []) => self.delete_job(order, job),
            ("POST", ["terminate"]) => self.terminate_job(order, job),
            ("POST", ["disable"]) => self.disable_job(order, job),
            ("POST", ["enable"]) => self.enable_job(order, job),
            ("GET", ["taskcounts"]) => self.get_task_counts(order, job),
            ("GET", ["jobpreparationandreleasetaskstatus"]) => self.list_preparations(order, job),
            ("POST", ["addtaskcollection"]) => self.add_tasks(order, job),
            ("GET", ["tasks"]) => self.list_tasks(order, job),
            ("POST", ["tasks"]) => self.add_task(order, job),
            ("GET", ["tasks", task]) => self.get_task(order, job, task),
            ("PUT", ["tasks", task]) => self.put_task(order, job, task),
            ("DELETE", ["tasks", task]) => self.delete_task(order, job, task),
            ("POST", ["tasks", task, "terminate"]) => self.terminate_task(order, job, task),
            ("POST", ["tasks", task, "reactivate"]) => self.reactivate_task(order, job, task),
            ("GET", ["tasks", task, "files"]) => self.list_task_files(order, job, task),
            ("GET" | "HEAD" | "DELETE", ["tasks", task, "files", path @ ..]) => {
                self.task_file(order, (job, task), &path.join("/")).await
            }
            (method, ["tasks", _, "subtasksinfo"]) => Err(missing(method, "jobs", rest)),
            (_, [] | ["tasks", ..]) => Err(BatchError::of("UnsupportedHttpVerb")),
            _ => Err(BatchError::of("InvalidUri")),
        }
    }
}

fn missing(method: &str, kind: &str, rest: &[&str]) -> BatchError {
    let rest: Vec<&str> = rest
        .iter()
        .enumerate()
        .map(|(at, part)| if at == 1 { "{id}" } else { *part })
        .collect();
    BatchError::missing(format!("{method} /{kind}/{{id}}/{}", rest.join("/")))
}
