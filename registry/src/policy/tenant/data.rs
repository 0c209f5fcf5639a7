//! What a tenant's inputs and outputs may hold.
//!
//! Nothing is looked through deeper than [`DEEPEST`]: that bounds every walk here, and what is deeper is
//! refused.

use std::borrow::Cow;

use floe_plugin_api::{Map, Value};

use super::Tenants;
use super::denial::Fault;
use super::filter::{Filter, Replace};
use super::path::{DataPath, Key};
use super::settings::{DataRules, Foreign};

/// How deep lists and maps may lie in each other: as deep as what is sent to a worker.
pub(super) const DEEPEST: usize = 512;

/// What a value takes beside its strings and bytes, in the estimate of a size: about a small number in JSON
/// with what is around it.
const EACH: u64 = 4;

/// The longest name that is shown in a path, in characters.
const SHOWN: usize = 60;

/// The rules of one tenant's data.
#[derive(Debug)]
pub(super) struct Data {
    fields: Vec<Box<str>>,
    /// The names on the way to each place.
    bind: Vec<Vec<Box<str>>>,
    filter: Filter,
    foreign: Foreign,
}

/// A place, from the inside out, with what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) fault: Fault,
    keys: Vec<String>,
}

impl Place {
    const fn here(fault: Fault) -> Self {
        Self {
            fault,
            keys: Vec::new(),
        }
    }

    /// The same, seen from one step further out.
    fn below(mut self, key: Key<'_>) -> Self {
        self.keys.push(match key {
            Key::Number(number) => number.to_string(),
            Key::Name(name) => name.to_owned(),
        });
        self
    }

    /// The path from the outside, with `***` for names that are not to be shown.
    pub(super) fn path(&self, is_hidden: impl Fn(&str) -> bool) -> String {
        if self.fault == Fault::Deep || self.keys.is_empty() {
            return "/".to_owned();
        }
        let mut path = String::new();
        for key in self.keys.iter().rev() {
            path.push('/');
            match is_hidden(key) {
                true => path.push_str("***"),
                false => path.extend(
                    key.replace('~', "~0")
                        .replace('/', "~1")
                        .chars()
                        .take(SHOWN)
                        .flat_map(char::escape_debug),
                ),
            }
        }
        path
    }
}

/// Why an output is withheld.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    Place(Place),
    /// It is larger than this.
    Size(u64),
}

impl Data {
    /// The rules, where each place of `bind` is one.
    pub(super) fn new(rules: &DataRules) -> Self {
        let fields = rules.tenant_fields.iter();
        Self {
            fields: fields.map(|field| field.as_str().into()).collect(),
            bind: rules.bind.iter().filter_map(DataPath::names).collect(),
            filter: Filter::new(&rules.remove, Replace::Nothing).and(&rules.mask, Replace::Mask),
            foreign: rules.foreign,
        }
    }

    /// Looks through an input, and gives it with the tenant's name where that belongs.
    pub(super) fn input<'v>(
        &self,
        tenant: &str,
        input: &'v Value,
    ) -> Result<Cow<'v, Value>, Place> {
        if self.fields.is_empty() && self.bind.is_empty() {
            return Ok(Cow::Borrowed(input));
        }
        self.look_in(tenant, input, 0)?;
        if self.bind.is_empty() {
            return Ok(Cow::Borrowed(input));
        }
        let mut bound = input.clone();
        for names in &self.bind {
            bind(tenant, &mut bound, names)?;
        }
        Ok(Cow::Owned(bound))
    }

    /// Looks for the fields of an input.
    fn look_in(&self, tenant: &str, value: &Value, depth: usize) -> Result<(), Place> {
        if depth > DEEPEST {
            return Err(Place::here(Fault::Deep));
        }
        each(value, |key, below| {
            if self.is_field(key) {
                let fault = match below.as_str() {
                    Some(name) if name == tenant => return Ok(()),
                    Some(_) => Fault::Other,
                    None => Fault::NoName,
                };
                return Err(Place::here(fault));
            }
            self.look_in(tenant, below, depth + 1)
        })
    }

    /// Looks through an output: its size first, so that what is too large takes no more work; then it is
    /// filtered; then others' names are looked for in what is left.
    pub(super) fn output(
        &self,
        tenant: &str,
        tenants: &Tenants,
        limit: Option<u64>,
        output: Value,
    ) -> Result<Value, Withheld> {
        let mut left = limit.unwrap_or(u64::MAX);
        match measure(&output, &mut left, 0) {
            Ok(()) => {}
            Err(Measured::Large) => {
                dismantle(output);
                return Err(Withheld::Size(limit.unwrap_or(u64::MAX)));
            }
            Err(Measured::Deep) => {
                dismantle(output);
                return Err(Withheld::Place(Place::here(Fault::Deep)));
            }
        }
        let output = self.filter.apply(output);
        let search = Search {
            data: self,
            tenant,
            tenants,
        };
        search.look_in(&output, false).map_err(Withheld::Place)?;
        Ok(output)
    }

    fn is_field(&self, key: Key<'_>) -> bool {
        match key {
            Key::Name(key) => self.fields.iter().any(|field| **field == *key),
            Key::Number(_) => false,
        }
    }
}

