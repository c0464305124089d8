//! The Blob service: containers, block blobs, lists, Shared Key and SAS, on path-style URLs.
//!
//! Append and page blobs, leases, snapshots, tags, tiers and the static web site are not here: they answer 501.
//!
//! - `handler`: from request to answer; `access` and `sas`: who may; `error`: the error answers
//! - `containers`, `upload`, `copy`, `download`, `list`, `policy`: the operations; `condition`: conditional headers
//! - `store`: what is kept, blobs as files; `checksum`: MD5 and CRC64; `xml`: documents in and out

mod access;
mod checksum;
mod condition;
mod containers;
mod copy;
mod download;
mod error;
mod handler;
mod list;
mod policy;
mod sas;
mod store;
mod upload;
mod xml;

pub(super) use handler::Blob;
