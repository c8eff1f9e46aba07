//! What is published is safe code alone, and nothing of ours runs while it is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Packages that are not published and cannot forbid `unsafe`, each with its reason.
const DENY_ONLY: [(&str, &str); 1] =
    [("mcp-fuzz", "libFuzzer's macro declares the entry point of its C++ driver")];

struct Package {
    name: String,
    manifest: PathBuf,
    published: bool,
    /// Kind, such as `lib` or `custom-build`, and root file of each target.
    targets: Vec<(String, PathBuf)>,
}

/// Every package of the workspace, as cargo sees them.
fn packages() -> Vec<Package> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let path = |value: &Value| PathBuf::from(value.as_str().unwrap());
    let package = |package: &Value| Package {
        name: package["name"].as_str().unwrap().to_owned(),
        manifest: path(&package["manifest_path"]),
        published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        targets: (package["targets"].as_array().unwrap().iter())
            .map(|target| {
                (target["kind"][0].as_str().unwrap().to_owned(), path(&target["src_path"]))
            })
            .collect(),
    };
    let packages: Vec<_> = metadata["packages"].as_array().unwrap().iter().map(package).collect();
    let published: Vec<_> =
        packages.iter().filter(|package| package.published).map(|package| &*package.name).collect();
    assert!(published.contains(&"mcp-proto"), "cargo names {published:?} as published");
    packages
}

/// The lines of one table of a manifest.
fn table<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let head = format!("[{name}]");
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != head).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty()).collect()
}

#[test]
fn no_package_may_contain_unsafe_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let workspace = fs::read_to_string(root).unwrap();
    let forbidden = "unsafe_code = \"forbid\"";
    assert!(table(&workspace, "workspace.lints.rust").contains(&forbidden));
    for package in packages() {
        let manifest = fs::read_to_string(&package.manifest).unwrap();
        let own = table(&manifest, "lints.rust");
        let forbids =
            table(&manifest, "lints").contains(&"workspace = true") || own.contains(&forbidden);
        let is_excused = !package.published
            && DENY_ONLY.iter().any(|(name, _)| *name == package.name)
            && own.contains(&"unsafe_code = \"deny\"");
        assert!(forbids || is_excused, "the lints of {} allow unsafe code", package.name);
    }
}

/// The lint binds our own builds; the attribute binds every build, and whoever reads the source sees it.
#[test]
fn every_published_crate_says_in_its_source_that_it_forbids_unsafe_code() {
    let mut roots = 0;
    for package in packages().iter().filter(|package| package.published) {
        for (kind, root) in &package.targets {
            if ["lib", "bin"].contains(&kind.as_str()) {
                let source = fs::read_to_string(root).unwrap();
                let says = source.lines().any(|line| line == "#![forbid(unsafe_code)]");
                assert!(says, "{} does not forbid unsafe code", root.display());
                roots += 1;
            }
        }
    }
    assert!(roots >= 5, "only {roots} libraries and programs were found");
}

#[test]
fn no_package_runs_code_while_it_is_built() {
    for package in packages() {
        for (kind, root) in &package.targets {
            assert!(
                !["custom-build", "proc-macro"].contains(&kind.as_str()),
                "{} brings a {kind}: {}",
                package.name,
                root.display()
            );
        }
    }
}
