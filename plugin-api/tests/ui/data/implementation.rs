use floe_plugin_api::data;

struct Input;

#[data]
impl Input {
    fn new() -> Self {
        Self
    }
}

fn main() {}
