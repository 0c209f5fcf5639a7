//! What a library offers to others: its symbols by name, and the versions that it defines.

use object::Endianness;
use object::elf;
use object::pod;

use super::super::bytes::Fields;
use super::image::{Image, Reader, Sections, Symbol, Symbols};

/// How much of a hash table is read first; that of libc takes 16 KiB.
const FIRST_READ: u64 = 16 << 10;

/// The most symbols that are looked at; the largest libraries have some 100,000.
const MOST_SYMBOLS: u64 = 1 << 18;

/// The most of a table of versions that is read; that of libstdc++, a long one, takes 4 KiB.
const LONGEST_VERSIONS: u64 = 64 << 10;

/// The most versions that are looked at.
const MOST_VERSIONS: usize = 4096;

/// The symbols of a library, which are found by name as the loader finds them.
#[derive(Debug)]
pub(super) struct Exports {
    pub(super) symbols: Symbols,
    hash: Hash,
}

#[derive(Debug)]
enum Hash {
    /// `DT_GNU_HASH`, which every linker writes.
    Gnu(Vec<u8>),
    /// `DT_HASH`, its predecessor.
    SystemV(Vec<u8>),
    /// None: no library is searched without one.
    None,
}

impl Exports {
    /// The symbols that can be found by name.
    pub(super) fn read(image: &Image, reader: &Reader<'_>) -> Self {
        Self::with_at_least(image, reader, 0)
    }

    /// All symbols, those that others must have too, which are in no hash table.
    pub(super) fn read_all(image: &Image, reader: &Reader<'_>, sections: &Sections) -> Self {
        let count = sections.dynamic_symbols(image).or_else(|| {
            // Linkers put the names right behind the symbols.
            let names = image.value(elf::DT_STRTAB)?;
            let bytes = names.checked_sub(image.value(elf::DT_SYMTAB)?)?;
            Some(bytes / image.symbol_length())
        });
        Self::with_at_least(image, reader, count.unwrap_or_default())
    }

    fn with_at_least(image: &Image, reader: &Reader<'_>, count: u64) -> Self {
        let (hash, found) = read_hash(image, reader);
        let count = found.max(count).min(MOST_SYMBOLS);
        Self {
            symbols: image.symbols(reader, count),
            hash,
        }
    }

    /// Whether a symbol of this name is there for other libraries.
    pub(super) fn defines(&self, image: &Image, name: &[u8]) -> bool {
        let is_it = |index: u32| {
            let symbol = usize::try_from(index)
                .ok()
                .and_then(|it| self.symbols.get(it));
            symbol.is_some_and(|symbol| {
                symbol.is_exported() && image.string(symbol.name.into()) == Some(name)
            })
        };
        let endian = image.platform.endian;
        match &self.hash {
            Hash::Gnu(bytes) => Gnu::new(image, bytes)
                .and_then(|table| table.find(elf::gnu_hash(name), is_it))
                .is_some(),
            Hash::SystemV(bytes) => {
                find_system_v(&Fields::new(bytes, endian), elf::hash(name), is_it).is_some()
            }
            Hash::None => false,
        }
    }

    /// The symbols that are there for other libraries, with their names.
    pub(super) fn exported<'a>(
        &'a self,
        image: &'a Image,
    ) -> impl Iterator<Item = (Symbol, &'a [u8])> {
        self.symbols
            .iter()
            .filter(Symbol::is_exported)
            .filter_map(|symbol| Some((symbol, image.string(symbol.name.into())?)))
    }
}

/// The hash table of a library, and how many symbols it speaks of.
fn read_hash(image: &Image, reader: &Reader<'_>) -> (Hash, u64) {
    if let Some(address) = image.value(elf::DT_GNU_HASH) {
        let mut length = FIRST_READ;
        while let Some(bytes) = image.at(reader, address, length) {
            let whole = (bytes.len() as u64) < length;
            if let Some(count) = Gnu::new(image, &bytes).and_then(|table| table.count()) {
                return (Hash::Gnu(bytes), count);
            }
            if whole {
                break;
            }
            length *= 4;
        }
    }
    let system_v = image.value(elf::DT_HASH).and_then(|address| {
        let head = image.at(reader, address, 8)?;
        let fields = Fields::new(&head, image.platform.endian);
        let (buckets, chains) = (u64::from(fields.u32(0)?), u64::from(fields.u32(4)?));
        let bytes = image.at(reader, address, (buckets + chains + 2) * 4)?;
        Some((Hash::SystemV(bytes), chains))
    });
    system_v.unwrap_or((Hash::None, 0))
}

/// A hash table of the newer form: a filter that is not needed here, buckets, and chains.
struct Gnu<'a> {
    fields: Fields<'a>,
    length: usize,
    buckets: u32,
    /// The first symbol that the table speaks of.
    first: u32,
    /// Where the buckets start.
    start: usize,
}

impl<'a> Gnu<'a> {
    fn new(image: &Image, bytes: &'a [u8]) -> Option<Self> {
        let fields = Fields::new(bytes, image.platform.endian);
        // A word of the filter is as long as an address.
        let word = match image.symbol_length() {
            24 => 8_usize,
            _ => 4,
        };
        let filter = usize::try_from(fields.u32(8)?).ok()?.checked_mul(word)?;
        Some(Self {
            fields,
            length: bytes.len(),
            buckets: fields.u32(0)?,
            first: fields.u32(4)?,
            start: filter.checked_add(16)?,
        })
    }

