//! Pools, their nodes, and the images that nodes can have.
//!
//! Files on nodes are in `files`.

use reqwest::Method;
use serde::Serialize;

use crate::azure::batch::client::{
    Batch, ListQuery, decode, done_if_gone, is_ours, may_exist, quoted, with_json,
};
use crate::azure::batch::pool_answer::{AutoScaleRun, Node, Pool, PoolNodeCounts, SupportedImage};
use crate::azure::batch::pool_body::{AutoScale, PoolCreate, PoolPatch, PoolResize};
use crate::azure::batch::wire::PoolState;
use crate::azure::error::{Creation, Result};
use crate::azure::sas::encode_body;

impl Batch {
    /// List Supported Images.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_supported_images(&self) -> Result<Vec<SupportedImage>> {
        self.list(
            "list supported images".to_owned(),
            &["supportedimages"],
            &ListQuery::default(),
        )
        .await
    }

    /// The nodes of `pool` by state; nothing if the service does not count it yet. Lags behind the nodes.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_node_counts(&self, pool: &str) -> Result<Option<PoolNodeCounts>> {
        let query = ListQuery {
            filter: Some(format!("poolId eq {}", quoted(pool))),
            ..ListQuery::default()
        };
        let counts: Vec<PoolNodeCounts> = self
            .list(
                format!("count nodes of pool `{pool}`"),
                &["nodecounts"],
                &query,
            )
            .await?;
        Ok(counts
            .into_iter()
            .find(|c| c.pool_id.eq_ignore_ascii_case(pool)))
    }

    /// Add Pool. When the outcome is unknown or a pool of this id is there, the pool is read: it counts as made if it is
    /// active and carries all of `pool`'s metadata.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): a conflict `PoolExists` if the pool is another's or going away.
    pub async fn create_pool(&self, pool: &PoolCreate) -> Result<Creation> {
        let operation = format!("create pool `{}`", pool.id);
        let Err(error) = self
            .act_with(operation, Method::POST, &["pools"], pool)
            .await
        else {
            return Ok(Creation::New);
        };
        if may_exist(&error, &["PoolExists", "PoolBeingCreated"])
            && let Ok(found) = self.get_pool(&pool.id).await
            && found.state != PoolState::Deleting
            && is_ours(pool.metadata.as_ref(), &found.metadata)
        {
            return Ok(Creation::Existed);
        }
        Err(error)
    }

    /// Get Pool.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): not found if there is none.
    pub async fn get_pool(&self, pool: &str) -> Result<Pool> {
        self.get(format!("get pool `{pool}`"), &["pools", pool])
            .await
    }

    /// Pool Exists.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError), but not for a pool that is not there.
    pub async fn pool_exists(&self, pool: &str) -> Result<bool> {
        match self
            .act(
                format!("look for pool `{pool}`"),
                Method::HEAD,
                &["pools", pool],
                &[],
            )
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// List Pools.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_pools(&self, query: &ListQuery) -> Result<Vec<Pool>> {
        self.list("list pools".to_owned(), &["pools"], query).await
    }

    /// Delete Pool: starts it. Done already counts as done; [`pool_exists`](Self::pool_exists) tells when it is gone.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn delete_pool(&self, pool: &str) -> Result<()> {
        let done = self
            .act(
                format!("delete pool `{pool}`"),
                Method::DELETE,
                &["pools", pool],
                &[],
            )
            .await;
        done_if_gone(done, "PoolBeingDeleted")
    }

    /// Resize Pool: starts it. Only from a steady pool without autoscale.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError): a conflict `PoolBeingResized` if another resize is under way.
    pub async fn resize_pool(&self, pool: &str, resize: &PoolResize) -> Result<()> {
        self.pool_action("resize", pool, "PoolBeingResized", resize)
            .await
    }

    /// Enable Auto Scale, or change formula or interval where it is enabled.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn enable_auto_scale(&self, pool: &str, scale: &AutoScale) -> Result<()> {
        self.pool_action("enableautoscale", pool, "", scale).await
    }

    /// Update Pool: replaces the members that are set.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn patch_pool(&self, pool: &str, patch: &PoolPatch) -> Result<()> {
        self.act_with(
            format!("update pool `{pool}`"),
            Method::PATCH,
            &["pools", pool],
            patch,
        )
        .await
        .map(drop)
    }

    /// Evaluate Auto Scale: what `formula` would give on a pool that has autoscale; changes nothing.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn evaluate_auto_scale(&self, pool: &str, formula: &str) -> Result<AutoScaleRun> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            auto_scale_formula: &'a str,
        }
        let segments = ["pools", pool, "evaluateautoscale"];
        let request = self.request(
            format!("evaluate a formula on pool `{pool}`"),
            Method::POST,
            &segments,
            &[],
        )?;
        // A formula is text, and text is always JSON.
        let body = encode_body(&Body {
            auto_scale_formula: formula,
        })
        .unwrap_or_default();
        let request = with_json(request, body);
        let answer = self.send(&request).await?;
        decode(&request, &answer)
    }

    /// List Nodes of a pool.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn list_nodes(&self, pool: &str, query: &ListQuery) -> Result<Vec<Node>> {
        self.list(
            format!("list nodes of pool `{pool}`"),
            &["pools", pool, "nodes"],
            query,
        )
        .await
    }

    /// Get Node.
    ///
    /// # Errors
    /// [`ServiceError`](crate::azure::ServiceError).
    pub async fn get_node(&self, pool: &str, node: &str) -> Result<Node> {
        self.get(
            format!("get node `{node}` of pool `{pool}`"),
            &["pools", pool, "nodes", node],
        )
        .await
    }

    /// Posts `body`; after a repeat the conflict `under_way` is what the first try caused.
    async fn pool_action(
        &self,
        action: &str,
        pool: &str,
        under_way: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<()> {
        let operation = format!("{action} pool `{pool}`");
        match self
            .act_with(operation, Method::POST, &["pools", pool, action], body)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.attempts() > 1 && error.is_conflict(under_way) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
#[path = "pools_tests.rs"]
mod tests;
