use super::super::elf_builder::Elf;
use super::*;

/// A directory for one test, and what a scan of it gives.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn plugin(&self, name: impl AsRef<Path>) -> PathBuf {
        self.write(name, Elf::plugin().build())
    }

    fn search(&self) -> SearchDirectory {
        SearchDirectory::new(self.root())
    }

    /// What a scan gives, a line for each file, with the directory left out.
    fn scan(&self) -> Vec<String> {
        self.lines(&scan(&[self.search()]))
    }

    fn lines(&self, scan: &Scan) -> Vec<String> {
        let root = format!("{}/", self.root().display());
        let lines = scan.files.iter().map(|file| {
            let outcome = match &file.outcome {
                Outcome::Candidate(candidate) => {
                    assert_eq!(candidate.path(), file.path);
                    assert_eq!(candidate.position(), file.position);
                    "candidate".to_owned()
                }
                Outcome::Ignored(ignored) => ignored.to_string(),
                Outcome::Rejected(rejection) => {
                    assert_eq!(rejection.path, file.path);
                    assert_eq!(rejection.stage, Stage::Discover);
                    assert!(!rejection.to_string().contains('\n'), "{rejection}");
                    format!("{}: {}", rejection.check, rejection.found)
                }
            };
            format!("{}: {outcome}", file.path.display()).replace(&root, "")
        });
        lines.collect()
    }
}

#[test]
fn one_bad_file_hides_no_other() {
    let place = Place::new();
    let whole = Elf::plugin().build();
    place.plugin("good.so");
    place.write("empty.so", "");
    place.write("half.so", &whole[..500]);
    place.write("libm.so", Elf::new(true, false).build());
    place.write("page.so", "<html>404</html>");
    place.write("ten.so", "0123456789");
    place.write("readme.txt", "not looked at");
    place.write("lib.so.1", &whole);
    place.write("so", &whole);
    assert_eq!(
        place.scan(),
        [
            "empty.so: empty: an empty file".to_owned(),
            "good.so: candidate".to_owned(),
            format!("half.so: incomplete: 500 of {} bytes", whole.len()),
            "libm.so: an ordinary library, without a floe manifest".to_owned(),
            "page.so: not-a-library: an HTML page".to_owned(),
            "ten.so: not-a-library: a text file beginning `0123456789`".to_owned(),
        ]
    );
}

#[test]
fn a_file_that_grows_whole_is_found_by_the_next_scan() {
    let place = Place::new();
    let whole = Elf::plugin().gap(20_000).build();
    place.write("x.so", &whole[..10_000]);
    let found = format!("x.so: incomplete: 10000 of {} bytes", whole.len());
    assert_eq!(place.scan(), [found]);
    place.write("x.so", &whole);
    assert_eq!(place.scan(), ["x.so: candidate"]);
}

#[test]
fn the_order_is_by_level_then_by_the_paths_bytes() {
    let place = Place::new();
    for name in [
        "b.so", "a/z.so", "a-b.so", "a.so", "B.so", "a/b/c.so", "é.so",
    ] {
        place.plugin(name);
    }
    let expected = [
        "B.so", "a-b.so", "a.so", "b.so", "é.so", "a/z.so", "a/b/c.so",
    ];
    let lines = place.scan();
    let names: Vec<_> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(names, expected);
}

#[test]
fn the_search_path_comes_before_the_names() {
    let (first, second) = (Place::new(), Place::new());
    first.plugin("z.so");
    second.plugin("a.so");
    let scan = scan(&[first.search(), second.search()]);
    let found: Vec<_> = scan
        .candidates()
        .map(|c| (c.position(), c.path()))
        .collect();
    assert_eq!(
        found,
        [(0, &*first.path("z.so")), (1, &*second.path("a.so"))]
    );
}

