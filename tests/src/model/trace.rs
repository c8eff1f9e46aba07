//! The way to a state, in words.

use std::time::Duration;

use mcp_proto::Instant;

use super::action::Action;
use super::explore::Node;
use super::scenario::Scenario;
use super::world::World;

/// What happened on the way to a state, and one step more.
pub(super) fn way_to(
    scenario: &Scenario,
    nodes: &[Node],
    at: u32,
    last: Option<Action>,
) -> Vec<String> {
    let mut actions: Vec<_> = last.into_iter().collect();
    let mut node = nodes[at as usize];
    while let Some(action) = node.action {
        actions.push(action);
        node = nodes[node.parent as usize];
    }
    let Ok(mut world) = World::new(scenario) else { return Vec::new() };
    let mut way = Vec::new();
    for action in actions.into_iter().rev() {
        let broke = world.apply(action, scenario).is_err();
        let time: Duration = world.now() - Instant::from_nanos(1);
        let mark = if broke { "  ← here" } else { "" };
        way.push(format!("{:>5.1} s  {action}{mark}", time.as_secs_f64()));
    }
    way
}
