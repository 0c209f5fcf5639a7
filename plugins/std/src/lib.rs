//! The plugin `std`: executors for text, numbers, conditions, lists, dicts and conversions.
//!
//! A module for each family, each executor a plain function of its input.
//!
//! * `number` and `rounding` are what numbers are here: exact, or refused.
//! * `compare` tells when values are the same and which comes first, for all families alike.
//! * `pointer` is a place in a value, and `bounds` how much may be made.
#![forbid(unsafe_code)]

mod bounds;
mod compare;
mod convert;
mod dict;
mod list;
mod logic;
mod math;
mod number;
mod pointer;
mod rounding;
mod string;
#[cfg(test)]
mod tests;

use floe_plugin_api::{HostRef, NoConfig, Plugin, Result, export_plugin};

use crate::list::{groups, order, pick, select, shape};
use crate::string::{build, case, cut, look, pattern};

/// What all calls share.
struct Std {
    patterns: pattern::Patterns,
}

impl Plugin for Std {
    type Config = NoConfig;

    fn start(_config: NoConfig, _host: HostRef) -> Result<Self> {
        Ok(Self {
            patterns: pattern::Patterns::new(),
        })
    }
}

export_plugin! {
    plugin: Std,
    name: "std",
    kind: "compute",
    stateless: true,
    executors: [
        /// Gives the text in upper case, by Unicode's rules.
        "string.upper" => case::upper { category: "string", idempotent: true },
        /// Gives the text in lower case, by Unicode's rules.
        "string.lower" => case::lower { category: "string", idempotent: true },
        /// Gives the text with its first character in upper case and the others in lower case.
        "string.capitalize" => case::capitalize { category: "string", idempotent: true },
        /// Gives the text with each word capitalized.
        "string.title" => case::title { category: "string", idempotent: true },
        /// Makes a name for URLs and files: letters and digits of any script in lower case, a separator between words.
        "string.slug" => case::slug { category: "string", idempotent: true },
        /// Takes white space, or characters of one's own, off both ends or one.
        "string.trim" => cut::trim { category: "string", idempotent: true },
        /// Cuts a text into the list of the parts between separators.
        "string.split" => cut::split { category: "string", idempotent: true },
        /// Gives the lines of a text, without what ends them.
        "string.lines" => cut::lines { category: "string", idempotent: true },
        /// Gives the characters from a place on, which may be counted from the end.
        "string.substring" => cut::substring { category: "string", idempotent: true },
        /// Shortens a text to a number of characters, with an ellipsis where it was longer.
        "string.truncate" => cut::truncate { category: "string", idempotent: true },
        /// Joins parts to one text, a separator between each two.
        "string.join" => build::join { category: "string", idempotent: true },
        /// Replaces what is looked for, everywhere or a number of times.
        "string.replace" => build::replace { category: "string", idempotent: true },
        /// Gives the characters of a text from the last to the first.
        "string.reverse" => build::reverse { category: "string", idempotent: true },
        /// Gives a text a number of times, one after the other.
        "string.repeat" => build::repeat { category: "string", idempotent: true },
        /// Fills a text up to a width, at the start, the end or both.
        "string.pad" => build::pad { category: "string", idempotent: true },
        /// Tells whether a text has a part.
        "string.contains" => look::contains { category: "string", idempotent: true },
        /// Tells whether a text begins with a part.
        "string.starts_with" => look::starts_with { category: "string", idempotent: true },
        /// Tells whether a text ends with a part.
        "string.ends_with" => look::ends_with { category: "string", idempotent: true },
        /// Gives the first place of a part, in characters, or null.
        "string.index_of" => look::index_of { category: "string", idempotent: true },
        /// Counts how often a part is in a text, without overlaps.
        "string.count" => look::count { category: "string", idempotent: true },
        /// Counts the characters of a text.
        "string.length" => look::length { category: "string", idempotent: true },
        /// Counts the bytes of a text in UTF-8.
        "string.bytes" => look::bytes { category: "string", idempotent: true },
        /// Tells whether a regular expression is found in a text.
        "string.regex_match" => pattern::is_match { category: "string", idempotent: true },
        /// Gives the first match of a regular expression with its groups, or null.
        "string.regex_find" => pattern::find { category: "string", idempotent: true },
        /// Gives all matches of a regular expression with their groups.
        "string.regex_find_all" => pattern::find_all { category: "string", idempotent: true },
        /// Cuts a text wherever a regular expression matches.
        "string.regex_split" => pattern::split { category: "string", idempotent: true },
        /// Replaces what a regular expression matches; the replacement may name groups.
        "string.regex_replace" => pattern::replace { category: "string", idempotent: true },
        /// Adds two numbers.
        "math.add" => math::add { category: "math", idempotent: true },
        /// Subtracts the second number from the first.
        "math.subtract" => math::subtract { category: "math", idempotent: true },
        /// Multiplies two numbers.
        "math.multiply" => math::multiply { category: "math", idempotent: true },
        /// Divides the first number by the second: an integer where integers divide evenly, a fraction otherwise.
        "math.divide" => math::divide { category: "math", idempotent: true },
        /// Divides and rounds down to an integer; what is left is `math.modulo`.
        "math.quotient" => math::quotient { category: "math", idempotent: true },
        /// Gives what a division leaves, with the sign of the second number.
        "math.modulo" => math::modulo { category: "math", idempotent: true },
        /// Raises the first number to the power of the second.
        "math.power" => math::power { category: "math", idempotent: true },
        /// Gives a number without its sign.
        "math.abs" => math::abs { category: "math", idempotent: true },
        /// Rounds to a number of decimal digits, halves away from zero; to an integer where none are kept.
        "math.round" => math::round { category: "math", idempotent: true },
        /// Rounds down to an integer.
        "math.floor" => math::floor { category: "math", idempotent: true },
        /// Rounds up to an integer.
        "math.ceil" => math::ceil { category: "math", idempotent: true },
        /// Gives the least of numbers.
        "math.min" => math::min { category: "math", idempotent: true },
        /// Gives the greatest of numbers.
        "math.max" => math::max { category: "math", idempotent: true },
        /// Adds up numbers; none add up to 0.
        "math.sum" => math::sum { category: "math", idempotent: true },
        /// Gives the sum of numbers, divided by how many they are.
        "math.mean" => math::mean { category: "math", idempotent: true },
        /// Gives the number in the middle, or the mean of the two in the middle.
        "math.median" => math::median { category: "math", idempotent: true },
        /// Holds a number to a least and a greatest one.
        "math.clamp" => math::clamp { category: "math", idempotent: true },
        /// Tells whether all conditions are true; none are.
        "logic.and" => logic::and { category: "logic", idempotent: true },
        /// Tells whether any condition is true; of none, none is.
        "logic.or" => logic::or { category: "logic", idempotent: true },
        /// Tells whether a condition is false.
        "logic.not" => logic::not { category: "logic", idempotent: true },
        /// Tells whether two values are the same; `1` and `1.0` are.
        "logic.equal" => logic::equal { category: "logic", idempotent: true },
        /// Tells whether two values are not the same.
        "logic.not_equal" => logic::not_equal { category: "logic", idempotent: true },
        /// Tells whether the first of two numbers, strings or booleans is greater.
        "logic.greater" => logic::greater { category: "logic", idempotent: true },
        /// Tells whether the first of two numbers, strings or booleans is greater or equal.
        "logic.greater_equal" => logic::greater_equal { category: "logic", idempotent: true },
        /// Tells whether the first of two numbers, strings or booleans is less.
        "logic.less" => logic::less { category: "logic", idempotent: true },
        /// Tells whether the first of two numbers, strings or booleans is less or equal.
        "logic.less_equal" => logic::less_equal { category: "logic", idempotent: true },
        /// Tells whether a value is null.
        "logic.is_null" => logic::is_null { category: "logic", idempotent: true },
        /// Tells whether a value is null or an empty string, bytes, list or dict.
        "logic.is_empty" => logic::is_empty { category: "logic", idempotent: true },
        /// Gives the first of values that is not null, or null.
        "logic.coalesce" => logic::coalesce { category: "logic", idempotent: true },
        /// Gives one of two values, by a condition.
        "logic.if" => logic::choose { category: "logic", idempotent: true },
        /// Counts the items of a list.
        "list.length" => pick::length { category: "list", idempotent: true },
        /// Gives the first item of a list, or null.
        "list.first" => pick::first { category: "list", idempotent: true },
        /// Gives the last item of a list, or null.
        "list.last" => pick::last { category: "list", idempotent: true },
        /// Gives an item by its index, which may be counted from the end, or a default.
        "list.get" => pick::get { category: "list", idempotent: true },
        /// Gives the items from one index to before another.
        "list.slice" => pick::slice { category: "list", idempotent: true },
        /// Adds an item at the end of a list.
        "list.append" => pick::append { category: "list", idempotent: true },
        /// Tells whether a list has an item.
        "list.contains" => pick::contains { category: "list", idempotent: true },
        /// Gives the first index of an item, or null.
        "list.index_of" => pick::index_of { category: "list", idempotent: true },
        /// Joins lists to one.
        "list.concat" => shape::concat { category: "list", idempotent: true },
        /// Makes lists of the first items, the second ones and so on, of lists that are equally long.
        "list.zip" => shape::zip { category: "list", idempotent: true },
        /// Gives the items of a list from the last to the first.
        "list.reverse" => shape::reverse { category: "list", idempotent: true },
        /// Dissolves the lists inside a list, down to a depth.
        "list.flatten" => shape::flatten { category: "list", idempotent: true },
        /// Cuts a list into lists of a size.
        "list.chunk" => shape::chunk { category: "list", idempotent: true },
        /// Sorts items of one type, by themselves or by what is at a path; equal ones keep their order, nulls come last.
        "list.sort" => order::sort { category: "list", idempotent: true },
        /// Gives the first item of each that are the same, by themselves or by what is at a path.
        "list.unique" => order::unique { category: "list", idempotent: true },
        /// Gives the items that fit a condition on what is at a path.
        "list.filter" => select::filter { category: "list", idempotent: true },
        /// Gives what is at a path of each item.
        "list.map" => select::map { category: "list", idempotent: true },
        /// Gathers items by what is at a path: a list of `key` and `items`.
        "list.group_by" => groups::group_by { category: "list", idempotent: true },
        /// Counts items by what is at a path: a list of `key` and `count`.
        "list.count_by" => groups::count_by { category: "list", idempotent: true },
        /// Adds up numbers of the items by what is at a path: a list of `key` and `sum`.
        "list.sum_by" => groups::sum_by { category: "list", idempotent: true },
        /// Gives the integers from one to before another.
        "list.range" => shape::range { category: "list", idempotent: true },
        /// Gives what is at a path, or a default.
        "dict.get" => dict::get { category: "dict", idempotent: true },
        /// Tells whether there is something at a path, be it null.
        "dict.has" => dict::has { category: "dict", idempotent: true },
        /// Gives the dict with a value at a path.
        "dict.set" => dict::set { category: "dict", idempotent: true },
        /// Gives the dict without what is at a path.
        "dict.remove" => dict::remove { category: "dict", idempotent: true },
        /// Gives the keys of a dict, in order.
        "dict.keys" => dict::keys { category: "dict", idempotent: true },
        /// Gives the values of a dict, in order.
        "dict.values" => dict::values { category: "dict", idempotent: true },
        /// Gives the entries of a dict: a list of `key` and `value`.
        "dict.entries" => dict::entries { category: "dict", idempotent: true },
        /// Makes a dict of entries; no key may be there twice.
        "dict.from_entries" => dict::from_entries { category: "dict", idempotent: true },
        /// Merges dicts, the later ones being stronger, at the first level or at every depth.
        "dict.merge" => dict::merge { category: "dict", idempotent: true },
        /// Gives the dict with no keys but some.
        "dict.pick" => dict::pick { category: "dict", idempotent: true },
        /// Gives the dict without some keys.
        "dict.omit" => dict::omit { category: "dict", idempotent: true },
        /// Gives the dict with other names for keys; no two may become the same.
        "dict.rename" => dict::rename { category: "dict", idempotent: true },
        /// Writes a number or boolean as text; a string stays as it is.
        "convert.to_string" => convert::to_string { category: "convert", idempotent: true },
        /// Makes an integer of digits, of a boolean, or of a number without a fraction.
        "convert.to_int" => convert::to_int { category: "convert", idempotent: true },
        /// Makes a float of digits or an integer, exactly or not at all.
        "convert.to_float" => convert::to_float { category: "convert", idempotent: true },
        /// Makes a boolean of `true`, `yes`, `on`, `1`, `false`, `no`, `off`, `0` in any case.
        "convert.to_bool" => convert::to_bool { category: "convert", idempotent: true },
        /// Reads JSON.
        "convert.parse_json" => convert::parse_json { category: "convert", idempotent: true },
        /// Writes any value as JSON, on one line or for people.
        "convert.to_json" => convert::to_json { category: "convert", idempotent: true },
        /// Writes bytes, or a text's bytes, in base64.
        "convert.base64_encode" => convert::base64_encode { category: "convert", idempotent: true },
        /// Reads base64 and gives the bytes.
        "convert.base64_decode" => convert::base64_decode { category: "convert", idempotent: true },
        /// Writes bytes, or a text's bytes, in hexadecimal digits.
        "convert.hex_encode" => convert::hex_encode { category: "convert", idempotent: true },
        /// Reads hexadecimal digits and gives the bytes.
        "convert.hex_decode" => convert::hex_decode { category: "convert", idempotent: true },
        /// Reads bytes as text in UTF-8.
        "convert.bytes_to_text" => convert::bytes_to_text { category: "convert", idempotent: true },
        /// Gives the bytes of a text in UTF-8.
        "convert.text_to_bytes" => convert::text_to_bytes { category: "convert", idempotent: true },
    ],
}