#[test]
fn the_same_file_is_read_once() {
    let place = Place::new();
    place.plugin("deps/x.so");
    fs::hard_link(place.path("deps/x.so"), place.path("x.so")).unwrap();
    place.write("bad.so", "rubbish");
    fs::hard_link(place.path("bad.so"), place.path("bad2.so")).unwrap();
    let scan = scan(&[place.search(), place.search()]);
    assert_eq!(
        place.lines(&scan),
        [
            "bad.so: not-a-library: a text file beginning `rubbish`",
            "bad2.so: the same file as `bad.so`",
            "x.so: candidate",
            "deps/x.so: the same file as `x.so`",
            "bad.so: the same file as `bad.so`",
            "bad2.so: the same file as `bad.so`",
            "x.so: the same file as `x.so`",
            "deps/x.so: the same file as `x.so`",
        ]
    );
    assert_eq!(scan.files[7].position, 1);
}

#[test]
fn a_copy_is_another_file() {
    let (first, second) = (Place::new(), Place::new());
    first.plugin("x.so");
    second.plugin("x.so");
    assert_eq!(
        scan(&[first.search(), second.search()])
            .candidates()
            .count(),
        2
    );
}

#[test]
fn depth_counts_the_levels_of_directories() {
    let place = Place::new();
    place.plugin("1.so");
    place.plugin("a/2.so");
    place.plugin("a/b/c/4.so");
    place.plugin("a/b/c/d/5.so");
    let found = |directory: SearchDirectory| scan(&[directory]).candidates().count();
    assert_eq!(found(place.search().depth(0)), 0);
    assert_eq!(found(place.search().depth(1)), 1);
    assert_eq!(found(place.search().depth(2)), 2);
    assert_eq!(found(place.search()), 3);
    assert_eq!(found(place.search().depth(usize::MAX)), 4);
}

#[test]
fn two_hundred_levels_are_no_trouble() {
    let place = Place::new();
    let deep: PathBuf = (0..200).map(|_| "d").collect();
    place.plugin(deep.join("deep.so"));
    assert!(place.scan().is_empty());
    assert_eq!(scan(&[place.search().depth(201)]).candidates().count(), 1);
}

#[test]
fn ten_thousand_entries_are_no_trouble() {
    let place = Place::new();
    for number in 0..10_000 {
        let suffix = if number % 100 == 0 { "so" } else { "txt" };
        fs::write(place.path(format!("{number}.{suffix}")), "").unwrap();
    }
    assert_eq!(place.scan().len(), 100);
}

#[test]
fn hidden_files_are_ignored_and_hidden_directories_not_entered() {
    let place = Place::new();
    place.plugin(".x.so");
    place.plugin(".so");
    place.plugin(".store/copy.so");
    place.plugin(".store.so/copy.so");
    place.plugin("a/b/c/.d/5.so");
    place.plugin("a/b/c/4.so");
    let hidden = "hidden: its name begins with a dot";
    assert_eq!(
        place.scan(),
        [
            format!(".so: {hidden}"),
            format!(".store.so: {hidden}"),
            format!(".x.so: {hidden}"),
            "a/b/c/4.so: candidate".to_owned(),
        ]
    );
}

#[test]
fn a_hidden_search_directory_is_looked_through() {
    let place = Place::new();
    place.plugin(".floe/plugins/x.so");
    let scan = scan(&[SearchDirectory::new(place.path(".floe"))]);
    assert_eq!(scan.candidates().count(), 1);
}

#[test]
fn a_directory_with_a_library_s_name_is_named_and_entered() {
    let place = Place::new();
    place.plugin("x.so/y.so");
    assert_eq!(
        place.scan(),
        ["x.so: file-type: a directory", "x.so/y.so: candidate"]
    );
}