/// Visits what is directly in a value; a fault is seen from outside of it.
fn each<'v>(
    value: &'v Value,
    mut visit: impl FnMut(Key<'v>, &'v Value) -> Result<(), Place>,
) -> Result<(), Place> {
    match value {
        Value::Map(map) => {
            for entry in map {
                let key = Key::Name(&entry.key);
                visit(key, &entry.value).map_err(|place| place.below(key))?;
            }
        }
        Value::List(list) => {
            for (number, item) in list.iter().enumerate() {
                let key = Key::Number(number);
                visit(key, item).map_err(|place| place.below(key))?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Writes the tenant's name at a place, over nothing but null or itself.
fn bind(tenant: &str, value: &mut Value, names: &[Box<str>]) -> Result<(), Place> {
    let Some((name, rest)) = names.split_first() else {
        return match value {
            Value::String(text) if **text == *tenant => Ok(()),
            Value::Null => {
                *value = tenant.into();
                Ok(())
            }
            _ => Err(Place::here(Fault::Taken)),
        };
    };
    let (key, below) = match value {
        Value::Map(map) => {
            let key = Key::Name(name);
            // Which of the two would count depends on the reader: none does.
            if map.iter().filter(|entry| *entry.key == **name).count() > 1 {
                return Err(Place::here(Fault::Twice).below(key));
            }
            if rest.is_empty() && map.get(name).is_none() {
                map.push(&**name, tenant);
                return Ok(());
            }
            (key, Map::get_mut(map, name))
        }
        Value::List(list) => {
            let number = name.parse::<usize>().ok();
            let number = number.filter(|number| Key::Number(*number).is(name));
            let below = number.and_then(|number| list.get_mut(number));
            (Key::Name(name), below)
        }
        _ => return Err(Place::here(Fault::NoMap)),
    };
    match below {
        Some(below) => bind(tenant, below, rest).map_err(|place| place.below(key)),
        None => Err(Place::here(Fault::NoMap).below(key)),
    }
}

/// The search for other tenants' names in an output.
struct Search<'a> {
    data: &'a Data,
    tenant: &'a str,
    tenants: &'a Tenants,
}

impl Search<'_> {
    /// Looks in a value, of which the depth is known; a field's own value, or an item of a list there, must
    /// be the tenant's name.
    fn look_in(&self, value: &Value, is_field: bool) -> Result<(), Place> {
        if is_field && !self.is_own(value) {
            return Err(Place::here(Fault::Other));
        }
        let is_foreign = match value {
            Value::String(text) => self.is_foreign(text),
            Value::Bytes(bytes) => {
                std::str::from_utf8(bytes).is_ok_and(|text| self.is_foreign(text))
            }
            _ => false,
        };
        if is_foreign {
            return Err(Place::here(Fault::Other));
        }
        let is_list = matches!(value, Value::List(_));
        each(value, |key, below| {
            if let Key::Name(name) = key
                && self.is_foreign(name)
            {
                return Err(Place::here(Fault::Other));
            }
            let is_field = self.data.is_field(key) || (is_field && is_list);
            self.look_in(below, is_field)
        })
    }

    fn is_foreign(&self, text: &str) -> bool {
        self.data.foreign == Foreign::Anywhere && text != self.tenant && self.tenants.has(text)
    }

    /// Whether a field's value names nobody else. A number is taken as it is written; what is in lists and
    /// maps is looked at by itself.
    fn is_own(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::List(_) | Value::Map(_) => true,
            Value::String(text) => **text == *self.tenant,
            Value::Bytes(bytes) => **bytes == *self.tenant.as_bytes(),
            Value::Bool(value) => value.to_string() == self.tenant,
            Value::I64(value) => value.to_string() == self.tenant,
            Value::U64(value) => value.to_string() == self.tenant,
            Value::F64(value) => value.to_string() == self.tenant,
        }
    }
}

/// Why a value was not measured to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measured {
    Large,
    Deep,
}

/// Takes a value's size off what is left: the bytes of its strings, keys and bytes, and [`EACH`] for every
/// value.
fn measure(value: &Value, left: &mut u64, depth: usize) -> Result<(), Measured> {
    if depth > DEEPEST {
        return Err(Measured::Deep);
    }
    let own = match value {
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    take(left, own)?;
    match value {
        Value::List(list) => list
            .iter()
            .try_for_each(|item| measure(item, left, depth + 1)),
        Value::Map(map) => map.iter().try_for_each(|entry| {
            *left = left
                .checked_sub(entry.key.len() as u64)
                .ok_or(Measured::Large)?;
            measure(&entry.value, left, depth + 1)
        }),
        _ => Ok(()),
    }
}

fn take(left: &mut u64, own: usize) -> Result<(), Measured> {
    *left = left
        .checked_sub((own as u64).saturating_add(EACH))
        .ok_or(Measured::Large)?;
    Ok(())
}

/// Drops a value without going deeper than one level at a time: its own drop takes a part of the stack for
/// each level.
pub(super) fn dismantle(value: Value) {
    let mut parts = vec![value];
    while let Some(part) = parts.pop() {
        match part {
            Value::List(list) => parts.extend(list),
            Value::Map(map) => parts.extend(map.into_iter().map(|entry| entry.value)),
            _ => {}
        }
    }
}
