//! What is undefined, and what is said of it.

use super::{check, refused};

#[test]
fn what_is_undefined_is_named_with_the_nearest() {
    for (text, reason) in [
        (
            "{{ inptu.city }}",
            "`inptu` is undefined; did you mean `input`?",
        ),
        (
            "{{ input.citty }}",
            "`input.citty` is undefined; did you mean `city`?",
        ),
        (
            "a {{ steps.fetch.output.rows[0].nmae }}",
            "`steps.fetch.output.rows[0].nmae` is undefined; did you mean `name`?",
        ),
        (
            "{{ steps.fetch.output.rows[7].name }}",
            "`steps.fetch.output.rows[7]` is undefined; the list has `3` items",
        ),
        (
            "{{ steps.fetch.output.rows[-4] }}",
            "`steps.fetch.output.rows[-4]` is undefined",
        ),
        (
            "{{ steps.fetch.output.rows.name }}",
            "found list in `steps.fetch.output.rows`, expected a map; write `steps.fetch.output.rows[0]`",
        ),
        (
            "{{ steps.fetch.output.count.x }}",
            "found integer in `steps.fetch.output.count`, expected a map",
        ),
        (
            "{{ steps.fetch.output.nothing.x }}",
            "found null in `steps.fetch.output.nothing`",
        ),
        (
            "{{ steps.fetsh.output }}",
            "found step `fetsh`, which there is not; did you mean `fetch`?",
        ),
        (
            "{{ steps.fetch.ouput }}",
            "`steps.fetch.ouput` is undefined; did you mean `output`?",
        ),
        (
            "{{ steps.later.output.rows }}",
            "`steps.later.output` is undefined: the step is `waiting`",
        ),
        (
            "{{ steps }}",
            "found steps in `steps`, expected a value; write the step's id",
        ),
        (
            "{{ steps.fetch }}",
            "write `output`, `status`, `error`, `attempts` or `recovered_by` after it",
        ),
        ("{{ env }}", "write a variable's name after it"),
        ("{{ {'a': 1}.b }}", "use one of `a`"),
        ("{{ [] | first }}", "`[] | first` is undefined"),
        ("{{ 1 if false }}", "found no value"),
        ("{{ [{}] | map(attribute='a') }}", "item `0` has no `a`"),
        ("{{ [none] | join }}", "found item `0` null"),
        ("{{ loop.index }}", "`loop` is undefined"),
    ] {
        refused(text, reason);
    }
}

#[test]
fn offsets_are_of_the_text() {
    for (text, offset) in [
        ("åå {{ input.nope }}", 8),
        ("a\n{{ 1 }}\n{% if nope %}{% endif %}", 16),
        ("{{ input.city ~ nope }}", 16),
    ] {
        assert_eq!(super::evaluate(text).unwrap_err().offset, offset, "{text}");
    }
}

#[test]
fn the_environment_is_what_is_allowed() {
    check("{{ env.HOME }}", "/home/a");
    check("{{ env['HOME'] }}/x", "/home/a/x");
    check("{{ env.UNSET | default('u') }}", "u");
    refused(
        "{{ env.UNSET }}",
        "the environment variable `UNSET` is not set",
    );
    refused(
        "{{ env.PATH }}",
        "found the environment variable `PATH`, expected one that is allowed: `HOME`, `UNSET`",
    );
    // A default would hide that it was never allowed.
    refused(
        "{{ env.PATH | default('x') }}",
        "expected one that is allowed",
    );
    refused("{{ env.PATH is defined }}", "expected one that is allowed");
    refused(
        "{{ steps.fetsh.output | default(1) }}",
        "found step `fetsh`",
    );
}

#[test]
fn what_may_be_undefined_is_asked() {
    check("{{ input.nope is defined }}", false);
    check("{{ input.city is defined }}", true);
    check("{{ steps.later.output is undefined }}", true);
    check(
        "{{ input.nope | default(none) }}",
        floe_plugin_api::Value::Null,
    );
    check("{{ '' | default('x') }}", "");
    check("{{ '' | default('x', true) }}", "x");
    check(
        "{{ [{}] | map(attribute='a', default=1) }}",
        floe_plugin_api::value!([1]),
    );
}
