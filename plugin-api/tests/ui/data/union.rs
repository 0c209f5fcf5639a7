use floe_plugin_api::data;

#[data]
union Input {
    a: u8,
    b: i8,
}

fn main() {}
