//! Which system the nodes run: chosen from what the service supports at the time of the run.
//!
//! `topn` is a static program, so any Linux will do; the newest long-term Ubuntu that the service has verified is taken.

use time::OffsetDateTime;

use crate::azure::batch::{Image, SupportedImage};

/// The image that a plan shows, for which nobody was asked.
pub(crate) fn typical_image() -> SupportedImage {
    let part = |text: &str| Some(text.to_owned());
    SupportedImage {
        node_agent_sku_id: "batch.node.ubuntu 24.04".to_owned(),
        image_reference: Image {
            publisher: part("canonical"),
            offer: part("ubuntu-24_04-lts"),
            sku: part("server"),
            ..Image::default()
        },
        ..SupportedImage::default()
    }
}

/// Picks the image for nodes that live until `deadline`: verified, of Canonical's long-term Ubuntu for x86-64, the newest
/// agent first, and supported until then. `None` when there is no such image.
pub(crate) fn pick_image(
    images: &[SupportedImage],
    deadline: OffsetDateTime,
) -> Option<&SupportedImage> {
    images
        .iter()
        .filter(|image| {
            let reference = &image.image_reference;
            let is = |part: &Option<String>, text: &str| {
                part.as_deref()
                    .is_some_and(|own| own.eq_ignore_ascii_case(text))
            };
            let offer = reference
                .offer
                .as_deref()
                .unwrap_or_default()
                .to_ascii_lowercase();
            image.os_type.eq_ignore_ascii_case("linux")
                && image.verification_type.eq_ignore_ascii_case("verified")
                && is(&reference.publisher, "canonical")
                && offer.contains("ubuntu")
                && offer.contains("lts")
                && is(&reference.sku, "server")
                && image
                    .batch_support_end_of_life
                    .is_none_or(|end| end.0 > deadline)
        })
        .max_by_key(|image| version_of(&image.node_agent_sku_id))
}

/// `24.04` of `batch.node.ubuntu 24.04`, as numbers.
fn version_of(agent: &str) -> (u32, u32) {
    let version = agent.rsplit(' ').next().unwrap_or_default();
    let (year, month) = version.split_once('.').unwrap_or((version, "0"));
    (year.parse().unwrap_or(0), month.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::azure::batch::Timestamp;

    fn image(agent: &str, publisher: &str, offer: &str, sku: &str) -> SupportedImage {
        SupportedImage {
            node_agent_sku_id: agent.to_owned(),
            image_reference: Image {
                publisher: Some(publisher.to_owned()),
                offer: Some(offer.to_owned()),
                sku: Some(sku.to_owned()),
                ..Image::default()
            },
            os_type: "linux".to_owned(),
            verification_type: "verified".to_owned(),
            ..SupportedImage::default()
        }
    }

    #[test]
    fn the_newest_verified_ubuntu_that_outlives_the_run_is_taken() {
        let deadline = datetime!(2026-11-22 12:00 UTC);
        let mut images = vec![
            image(
                "batch.node.ubuntu 22.04",
                "canonical",
                "0001-com-ubuntu-server-jammy-lts",
                "server",
            ),
            image(
                "batch.node.ubuntu 24.04",
                "Canonical",
                "ubuntu-24_04-lts",
                "server",
            ),
            image(
                "batch.node.ubuntu 24.04",
                "canonical",
                "ubuntu-24_04-lts",
                "server-arm64",
            ),
            image(
                "batch.node.ubuntu 26.04",
                "canonical",
                "ubuntu-26_04-lts",
                "server",
            ),
            image(
                "batch.node.windows amd64",
                "microsoftwindowsserver",
                "windowsserver",
                "2025",
            ),
            image("batch.node.debian 13", "debian", "debian-13", "13"),
        ];
        images[3].batch_support_end_of_life = Some(Timestamp(datetime!(2026-11-22 11:00 UTC)));
        let picked = pick_image(&images, deadline).unwrap();
        assert_eq!(picked.node_agent_sku_id, "batch.node.ubuntu 24.04");
        assert_eq!(picked.image_reference.sku.as_deref(), Some("server"));
    }

    #[test]
    fn without_a_fitting_image_none_is_guessed() {
        let mut unverified = image(
            "batch.node.ubuntu 24.04",
            "canonical",
            "ubuntu-24_04-lts",
            "server",
        );
        unverified.verification_type = "unverified".to_owned();
        assert_eq!(
            pick_image(&[unverified], datetime!(2026-11-22 12:00 UTC)),
            None
        );
    }
}
