//! Pools that scale by a formula.

use crate::client::{Reply, Rig};
use serde_json::json;

async fn evaluate(rig: &Rig, formula: &str) -> Reply {
    rig.batch(
        "POST",
        "/pools/p/evaluateautoscale",
        Some(json!({"autoScaleFormula": formula})),
    )
    .await
}

/// A service with a pool `p` whose formula wants two nodes until 2199.
async fn scaled() -> Rig {
    let rig = Rig::start().await;
    let formula = "$TargetDedicatedNodes = time() < time(\"2199-01-01T00:00:00Z\") ? 2 : 0;";
    let body = json!({
        "id": "p",
        "vmSize": "standard_d2s_v5",
        "virtualMachineConfiguration": {
            "imageReference": {"publisher": "canonical", "offer": "ubuntu-24_04-lts", "sku": "server"},
            "nodeAgentSKUId": "batch.node.ubuntu 24.04",
        },
        "enableAutoScale": true,
        "autoScaleFormula": formula,
        "autoScaleEvaluationInterval": "PT5M",
    });
    assert_eq!(rig.batch("POST", "/pools", Some(body)).await.status, 201);
    rig
}

#[tokio::test]
async fn a_formula_sets_the_nodes_of_a_pool() {
    let rig = scaled().await;
    let pool = rig
        .wait_for("/pools/p", |pool| pool["currentDedicatedNodes"] == 2)
        .await;
    assert_eq!(pool["autoScaleRun"]["results"], "$TargetDedicatedNodes=2;");
    let run = evaluate(
        &rig,
        "$TargetDedicatedNodes = $CurrentDedicatedNodes + 1; $NodeDeallocationOption = requeue;",
    )
    .await;
    assert_eq!(
        run.json()["results"],
        "$TargetDedicatedNodes=3;$NodeDeallocationOption=requeue;"
    );
    assert_eq!(
        evaluate(&rig, "$TargetDedicatedNodes = 1/0").await.json()["error"]["code"],
        "AutoScalingFormulaEvaluationError"
    );
    assert_eq!(
        evaluate(&rig, "$TargetDedicatedNodes =").await.refusal(),
        (400, "AutoScalingFormulaSyntaxError".to_owned())
    );
    assert_eq!(
        evaluate(&rig, "a = $CPUPercent.GetSample(1)")
            .await
            .refusal(),
        (501, "NotImplemented".to_owned())
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_formula_can_be_changed_and_taken_away() {
    let rig = scaled().await;
    rig.wait_for("/pools/p", |pool| {
        pool["currentDedicatedNodes"] == 2 && pool["allocationState"] == "steady"
    })
    .await;
    let resize = rig
        .batch(
            "POST",
            "/pools/p/resize",
            Some(json!({"targetDedicatedNodes": 1})),
        )
        .await;
    assert_eq!(
        resize.refusal(),
        (409, "OperationInvalidForCurrentState".to_owned())
    );
    assert_eq!(
        rig.batch("POST", "/pools/p/disableautoscale", None)
            .await
            .status,
        200
    );
    let body = json!({"autoScaleFormula": "$TargetDedicatedNodes = 0;"});
    assert_eq!(
        rig.batch("POST", "/pools/p/enableautoscale", Some(body.clone()))
            .await
            .status,
        200
    );
    rig.wait_for("/pools/p", |pool| {
        pool["currentDedicatedNodes"] == 0 && pool["allocationState"] == "steady"
    })
    .await;
    let again = rig
        .batch("POST", "/pools/p/enableautoscale", Some(body))
        .await;
    assert_eq!(
        again.refusal(),
        (503, "TooManyEnableAutoScaleRequests".to_owned())
    );
    rig.stop().await;
}
