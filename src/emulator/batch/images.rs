//! The images that the service offers: names for the one thing that nodes are, this machine.
//!
//! Which image a pool names changes nothing on its nodes; a name that is not in the list is refused.

use hyper::Response;
use serde_json::json;

use super::error::BatchError;
use super::list::{Kind, PAGE_MAX, document};
use super::object::{Put as _, text};
use super::query::{Cell, Fields};
use super::schema::Object;
use super::service::{Batch, json_answer};
use crate::emulator::call::Call;
use crate::emulator::server::Body;

struct Image {
    publisher: &'static str,
    offer: &'static str,
    sku: &'static str,
    agent: &'static str,
    capabilities: &'static [&'static str],
    end_of_life: Option<&'static str>,
}

/// Lists of images.
const SUPPORTED: Kind = Kind {
    name: "supportedimages",
    page_max: PAGE_MAX,
    filterable: &["osType", "verificationType", "nodeAgentSKUId"],
    members: "",
    has_stats: false,
};

/// Pairs of image and node agent that the real service has verified.
const IMAGES: &[Image] = &[
    Image {
        publisher: "canonical",
        offer: "ubuntu-24_04-lts",
        sku: "server",
        agent: "batch.node.ubuntu 24.04",
        capabilities: &["NvmeSupported"],
        end_of_life: None,
    },
    Image {
        publisher: "canonical",
        offer: "ubuntu-24_04-lts",
        sku: "server-gen1",
        agent: "batch.node.ubuntu 24.04",
        capabilities: &[],
        end_of_life: None,
    },
    Image {
        publisher: "canonical",
        offer: "0001-com-ubuntu-server-jammy",
        sku: "22_04-lts",
        agent: "batch.node.ubuntu 22.04",
        capabilities: &[],
        end_of_life: Some("2027-06-30T00:00:00Z"),
    },
    Image {
        publisher: "microsoft-dsvm",
        offer: "ubuntu-hpc",
        sku: "2404",
        agent: "batch.node.ubuntu 24.04",
        capabilities: &["DockerCompatible"],
        end_of_life: None,
    },
    Image {
        publisher: "canonical",
        offer: "0001-com-ubuntu-server-focal",
        sku: "20_04-lts",
        agent: "batch.node.ubuntu 20.04",
        capabilities: &[],
        end_of_life: Some("2025-04-23T00:00:00Z"),
    },
];

impl Fields for &Image {
    fn field(&self, path: &str) -> Cell<'_> {
        match path {
            "osType" => Cell::text("linux"),
            "verificationType" => Cell::text("verified"),
            "nodeAgentSKUId" => Cell::text(self.agent),
            _ => Cell::Absent,
        }
    }
}

impl Batch {
    pub(super) fn list_images(&self, call: &Call) -> Result<Response<Body>, BatchError> {
        let page = self.page(call, &SUPPORTED)?;
        let after = page.after.as_deref().unwrap_or_default();
        let keys: Vec<String> = (0..IMAGES.len())
            .map(|index| format!("{index:02}"))
            .collect();
        let items = keys
            .iter()
            .map(String::as_str)
            .zip(IMAGES)
            .filter(|(key, _)| *key > after);
        let taken = page.take(items, |image, _| {
            let mut object = Object::new();
            object
                .put("nodeAgentSKUId", image.agent)
                .put("imageReference", json!({"publisher": image.publisher, "offer": image.offer, "sku": image.sku, "version": "latest"}))
                .put("osType", "linux")
                .put("capabilities", image.capabilities)
                .put_some("batchSupportEndOfLife", image.end_of_life)
                .put("verificationType", "verified");
            object
        });
        Ok(json_answer(document(
            call,
            &self.endpoint,
            SUPPORTED.name,
            taken,
        )))
    }
}

/// Checks the image of a `virtualMachineConfiguration`.
///
/// # Errors
/// `NodeAgentSKUNotFound`, or `InvalidPropertyValue` for an image that does not go with its agent.
pub(super) fn check_image(machine: &Object) -> Result<(), BatchError> {
    let agent = text(machine, "nodeAgentSKUId").unwrap_or_default();
    if !IMAGES
        .iter()
        .any(|image| image.agent.eq_ignore_ascii_case(agent))
    {
        return Err(BatchError::of("NodeAgentSKUNotFound").with("NodeAgentSKUId", agent));
    }
    let reference = machine
        .get("imageReference")
        .and_then(|reference| reference.as_object());
    let part = |name| {
        reference
            .and_then(|reference| text(reference, name))
            .unwrap_or_default()
    };
    let known = IMAGES.iter().any(|image| {
        image.agent.eq_ignore_ascii_case(agent)
            && image.publisher.eq_ignore_ascii_case(part("publisher"))
            && image.offer.eq_ignore_ascii_case(part("offer"))
            && image.sku.eq_ignore_ascii_case(part("sku"))
    });
    if known {
        return Ok(());
    }
    let name = format!("{} {} {}", part("publisher"), part("offer"), part("sku"));
    Err(BatchError::property(
        "virtualMachineConfiguration.imageReference",
        name,
        format!("It is not an image for the node agent `{agent}`; see supportedimages."),
    ))
}
