//! A program that has more rights than who starts it takes no directory from them.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use floe_loader_tests::child::Host;
use floe_loader_tests::fixtures::Fixture;
use floe_loader_tests::library::Library;
use floe_loader_tests::scene::{Scene, set_mode, write};
use floe_registry::{PATH_VARIABLE, STATE_VARIABLE, STORE_VARIABLE};

/// A scene with a host of its own, and a directory with a plugin that only the environment names.
struct Given {
    scene: Scene,
    program: PathBuf,
    plugins: PathBuf,
}

impl Given {
    fn new() -> Self {
        let scene = Scene::new();
        let plugins = scene.root().join("given");
        fs::create_dir(&plugins).unwrap();
        let library = Library::of(Fixture::Probe).named("given");
        write(&plugins.join("given.so"), library.bytes());
        let program = scene.root().join("host");
        fs::copy(crate::HOST, &program).unwrap();
        set_mode(&program, 0o755);
        set_mode(scene.root(), 0o1777);
        Self {
            scene,
            program,
            plugins,
        }
    }

    /// What another user's environment has it do: whether it is privileged, its search path, and what
    /// the registry of the standard places finds.
    fn told(&self) -> Vec<String> {
        let place = |name: &str| self.scene.root().join(name);
        let mut host = Host::new(&self.program, &self.scene)
            .telling(place("told-given"))
            .env(PATH_VARIABLE, &self.plugins)
            .env(STORE_VARIABLE, place("given-store"))
            .env(STATE_VARIABLE, place("given-state"))
            .env("HOME", place("given-home"))
            .env("XDG_DATA_HOME", place("given-data"));
        if rustix::process::geteuid().is_root() {
            host = host.user(65_534);
        }
        host.command("privileged")
            .command("search-path")
            .command("global")
            .run()
            .good()
    }

    fn is_in(&self, told: &str) -> bool {
        let given = self.plugins.to_str().unwrap();
        let path = told.trim_start_matches("search-path = ");
        path.split(':').any(|directory| directory == given)
    }
}

#[test]
fn the_environment_says_where_plugins_are() {
    let given = Given::new();
    let told = given.told();
    assert_eq!(told[0], "privileged = false");
    assert!(given.is_in(&told[1]), "{told:?}");
    assert!(told[1].contains("given-data"), "{told:?}");
    assert!(told[2].contains("given admitted"), "{told:?}");
}

#[test]
fn who_starts_a_privileged_program_does_not_say_where_plugins_are() {
    let given = Given::new();
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can make a program run as root");
        return;
    }
    chown(&given.program, Some(0), Some(0)).unwrap();
    set_mode(&given.program, 0o4755);
    let told = given.told();
    if told[0] != "privileged = true" {
        println!("not run: no program of the temporary directory runs as its owner");
        return;
    }
    assert!(!given.is_in(&told[1]), "{told:?}");
    assert!(!told[1].contains("given-"), "{told:?}");
    assert!(!told[2].contains("given"), "{told:?}");
    // A group's rights count as much.
    set_mode(&given.program, 0o755);
    chown(&given.program, Some(0), Some(12_345)).unwrap();
    set_mode(&given.program, 0o2755);
    let told = given.told();
    assert_eq!(told[0], "privileged = true");
    assert!(!given.is_in(&told[1]), "{told:?}");
}
