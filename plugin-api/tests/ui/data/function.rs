use floe_plugin_api::data;

#[data]
fn input() {}

fn main() {}
