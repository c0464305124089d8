//! Rules for what the programs are built from, read from `cargo metadata`: licences, sources, no OpenSSL, a kernel without C.
//!
//! Advisories against a version are not looked up: that needs a database from the network.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::tree::root;

/// Any one of these suffices.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What `topn` must never be built from, however indirectly: it has no network code.
const NETWORK: &[&str] = &[
    "curl",
    "hyper",
    "mio",
    "native-tls",
    "quinn",
    "reqwest",
    "rustls",
    "socket2",
    "tokio",
    "ureq",
];

/// Packages that compile C or look for C libraries.
const C_BUILDERS: &[&str] = &["bindgen", "cc", "cmake", "pkg-config", "vcpkg"];

/// `links` keys that only keep a crate from being built twice.
const HARMLESS_LINKS: &[&str] = &["rayon-core"];

const KERNEL: &str = "fanout-kernel";

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--filter-platform=x86_64-unknown-linux-musl",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// `name version: what is wrong` for each package that breaks a rule of sources, licences or OpenSSL.
fn bad_packages(metadata: &Value) -> Vec<String> {
    let mut bad = Vec::new();
    for package in list(metadata, "packages") {
        let (name, source) = (text(package, "name"), package["source"].as_str());
        let mut say =
            |what: String| bad.push(format!("{name} {}: {what}", text(package, "version")));
        if source.is_some_and(|source| !source.starts_with("registry+")) {
            say(format!("comes from {}", source.unwrap_or_default()));
        }
        if !licence_is_fine(text(package, "license")) {
            say(format!("its licence is `{}`", text(package, "license")));
        }
        if matches!(name, "openssl" | "openssl-sys" | "native-tls") {
            say("is or needs OpenSSL".to_owned());
        }
        if source.is_none() {
            for dependency in list(package, "dependencies") {
                if text(dependency, "req") == "*" && dependency["path"].is_null() {
                    say(format!("takes any version of {}", text(dependency, "name")));
                }
            }
        }
    }
    bad
}

/// Whether an SPDX expression of `OR` and `AND` can be met by the list; parentheses only around a whole alternative.
fn licence_is_fine(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], "");
    let met = |alternative: &str| {
        alternative
            .split(" AND ")
            .all(|licence| LICENCES.contains(&licence.trim()))
    };
    expression.split(" OR ").any(met)
}

/// The names of everything that the kernel's programs are built from, build scripts included, tests not.
fn kernel_packages(metadata: &Value) -> BTreeSet<&str> {
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes: BTreeMap<&str, &Value> = list(&metadata["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let mut open: Vec<&str> = names
        .iter()
        .filter(|(_, name)| **name == KERNEL)
        .map(|(id, _)| *id)
        .collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(id) = open.pop() {
        for dependency in nodes.get(id).map_or(&[][..], |node| list(node, "deps")) {
            let built = list(dependency, "dep_kinds")
                .iter()
                .any(|kind| kind["kind"].as_str() != Some("dev"));
            if built && seen.insert(text(dependency, "pkg")) {
                open.push(text(dependency, "pkg"));
            }
        }
    }
    seen.into_iter()
        .filter_map(|id| names.get(id).copied())
        .collect()
}

fn bad_kernel_packages(metadata: &Value) -> Vec<String> {
    let built = kernel_packages(metadata);
    let mut bad: Vec<String> = Vec::new();
    for name in &built {
        if NETWORK.contains(name) || name.starts_with("azure") {
            bad.push(format!("{name} is network code"));
        }
        if C_BUILDERS.contains(name) {
            bad.push(format!("{name} compiles or finds C"));
        }
    }
    for package in list(metadata, "packages") {
        let links = text(package, "links");
        if built.contains(text(package, "name"))
            && !links.is_empty()
            && !HARMLESS_LINKS.contains(&links)
        {
            bad.push(format!(
                "{} links the C library {links}",
                text(package, "name")
            ));
        }
    }
    bad
}

#[test]
fn packages_have_known_sources_and_fitting_licences() {
    let bad = bad_packages(&metadata());
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_kernel_is_built_without_c_and_without_network_code() {
    let metadata = metadata();
    assert!(
        kernel_packages(&metadata).len() > 5,
        "the kernel's packages were not found"
    );
    let bad = bad_kernel_packages(&metadata);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn bad_packages_are_found() {
    let sample = serde_json::json!({
        "packages": [
            { "id": "k", "name": KERNEL, "version": "1.0.0", "license": "MIT", "dependencies": [{ "name": "a", "req": "*" }] },
            { "id": "a", "name": "a", "version": "1.0.0", "license": "MIT/GPL-3.0", "source": "git+https://a.b/c", "links": "z" },
            { "id": "t", "name": "tokio", "version": "1.0.0", "license": "GPL-3.0", "source": "registry+a" },
            { "id": "d", "name": "openssl", "version": "1.0.0", "license": "Apache-2.0", "source": "registry+a" },
        ],
        "resolve": { "nodes": [
            { "id": "k", "deps": [
                { "pkg": "a", "dep_kinds": [{ "kind": null }] },
                { "pkg": "d", "dep_kinds": [{ "kind": "dev" }] },
            ] },
            { "id": "a", "deps": [{ "pkg": "t", "dep_kinds": [{ "kind": "build" }] }] },
        ] },
    });
    let packages = [
        "fanout-kernel 1.0.0: takes any",
        "a 1.0.0: comes from git",
        "tokio 1.0.0: its licence",
        "openssl 1.0.0: is or needs",
    ];
    let found = bad_packages(&sample);
    assert_eq!(found.len(), packages.len(), "{found:?}");
    assert!(
        found
            .iter()
            .zip(packages)
            .all(|(found, start)| found.starts_with(start)),
        "{found:?}"
    );
    assert_eq!(
        bad_kernel_packages(&sample),
        ["tokio is network code", "a links the C library z"]
    );
}
