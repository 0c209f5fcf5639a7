use floe_plugin_api::data;

#[data]
mod input {}

fn main() {}
