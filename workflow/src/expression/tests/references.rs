//! What a template is said to look up.

use super::super::{Root, Template};

#[track_caller]
fn check(text: &str, expected: &[(Root, &str, usize)], unknown: &[(&str, usize)]) {
    let template = match text.contains("{") {
        true => Template::parse(text).unwrap(),
        false => Template::parse_condition(text).unwrap(),
    };
    let found: Vec<_> = template
        .references()
        .iter()
        .map(|found| (found.root.clone(), found.path.join("/"), found.offset))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(root, path, offset)| (root.clone(), (*path).to_owned(), *offset))
        .collect();
    assert_eq!(found, expected, "{text}");
    let names: Vec<_> = template
        .unknown_names()
        .iter()
        .map(|found| (found.name.as_str(), found.offset))
        .collect();
    assert_eq!(names, unknown, "{text}");
}

#[test]
fn references_of_a_text() {
    use Root::{Context, Env, Input, Item, Steps, Variables, Workflow};

    check(
        "{{ steps.fetch.output.rows[0].name }}",
        &[(Steps, "fetch/output/rows/0/name", 3)],
        &[],
    );
    check(
        "{{ steps[\"fetch\"].output }}",
        &[(Steps, "fetch/output", 3)],
        &[],
    );
    check(
        "{{ steps['a']['output'][-1] }}",
        &[(Steps, "a/output/-1", 3)],
        &[],
    );
    check(
        "å{{ steps[input.id].output }}",
        &[(Steps, "", 5), (Input, "id", 11)],
        &[],
    );
    check(
        "{{ steps.a.output[variables.n].x }}",
        &[(Steps, "a/output", 3), (Variables, "n", 18)],
        &[],
    );
    check(
        "{{ steps.a.output[1:index] | join(input.by, d=context.x) }}",
        &[
            (Steps, "a/output", 3),
            (Item("index".into()), "", 20),
            (Input, "by", 34),
            (Context, "x", 46),
        ],
        &[],
    );
    check(
        "{{ range(input.n) | map('upper') }}{{ [workflow.id, {'a': env.HOME}] }}",
        &[(Input, "n", 9), (Workflow, "id", 39), (Env, "HOME", 58)],
        &[],
    );
    check(
        "{% for row in steps.a.output if row.x > input.x %}{{ row.y }}{{ loop.index }}{{ item.z }}{% endfor %}{{ row }}",
        &[
            (Steps, "a/output", 14),
            (Input, "x", 40),
            (Item("item".into()), "z", 80),
        ],
        &[("row", 104)],
    );
    check(
        "{% set input = input.a %}{{ input.b }}",
        &[(Input, "a", 15)],
        &[],
    );
    check(
        "{% with a = input.b %}{{ a }}{% endwith %}{{ a.c }}",
        &[(Input, "b", 12)],
        &[("a", 45)],
    );
    check(
        "steps.a.output.count > 3 and nope.x",
        &[(Steps, "a/output/count", 0)],
        &[("nope", 29)],
    );
    check(
        "input.a if input.b is defined else not input.c",
        &[(Input, "a", 0), (Input, "b", 11), (Input, "c", 39)],
        &[],
    );
    check("{{ (input.a).b }}", &[(Input, "a/b", 4)], &[]);
    check("{{ ([input.a] | first).b }}", &[(Input, "a", 5)], &[]);
    check("{% raw %}{{ steps.a }}{% endraw %}{# steps.b #}", &[], &[]);
}
