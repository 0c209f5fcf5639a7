//! What an expression works on: a place in a run's value, or a value of its own.

use std::sync::Arc;

use floe_plugin_api::Value;
use minijinja::Value as Jinja;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::text;

/// A place in a value that the run has: the value's `Arc` and the way into it, by position.
///
/// A reference would need a lifetime, which the objects of minijinja may not have; the way is walked
/// anew at each look, and has a handful of turns.
#[derive(Clone)]
pub(super) struct Node {
    root: Arc<Value>,
    path: Vec<usize>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a {}", self.get().type_name())
    }
}

impl Node {
    pub(super) const fn new(root: Arc<Value>) -> Self {
        Self {
            root,
            path: Vec::new(),
        }
    }

    /// The value at the place.
    pub(super) fn get(&self) -> &Value {
        const NULL: &Value = &Value::Null;
        let mut at = &*self.root;
        for &place in &self.path {
            at = match at {
                Value::List(list) => list.get(place),
                Value::Map(map) => map.iter().as_slice().get(place).map(|entry| &entry.value),
                _ => None,
            }
            .unwrap_or(NULL);
        }
        at
    }

    /// Whether it is all of the value.
    pub(super) const fn is_whole(&self) -> bool {
        self.path.is_empty()
    }

    /// All of the value that it is a place in.
    pub(super) fn into_root(self) -> Arc<Value> {
        self.root
    }

    /// The place of an item or of an entry's value, by position.
    pub(super) fn child(&self, place: usize) -> Self {
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.extend_from_slice(&self.path);
        path.push(place);
        Self {
            root: Arc::clone(&self.root),
            path,
        }
    }

    /// The place of a map's name.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let place = self
            .get()
            .as_map()?
            .iter()
            .position(|entry| entry.key == *name)?;
        Some(self.child(place))
    }

    /// As minijinja has it: what is small as a copy, a list or a map as a view.
    pub(super) fn to_jinja(&self) -> Jinja {
        match self.get() {
            Value::Null => Jinja::from(()),
            Value::Bool(value) => (*value).into(),
            Value::I64(value) => (*value).into(),
            Value::U64(value) => (*value).into(),
            Value::F64(value) => (*value).into(),
            Value::String(text) => text.as_str().into(),
            Value::Bytes(bytes) => Jinja::from_bytes(bytes.to_vec()),
            Value::List(_) | Value::Map(_) => Jinja::from_object(self.clone()),
        }
    }
}

impl Object for Node {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.get() {
            Value::List(_) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Jinja) -> Option<Jinja> {
        match self.get() {
            Value::List(list) => {
                let place = key.as_usize().filter(|place| *place < list.len())?;
                Some(self.child(place).to_jinja())
            }
            _ => self.get_value_by_str(key.as_str()?),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Jinja> {
        self.field(key).map(|node| node.to_jinja())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.get() {
            Value::List(list) => Enumerator::Seq(list.len()),
            Value::Map(map) => {
                Enumerator::Values(map.iter().map(|entry| entry.key.as_str().into()).collect())
            }
            _ => Enumerator::Empty,
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        match self.get() {
            Value::List(list) => Some(list.len()),
            Value::Map(map) => Some(map.len()),
            _ => Some(0),
        }
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text::excerpt(self.get()))
    }
}

/// What an expression works on.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A place in a value of the run.
    Scope(Node),
    /// What the expression made.
    Made(Jinja),
    /// `steps`.
    Steps,
    /// One of the steps, which there is.
    Step(Box<str>),
    /// `env`.
    Env,
    /// `loop`: how many turns there were before, and how many there are.
    Loop(usize, usize),
}

impl Held {
    /// What a filter or an operator gave: a view of a place is that place.
    pub(super) fn of(value: Jinja) -> Self {
        match value.downcast_object_ref::<Node>() {
            Some(node) => Self::Scope(node.clone()),
            None => Self::Made(value),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Scope(node) => node.get().is_null(),
            Self::Made(value) => value.is_none(),
            _ => false,
        }
    }

    /// Whether it counts as true where expressions choose, as in Jinja: what is not empty, zero or
    /// null.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Scope(node) => match node.get() {
                Value::Null => false,
                Value::Bool(value) => *value,
                Value::I64(value) => *value != 0,
                Value::U64(value) => *value != 0,
                Value::F64(value) => *value != 0.0,
                Value::String(text) => !text.is_empty(),
                Value::Bytes(bytes) => !bytes.is_empty(),
                Value::List(list) => !list.is_empty(),
                Value::Map(map) => !map.is_empty(),
            },
            Self::Made(value) => value.is_true(),
            _ => true,
        }
    }

    /// What sort of value it is, in a word.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Scope(node) => node.get().type_name(),
            Self::Made(value) => text::type_name(value),
            Self::Steps | Self::Step(_) | Self::Env | Self::Loop(..) => "name",
        }
    }
}
