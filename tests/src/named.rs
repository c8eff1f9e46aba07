//! Whether a name is that of a test.

/// Whether a test of this name is in this source: one that an attribute marks, or a body that is run on every runtime.
pub fn is_test(source: &str, name: &str, is_marked: bool) -> bool {
    let head = format!("fn {name}(");
    if !is_marked {
        return source.contains(&head) || source.contains(&format!("(\"{name}\","));
    }
    // A body that is run on every runtime, or every adapter.
    if source.contains(&format!("async fn {name}<")) {
        let lists = ["on_every_runtime!(", "on_every_adapter!("];
        return lists.iter().flat_map(|list| source.split(list).skip(1)).any(|listed| {
            let listed = listed.strip_prefix("alone: ").unwrap_or(listed);
            listed.contains(&format!("    {name},\n")) || listed.starts_with(&format!("{name})"))
        });
    }
    source.match_indices(&head).any(|(at, _)| {
        let attributes = source[..at].rsplit("\n\n").next().unwrap_or_default();
        attributes.contains("#[test]") || attributes.contains("::test")
    })
}