    fn bucket(&self, index: u32) -> Option<u32> {
        let at = usize::try_from(index).ok()?.checked_mul(4)?;
        self.fields.u32(self.start.checked_add(at)?)
    }

    fn chain(&self, symbol: u32) -> Option<u32> {
        let index = u64::from(self.buckets) + u64::from(symbol.checked_sub(self.first)?);
        let at = usize::try_from(index).ok()?.checked_mul(4)?;
        self.fields.u32(self.start.checked_add(at)?)
    }

    /// How many symbols there are; none where the table goes on behind the bytes.
    fn count(&self) -> Option<u64> {
        let buckets = usize::try_from(self.buckets).ok()?.checked_mul(4)?;
        if self.start.checked_add(buckets)? > self.length {
            return None;
        }
        let mut last = 0;
        for index in 0..self.buckets {
            last = last.max(self.bucket(index)?);
        }
        if last < self.first {
            return Some(self.first.into());
        }
        while self.chain(last)? & 1 == 0 {
            last = last.checked_add(1)?;
        }
        Some(u64::from(last) + 1)
    }

    fn find(&self, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mut symbol = self.bucket(hash.checked_rem(self.buckets)?)?;
        loop {
            let found = self.chain(symbol)?;
            if found | 1 == hash | 1 && is_it(symbol) {
                return Some(symbol);
            }
            if found & 1 == 1 {
                return None;
            }
            symbol = symbol.checked_add(1)?;
        }
    }
}

fn find_system_v(fields: &Fields<'_>, hash: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
    let (buckets, chains) = (fields.u32(0)?, fields.u32(4)?);
    let word = |index: u64| fields.u32(usize::try_from(index.checked_mul(4)?).ok()?);
    let mut symbol = word(2 + u64::from(hash.checked_rem(buckets)?))?;
    // A chain that leads in a circle is longer than the table.
    for _ in 0..chains {
        if symbol == 0 {
            return None;
        }
        if is_it(symbol) {
            return Some(symbol);
        }
        symbol = word(2 + u64::from(buckets) + u64::from(symbol))?;
    }
    None
}

/// A version that a library must have.
#[derive(Clone, Debug)]
pub(super) struct NeededVersion {
    /// The library.
    pub(super) library: Vec<u8>,
    /// The version's name.
    pub(super) name: Vec<u8>,
    /// Whether the loader does without it.
    pub(super) weak: bool,
}

/// The versions that a library defines; none where it has no versions at all.
pub(super) fn defined_versions(image: &Image, reader: &Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let address = image.value(elf::DT_VERDEF)?;
    let bytes = image.at(reader, address, LONGEST_VERSIONS)?;
    let endian = image.endian;
    let mut found = Vec::new();
    walk(image.value(elf::DT_VERDEFNUM)?, 0, |at| {
        let definition: &elf::Verdef<Endianness> = entry(&bytes, at)?;
        let name = at.checked_add(offset(definition.vd_aux.get(endian))?)?;
        let name: &elf::Verdaux<Endianness> = entry(&bytes, name)?;
        if let Some(name) = image.string(name.vda_name.get(endian).into()) {
            found.push(name.to_vec());
        }
        offset(definition.vd_next.get(endian))
    });
    Some(found)
}

/// The versions that other libraries must have.
pub(super) fn needed_versions(image: &Image, reader: &Reader<'_>) -> Vec<NeededVersion> {
    let mut found: Vec<NeededVersion> = Vec::new();
    let bytes = image
        .value(elf::DT_VERNEED)
        .and_then(|address| image.at(reader, address, LONGEST_VERSIONS))
        .unwrap_or_default();
    let count = image.value(elf::DT_VERNEEDNUM).unwrap_or_default();
    let endian = image.endian;
    walk(count, 0, |at| {
        let need: &elf::Verneed<Endianness> = entry(&bytes, at)?;
        let library = image.string(need.vn_file.get(endian).into())?;
        let first = at.checked_add(offset(need.vn_aux.get(endian))?)?;
        walk(need.vn_cnt.get(endian).into(), first, |at| {
            let version: &elf::Vernaux<Endianness> = entry(&bytes, at)?;
            if found.len() >= MOST_VERSIONS {
                return None;
            }
            found.push(NeededVersion {
                library: library.to_vec(),
                name: image.string(version.vna_name.get(endian).into())?.to_vec(),
                weak: version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK),
            });
            offset(version.vna_next.get(endian))
        });
        offset(need.vn_next.get(endian))
    });
    found
}

/// Goes along a list whose entries say how far the next one is, and the last one that it is none.
fn walk(count: u64, first: usize, mut each: impl FnMut(usize) -> Option<usize>) {
    let mut at = first;
    for _ in 0..count.min(MOST_VERSIONS as u64) {
        let next = each(at).filter(|next| *next > 0);
        let Some(next) = next.and_then(|next| at.checked_add(next)) else {
            break;
        };
        at = next;
    }
}

fn entry<T: pod::Pod>(bytes: &[u8], at: usize) -> Option<&T> {
    let (entry, _) = pod::from_bytes(bytes.get(at..)?).ok()?;
    Some(entry)
}

fn offset(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}