#[test]
fn a_missing_search_directory_is_one_refusal_or_none() {
    let place = Place::new();
    let file = place.write("file", "");
    let missing = place.path("missing");
    for (path, found) in [
        (missing.as_path(), "nothing of that name"),
        (&file, "a file"),
        (&file.join("below"), "nothing of that name"),
        (Path::new(""), "nothing of that name"),
    ] {
        let directory = SearchDirectory::new(path);
        assert!(scan(&[directory.clone().optional()]).files.is_empty());
        let good = Place::new();
        good.plugin("x.so");
        let scan = scan(&[directory, good.search()]);
        let refused: Vec<_> = scan.rejections().collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(
            (refused[0].check, &*refused[0].found),
            ("search-path", found)
        );
        assert_eq!(refused[0].path, path);
        assert_eq!(scan.candidates().count(), 1, "the rest goes on");
    }
    assert!(scan(&[]).files.is_empty());
}

#[test]
fn a_file_that_vanishes_after_it_was_listed_is_refused() {
    let place = Place::new();
    place.plugin("a.so");
    place.plugin("b.so");
    let listed = entries(&place.search());
    fs::remove_file(place.path("a.so")).unwrap();
    let mut scanner = Scanner::default();
    scanner.look_at(0, &Root::new(place.root()), listed);
    let scan = Scan {
        files: scanner.files,
    };
    assert_eq!(
        place.lines(&scan),
        ["a.so: not-found: nothing of that name", "b.so: candidate"]
    );
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, OFlags};

    use super::*;

    #[cfg(not(target_vendor = "apple"))]
    fn make_fifo(path: &Path) {
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(CWD, path, kind, Mode::RWXU, 0).unwrap();
    }

    #[cfg(target_vendor = "apple")]
    fn make_fifo(path: &Path) {
        rustix::fs::mkfifoat(CWD, path, Mode::RWXU).unwrap();
    }

    #[test]
    fn what_is_no_file_is_named_and_not_opened() {
        let place = Place::new();
        make_fifo(&place.path("fifo.so"));
        let _socket = UnixListener::bind(place.path("socket.so")).unwrap();
        symlink("fifo.so", place.path("to_fifo.so")).unwrap();
        fs::create_dir(place.path("dir")).unwrap();
        symlink("dir", place.path("to_dir.so")).unwrap();
        place.plugin("x.so");
        assert_eq!(
            place.scan(),
            [
                "fifo.so: file-type: a FIFO",
                "socket.so: file-type: a socket",
                "to_dir.so: file-type: a directory",
                "to_fifo.so: file-type: a FIFO",
                "x.so: candidate",
            ]
        );
        // What turns into a FIFO after it was listed does not make the scan wait.
        let raced = Opened::listed(&place.path("fifo.so"), 0).unwrap_err();
        assert_eq!((raced.check, &*raced.found), ("file-type", "a FIFO"));
    }

    #[test]
    fn links_are_followed_inside_their_search_directory_only() {
        let (place, outside) = (Place::new(), Place::new());
        place.plugin("v/1.2/x.so.1");
        symlink("v/1.2/x.so.1", place.path("x.so")).unwrap();
        symlink(place.path("x.so"), place.path("y.so")).unwrap();
        let target = outside.plugin("o.so");
        symlink(&target, place.path("out.so")).unwrap();
        symlink("gone", place.path("dangling.so")).unwrap();
        symlink("x.so/below", place.path("below.so")).unwrap();
        symlink("loop2.so", place.path("loop1.so")).unwrap();
        symlink("loop1.so", place.path("loop2.so")).unwrap();
        // A directory's link is not entered, and only its name may bring it up.
        symlink(outside.root(), place.path("elsewhere")).unwrap();
        symlink(".", place.path("again")).unwrap();
        let target = fs::canonicalize(target).unwrap();
        assert_eq!(
            place.scan(),
            [
                "below.so: link-dangling: a link to `x.so/below`, which does not exist".to_owned(),
                "dangling.so: link-dangling: a link to `gone`, which does not exist".to_owned(),
                "loop1.so: link-loop: a link to `loop2.so`, which leads in a circle".to_owned(),
                "loop2.so: link-loop: a link to `loop1.so`, which leads in a circle".to_owned(),
                format!("out.so: link-leaves-root: a link to `{}`", target.display()),
                "x.so: candidate".to_owned(),
                "y.so: the same file as `x.so`".to_owned(),
            ]
        );
    }

    #[test]
    fn a_link_s_candidate_names_the_link_and_the_file() {
        let place = Place::new();
        let file = place.plugin("v/x.so.1");
        symlink("v/x.so.1", place.path("x.so")).unwrap();
        let scan = scan(&[place.search()]);
        let candidate = scan.candidates().next().unwrap();
        assert_eq!(candidate.path(), place.path("x.so"));
        assert_eq!(candidate.file_path(), fs::canonicalize(file).unwrap());
    }

    #[test]
    fn a_neighbour_whose_name_begins_alike_is_outside() {
        let place = Place::new();
        place.plugin("plugins-old/x.so");
        fs::create_dir(place.path("plugins")).unwrap();
        symlink("../plugins-old/x.so", place.path("plugins/x.so")).unwrap();
        let scan = scan(&[SearchDirectory::new(place.path("plugins"))]);
        assert_eq!(scan.rejections().next().unwrap().check, "link-leaves-root");
    }

    #[test]
    fn the_search_directory_itself_may_be_a_link() {
        let place = Place::new();
        place.plugin("real/x.so.1");
        symlink("x.so.1", place.path("real/x.so")).unwrap();
        symlink("real", place.path("link")).unwrap();
        let directories = ["link", "real"].map(|name| SearchDirectory::new(place.path(name)));
        assert_eq!(
            place.lines(&scan(&directories)),
            [
                "link/x.so: candidate",
                "real/x.so: the same file as `link/x.so`"
            ]
        );
    }

    #[test]
    fn a_name_may_hold_any_bytes() {
        let place = Place::new();
        // Not every file system takes a name that is not UTF-8.
        let odd = OsString::from_vec(b"a\xff.so".to_vec());
        if fs::write(place.path(&odd), Elf::plugin().build()).is_ok() {
            assert_eq!(scan(&[place.search()]).candidates().count(), 1);
            fs::remove_file(place.path(&odd)).unwrap();
        }
        place.plugin("b\n\u{1b}[2J.so");
        place.write("c\nd.so", "");
        symlink("gone\nfar\u{202e}", place.path("e\n.so")).unwrap();
        let scan = scan(&[place.search()]);
        assert_eq!(scan.candidates().count(), 1);
        let lines: Vec<_> = scan.rejections().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains("/c\\nd.so` was refused at discover"),
            "{}",
            lines[0]
        );
        assert!(
            lines[1].contains("a link to `gone\\nfar\\u{202e}`"),
            "{}",
            lines[1]
        );
        assert!(!lines.iter().any(|line| line.contains(char::is_control)));
    }

    /// The superuser may enter every directory, but no one may use a path of 5,000 bytes.
    #[test]
    fn a_directory_that_cannot_be_read_is_refused_and_the_rest_goes_on() {
        let place = Place::new();
        place.plugin("z.so");
        let name = "d".repeat(250);
        let flags = OFlags::DIRECTORY | OFlags::RDONLY;
        let mut parent = rustix::fs::open(place.root(), flags, Mode::empty()).unwrap();
        for _ in 0..20 {
            rustix::fs::mkdirat(&parent, &*name, Mode::RWXU).unwrap();
            parent = rustix::fs::openat(&parent, &*name, flags, Mode::empty()).unwrap();
        }
        let scan = scan(&[place.search().depth(30)]);
        let refused: Vec<_> = scan.rejections().collect();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].check, "unreadable");
        assert!(refused[0].found.contains("name too long"), "{}", refused[0]);
        assert!(refused[0].path.starts_with(place.path(&name)));
        assert_eq!(scan.candidates().count(), 1);
    }
}
