use floe_plugin_api::data;

#[data(crate = "x")]
struct Input {
    name: String,
}

fn main() {}
