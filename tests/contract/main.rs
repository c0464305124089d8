//! What Blob Storage must do for a run, as one list of checks that every service passes: the embedded one, Azurite, and
//! a real account. What Batch must do is checked on the embedded one.
//!
//! Each check is a function of a storage account. It does not test how the client behaves when a service misbehaves:
//! that is tested beside the client, against prepared answers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a check that cannot go on has failed"
)]

mod account;
#[path = "../common/azurite.rs"]
mod azurite;
#[cfg(feature = "emulator")]
mod batch;
mod blobs;
mod containers;
#[cfg(feature = "emulator")]
mod cuts;
mod shared_access;

use account::Account;
use azurite::Azurite;

/// Runs each check on a fresh embedded service, all of them on one Azurite and, where one is named, on a real account.
macro_rules! contract {
    ($($module:ident :: $check:ident,)+) => {
        #[cfg(feature = "emulator")]
        mod embedded {
            $(#[tokio::test]
            async fn $check() {
                let service = crate::account::embedded().await;
                crate::$module::$check(&service.account()).await;
                service.stop().await;
            })+
        }

        async fn all_checks(account: &Account) {
            $(println!("{}", stringify!($check));
            $module::$check(account).await;)+
        }
    };
}

contract! {
    containers::a_container_is_made_once_and_known_by_its_metadata,
    containers::a_container_of_another_run_is_a_conflict,
    containers::containers_are_listed_by_prefix_with_their_metadata,
    containers::metadata_can_be_replaced,
    containers::what_is_gone_is_deleted,
    containers::a_wrong_key_is_refused_as_such,
    containers::the_service_tells_its_time,
    blobs::small_blobs_of_any_name_come_back_as_they_were_put,
    blobs::a_blob_that_is_not_there_is_none,
    blobs::parts_of_files_of_every_length_come_back_as_they_were_uploaded,
    blobs::an_upload_replaces_what_was_there_and_changes_its_version,
    blobs::two_clients_do_not_overwrite_each_other,
    blobs::an_interrupted_upload_goes_on_with_the_blocks_that_are_there,
    blobs::blobs_are_listed_by_prefix_over_pages,
    blobs::a_body_that_does_not_match_its_md5_is_refused,
    shared_access::a_blob_can_be_read_and_nothing_else,
    shared_access::inputs_can_be_read_and_listed_and_not_written,
    shared_access::outputs_can_be_written_and_not_read,
    shared_access::time_and_tampering_end_access,
    shared_access::a_range_is_read_by_shared_access,
    shared_access::a_stored_policy_gives_access_until_it_is_removed,
}

#[tokio::test]
async fn azurite_keeps_the_contract() {
    let Some(azurite) = Azurite::start() else {
        println!("skipped: FANOUT_TEST_AZURITE does not name Azurite's main.js");
        return;
    };
    all_checks(&azurite.account()).await;
}

#[tokio::test]
async fn a_real_account_keeps_the_contract() {
    let Some(account) = account::real() else {
        println!(
            "skipped: FANOUT_TEST_REAL does not hold the connection string of a storage account"
        );
        return;
    };
    all_checks(&account).await;
}
