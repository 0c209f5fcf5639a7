//! The doors by which an executor is entered: nobody in particular's, and one for each tenancy.
//!
//! Whose door a call may go through is asked of the rules first: by that of another tenancy it cannot come.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::door::Door;
use super::running::Bound;
use crate::policy::Tenancy;

/// The doors of one executor.
pub(crate) struct Entrance {
    anybodys: Arc<Door<Bound>>,
    /// In the order of the tenancies' places in memory. Replaced as a whole.
    own: ArcSwapOption<Vec<Own>>,
}

/// The door of a tenancy, which is kept for as long, so that no other one has its place.
#[derive(Clone)]
struct Own {
    tenancy: Arc<Tenancy>,
    door: Arc<Door<Bound>>,
}

impl Own {
    fn place(&self) -> usize {
        place(&self.tenancy)
    }
}

fn place(tenancy: &Arc<Tenancy>) -> usize {
    Arc::as_ptr(tenancy).addr()
}

fn find<'d>(doors: &'d [Own], tenancy: &Arc<Tenancy>) -> Option<&'d Own> {
    let at = doors.binary_search_by_key(&place(tenancy), Own::place);
    doors.get(at.ok()?)
}

impl Entrance {
    pub(crate) fn new() -> Self {
        Self {
            anybodys: Arc::new(Door::new()),
            own: ArcSwapOption::const_empty(),
        }
    }

    /// The door to what is nobody's in particular.
    #[inline]
    pub(crate) const fn anybodys(&self) -> &Arc<Door<Bound>> {
        &self.anybodys
    }

    /// Goes through the door of a tenancy, or through anybody's where it is of none.
    pub(crate) fn by<R>(
        &self,
        tenancy: Option<&Arc<Tenancy>>,
        enter: impl FnOnce(&Door<Bound>) -> Option<R>,
    ) -> Option<R> {
        let Some(tenancy) = tenancy else {
            return enter(&self.anybodys);
        };
        let doors = self.own.load();
        enter(&find(doors.as_ref()?, tenancy)?.door)
    }

    /// The door of a tenancy, or anybody's where it is of none. One that is not there is made.
    pub(crate) fn door_of(&self, tenancy: Option<&Arc<Tenancy>>) -> Arc<Door<Bound>> {
        let Some(tenancy) = tenancy else {
            return self.anybodys.clone();
        };
        if let Some(doors) = &*self.own.load()
            && let Some(own) = find(doors, tenancy)
        {
            return own.door.clone();
        }
        let new = Own {
            tenancy: tenancy.clone(),
            door: Arc::new(Door::new()),
        };
        // What leads nowhere, and what was this tenant's under other rules, is wanted no more.
        let is_wanted = |own: &&Own| own.tenancy.name != tenancy.name && own.door.enter().is_some();
        self.own.rcu(|doors| {
            let doors = doors.iter().flat_map(|doors| doors.iter());
            let mut doors: Vec<Own> = doors.filter(is_wanted).cloned().collect();
            doors.push(new.clone());
            doors.sort_unstable_by_key(Own::place);
            Some(Arc::new(doors))
        });
        new.door
    }

    /// Makes all of them lead nowhere.
    pub(crate) fn shut(&self) {
        self.anybodys.shut();
        if let Some(doors) = &*self.own.load() {
            doors.iter().for_each(|own| own.door.shut());
        }
    }
}
