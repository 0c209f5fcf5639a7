use floe_plugin_api::data;

#[data]
#[derive(Clone, Debug, PartialEq)]
struct Input {
    name: String,
}

fn main() {}
