//! Values that somebody has changed: every one of them in every way, one at a time.

use serde_json::{Value, json};

/// Shows what a tree becomes by each change of one value, each member and element left out, and each doubled.
pub fn each_change(tree: &Value, mut see: impl FnMut(&str, Value)) {
    let mut places = Vec::new();
    collect(tree, &mut String::new(), &mut places);
    for place in &places {
        let Some(value) = tree.pointer(place) else { continue };
        for other in others(value) {
            let mut changed = tree.clone();
            if let Some(slot) = changed.pointer_mut(place) {
                *slot = other.clone();
            }
            if changed != *tree {
                see(&format!("{place} is {other}"), changed);
            }
        }
        let Some((parent, name)) = place.rsplit_once('/') else { continue };
        for doubled in [false, true] {
            let mut changed = tree.clone();
            match changed.pointer_mut(parent) {
                Some(Value::Object(members)) if !doubled => drop(members.remove(name)),
                Some(Value::Array(items)) => {
                    let at = name.parse().unwrap_or(0);
                    if doubled {
                        items.insert(at, items[at].clone());
                    } else {
                        items.remove(at);
                    }
                }
                _ => continue,
            }
            see(&format!("{place} is there {} times", usize::from(doubled) * 2), changed);
        }
    }
}

/// Every place of a tree, as a pointer.
fn collect(tree: &Value, place: &mut String, places: &mut Vec<String>) {
    let length = place.len();
    let mut enter = |name: &str, value: &Value| {
        place.push('/');
        place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        places.push(place.clone());
        collect(value, place, places);
        place.truncate(length);
    };
    match tree {
        Value::Object(members) => members.iter().for_each(|(name, value)| enter(name, value)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                enter(&at.to_string(), item);
            }
        }
        _ => {}
    }
}

/// What else may stand where this value does.
fn others(value: &Value) -> Vec<Value> {
    let mut others = vec![json!(null)];
    match value {
        Value::Bool(flag) => others.push(json!(!flag)),
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or(i64::MAX);
            let near = [number.wrapping_sub(1), number.wrapping_add(1), number.wrapping_neg()];
            others.extend(near.map(Value::from));
            others.extend([0, 1, 2, 3, 7, 1 << 20, 1 << 40, i64::MIN, i64::MAX].map(Value::from));
            others.push(json!(u64::MAX));
            // The bits of what is no number.
            others.extend([f64::NAN, f64::INFINITY, -0.0, 1e300].map(|n| json!(n.to_bits())));
        }
        Value::String(text) => {
            let half = text.get(..text.len() / 2).unwrap_or_default();
            others.extend(["", "1", "\"1\"", "2", "{}", "\n", half].map(Value::from));
            others.push(format!("{text}\n").into());
            others.push(format!("{text}{text}").into());
        }
        Value::Array(_) => others.push(json!([])),
        Value::Object(_) => others.push(json!({})),
        Value::Null => others.extend([json!(0), json!(1), json!(i64::MIN), json!("1"), json!([])]),
    }
    others
}
