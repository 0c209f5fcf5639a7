//! The tables of an ELF file that a loader reads, each read once and none mapped.

use object::Endianness;
use object::elf::{self, FileHeader32, FileHeader64};
use object::pod;
use object::read::elf::{
    Dyn as _, FileHeader, NoteIterator, ProgramHeader as _, Rel as _, Rela as _,
    SectionHeader as _, Sym as _,
};

use super::super::bytes::Source;
use super::super::defect::Defect;
use super::super::platform::{Bits, Endian, Platform};

/// The longest table that is read; the symbols of a large library in a debug build take 10 MiB.
const LONGEST: u64 = 64 << 20;

/// The largest file that is looked at.
const LARGEST: u64 = 512 << 20;

/// The most segments, and the most sections, that are looked at; a library has about 10 and 40.
const MOST_HEADERS: u16 = 4096;

/// The most entries of a run path that are looked at.
const MOST_ENTRIES: usize = 64;

/// The longest name that is read; mangled ones take some hundred bytes.
const LONGEST_NAME: usize = 4096;

/// The most of a segment of notes that is looked through for properties, which take some 100 bytes.
const LONGEST_NOTES: u64 = 64 << 10;

/// Calls a function that is generic over the word size.
macro_rules! by_class {
    ($image:expr, $function:ident($($argument:expr),*)) => {
        if $image.platform.bits == Bits::B64 {
            $function::<FileHeader64<Endianness>>($($argument),*)
        } else {
            $function::<FileHeader32<Endianness>>($($argument),*)
        }
    };
}

/// Reads stretches of a file of a known size.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    size: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a dyn Source, size: u64) -> Self {
        Self { source, size }
    }

    /// A stretch, which must lie inside the file; so no number in a file makes for more memory than
    /// the file itself takes.
    fn bytes(&self, what: &str, offset: u64, length: u64) -> Result<Vec<u8>, Defect> {
        let end = offset.checked_add(length).filter(|end| *end <= self.size);
        let (Some(end), true) = (end, length <= LONGEST) else {
            return Err(malformed(format!(
                "{what} at offset {offset:#x} of {length:#x} bytes"
            )));
        };
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        let count = self
            .source
            .read_at(offset, &mut bytes)
            .map_err(Defect::Read)?;
        if count < bytes.len() {
            return Err(Defect::Incomplete {
                have: offset.saturating_add(count as u64),
                need: end,
            });
        }
        Ok(bytes)
    }

    /// A stretch of which nothing depends; none where it is not there.
    fn spare(&self, offset: u64, length: u64) -> Option<Vec<u8>> {
        self.bytes("a table", offset, length).ok()
    }
}

fn malformed(found: String) -> Defect {
    Defect::Malformed {
        found,
        expected: "a shared library that a loader can read",
    }
}

/// A part of the file that is mapped, or that says how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) kind: elf::ProgramType,
    pub(super) flags: elf::ProgramFlags,
    offset: u64,
    address: u64,
    length: u64,
}

/// A part of the file that the linker names; a loader needs none, so there may be none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    name: u32,
    kind: elf::SectionType,
    pub(super) address: u64,
    offset: u64,
    length: u64,
    link: u32,
}

/// A symbol without its name's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub(super) name: u32,
    pub(super) bind: elf::SymbolBind,
    pub(super) kind: elf::SymbolType,
    pub(super) visibility: elf::SymbolVisibility,
    pub(super) section: elf::SymbolSection,
    pub(super) value: u64,
}

impl Symbol {
    /// Whether it is there for other libraries.
    pub(super) fn is_exported(&self) -> bool {
        self.section != elf::SHN_UNDEF
            && self.bind != elf::STB_LOCAL
            && matches!(self.visibility, elf::STV_DEFAULT | elf::STV_PROTECTED)
    }

    /// Whether another library must have it.
    pub(super) fn is_required(&self) -> bool {
        self.section == elf::SHN_UNDEF && self.bind == elf::STB_GLOBAL
    }
}

/// A place that is written to when the library is mapped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relocation {
    pub(super) place: u64,
    pub(super) kind: u32,
    pub(super) symbol: u32,
    /// What is written, before the library's address is added; `None` where it stands in the place.
    pub(super) addend: Option<u64>,
}

/// Symbols as they stand in the file.
#[derive(Debug)]
pub(super) struct Symbols {
    bytes: Vec<u8>,
    platform: Platform,
    endian: Endianness,
}

impl Symbols {
    pub(super) fn get(&self, index: usize) -> Option<Symbol> {
        by_class!(self, symbol(&self.bytes, index, self.endian))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Symbol> {
        (0..).map_while(|index| self.get(index))
    }
}

fn symbol<E: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    index: usize,
    endian: Endianness,
) -> Option<Symbol> {
    let at = index.checked_mul(size_of::<E::Sym>())?;
    let (symbol, _) = pod::from_bytes::<E::Sym>(bytes.get(at..)?).ok()?;
    Some(Symbol {
        name: symbol.st_name(endian),
        bind: symbol.st_bind(),
        kind: symbol.st_type(),
        visibility: symbol.st_visibility(),
        section: symbol.st_shndx(endian),
        value: symbol.st_value(endian).into(),
    })
}

/// The first string of some bytes from an offset on.
pub(super) fn string_at(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    // Many names may lead to the same long one.
    let rest = rest.get(..LONGEST_NAME).unwrap_or(rest);
    let end = rest.iter().position(|byte| *byte == 0)?;
    rest.get(..end)
}

/// What every examination of a library starts from.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) platform: Platform,
    pub(super) machine: elf::Machine,
    pub(super) endian: Endianness,
    pub(super) segments: Vec<Segment>,
    dynamic: Vec<(elf::DynamicTag, u64)>,
    /// The names of all that the dynamic section speaks of.
    strings: Vec<u8>,
    headers: HeaderTable,
    sections: SectionTable,
}

/// Where the program headers are.
#[derive(Clone, Copy, Debug)]
struct HeaderTable {
    offset: u64,
    length: u64,
}

/// Where the section headers are, and which of them has the sections' names.
#[derive(Clone, Copy, Debug)]
struct SectionTable {
    offset: u64,
    count: u16,
    names: u16,
}

impl Image {
    /// Reads the start of a file; `None` where it is no ELF file.
    pub(super) fn read(reader: &Reader<'_>) -> Result<Option<Self>, Defect> {
        if reader.size < size_of::<FileHeader32<Endianness>>() as u64 {
            return Ok(None);
        }
        let longest = size_of::<FileHeader64<Endianness>>() as u64;
        let head = reader.bytes("a header", 0, reader.size.min(longest))?;
        if !head.starts_with(&elf::ELFMAG) {
            return Ok(None);
        }
        if reader.size > LARGEST {
            return Err(malformed(format!("a file of {} bytes", reader.size)));
        }
        match head.get(4) {
            Some(1) => read::<FileHeader32<Endianness>>(reader, &head, Bits::B32),
            Some(2) => read::<FileHeader64<Endianness>>(reader, &head, Bits::B64),
            _ => Err(malformed(
                "an ELF header of an unknown word size".to_owned(),
            )),
        }
        .map(Some)
    }

    /// Values of the dynamic section with this tag.
    pub(super) fn values(&self, wanted: elf::DynamicTag) -> impl Iterator<Item = u64> {
        self.dynamic
            .iter()
            .filter(move |(tag, _)| *tag == wanted)
            .map(|(_, value)| *value)
    }

    pub(super) fn value(&self, wanted: elf::DynamicTag) -> Option<u64> {
        self.values(wanted).next()
    }

    /// A string of the dynamic section's table.
    pub(super) fn string(&self, offset: u64) -> Option<&[u8]> {
        string_at(&self.strings, offset)
    }

    /// Names in the dynamic section with this tag.
    pub(super) fn names(&self, tag: elf::DynamicTag) -> impl Iterator<Item = &[u8]> {
        self.values(tag).filter_map(|offset| self.string(offset))
    }

    /// The entries of a run path.
    pub(super) fn run_path(&self, tag: elf::DynamicTag) -> impl Iterator<Item = &[u8]> {
        // One that is empty as a whole is none; one of several is the working directory.
        let paths = self.names(tag).filter(|path| !path.is_empty());
        paths
            .flat_map(|path| path.split(|byte| *byte == b':'))
            .take(MOST_ENTRIES)
    }

    /// Where in the file an address is, and how much of the file comes after it in its segment.
    fn place(&self, address: u64) -> Option<(u64, u64)> {
        self.segments
            .iter()
            .filter(|segment| segment.kind == elf::PT_LOAD)
            .find_map(|segment| {
                let within = address.checked_sub(segment.address)?;
                let rest = segment
                    .length
                    .checked_sub(within)
                    .filter(|rest| *rest > 0)?;
                Some((segment.offset.checked_add(within)?, rest))
            })
    }

    /// The bytes that stand at an address; fewer where the segment ends.
    pub(super) fn at(&self, reader: &Reader<'_>, address: u64, length: u64) -> Option<Vec<u8>> {
        let (offset, rest) = self.place(address)?;
        let rest = rest.min(reader.size.checked_sub(offset)?);
        reader.spare(offset, length.min(rest))
    }

    /// So many symbols of the dynamic table.
    pub(super) fn symbols(&self, reader: &Reader<'_>, count: u64) -> Symbols {
        let bytes = self
            .value(elf::DT_SYMTAB)
            .and_then(|address| self.at(reader, address, count.checked_mul(self.symbol_length())?));
        self.symbols_of(bytes.unwrap_or_default())
    }

    fn symbols_of(&self, bytes: Vec<u8>) -> Symbols {
        Symbols {
            bytes,
            platform: self.platform,
            endian: self.endian,
        }
    }

    pub(super) fn symbol_length(&self) -> u64 {
        match self.platform.bits {
            Bits::B64 => size_of::<elf::Sym64<Endianness>>() as u64,
            Bits::B32 => size_of::<elf::Sym32<Endianness>>() as u64,
        }
    }

    /// The sections with their names' table, where there are any.
    pub(super) fn sections(&self, reader: &Reader<'_>) -> Sections {
        let found = by_class!(self, sections(self, reader)).unwrap_or_default();
        let names = found.get(usize::from(self.sections.names)).copied();
        let names = names.and_then(|names| reader.spare(names.offset, names.length));
        Sections {
            all: found,
            names: names.unwrap_or_default(),
        }
    }

    /// All relocations but the packed ones, which add to what stands in their places.
    pub(super) fn relocations(&self, reader: &Reader<'_>, mut each: impl FnMut(Relocation)) {
        by_class!(self, relocations(self, reader, &mut each));
    }

    /// The first property of this type in the note of properties.
    pub(super) fn property(
        &self,
        reader: &Reader<'_>,
        wanted: elf::GnuPropertyType,
    ) -> Option<u32> {
        by_class!(self, property(self, reader, wanted))
    }
}

/// The sections of a file.
#[derive(Debug, Default)]
pub(super) struct Sections {
    all: Vec<Section>,
    names: Vec<u8>,
}

impl Sections {
    pub(super) fn named(&self, name: &[u8]) -> Option<Section> {
        self.all.iter().copied().find(|section| {
            section.kind != elf::SHT_NOBITS
                && string_at(&self.names, section.name.into()) == Some(name)
        })
    }

    /// The strings of `.comment`, in which compilers and linkers name themselves.
    pub(super) fn comment(&self, reader: &Reader<'_>) -> Option<Vec<u8>> {
        let section = self.named(b".comment")?;
        reader.spare(section.offset, section.length.min(4096))
    }

    /// How many symbols the linker says that the dynamic table has.
    pub(super) fn dynamic_symbols(&self, image: &Image) -> Option<u64> {
        let section = self.all.iter().find(|it| it.kind == elf::SHT_DYNSYM)?;
        Some(section.length / image.symbol_length())
    }

    /// The symbols for debuggers with their names, unless they were stripped.
    pub(super) fn symbols(&self, image: &Image, reader: &Reader<'_>) -> Option<(Symbols, Vec<u8>)> {
        let section = self.all.iter().find(|it| it.kind == elf::SHT_SYMTAB)?;
        let names = self.all.get(usize::try_from(section.link).ok()?)?;
        let symbols = reader.spare(section.offset, section.length)?;
        let names = reader.spare(names.offset, names.length)?;
        Some((image.symbols_of(symbols), names))
    }
}

fn read<E: FileHeader<Endian = Endianness>>(
    reader: &Reader<'_>,
    head: &[u8],
    bits: Bits,
) -> Result<Image, Defect> {
    let header = E::parse(head).map_err(|error| malformed(printed(&error)))?;
    let endian = header
        .endian()
        .map_err(|error| malformed(printed(&error)))?;
    let count = header.e_phnum(endian);
    if usize::from(header.e_phentsize(endian)) != size_of::<E::ProgramHeader>()
        || count > MOST_HEADERS
    {
        return Err(malformed("program headers of an unusual size".to_owned()));
    }
    let offset = header.e_phoff(endian).into();
    let length = u64::from(count) * size_of::<E::ProgramHeader>() as u64;
    let headers = reader.bytes("program headers", offset, length)?;
    let segments: Vec<Segment> = all::<E::ProgramHeader>(&headers)
        .iter()
        .map(|header| Segment {
            kind: header.p_type(endian),
            flags: header.p_flags(endian),
            offset: header.p_offset(endian).into(),
            address: header.p_vaddr(endian).into(),
            length: header.p_filesz(endian).into(),
        })
        .collect();

    let dynamic = segments.iter().find(|it| it.kind == elf::PT_DYNAMIC);
    let dynamic = match dynamic {
        Some(segment) => reader.bytes("a dynamic section", segment.offset, segment.length)?,
        None => Vec::new(),
    };
    let dynamic = all::<E::Dyn>(&dynamic)
        .iter()
        .map(|entry| (entry.tag(endian), entry.val(endian)))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .collect();
    let machine = header.e_machine(endian);
    let order = match endian {
        Endianness::Little => Endian::Little,
        Endianness::Big => Endian::Big,
    };
    let mut image = Image {
        platform: Platform::elf(bits, order, machine.0),
        machine,
        endian,
        segments,
        dynamic,
        strings: Vec::new(),
        headers: HeaderTable { offset, length },
        sections: SectionTable {
            offset: header.e_shoff(endian).into(),
            count: if usize::from(header.e_shentsize(endian)) == size_of::<E::SectionHeader>() {
                header.e_shnum(endian).min(MOST_HEADERS)
            } else {
                0
            },
            names: header.e_shstrndx(endian).0,
        },
    };
    let strings = image.value(elf::DT_STRTAB).zip(image.value(elf::DT_STRSZ));
    if let Some((address, length)) = strings {
        image.strings = image.at(reader, address, length).unwrap_or_default();
    }
    Ok(image)
}

fn printed(error: &object::Error) -> String {
    format!("`{error}` in its ELF header")
}

/// All whole entries of a table.
fn all<T: pod::Pod>(bytes: &[u8]) -> &[T] {
    let count = bytes.len() / size_of::<T>();
    pod::slice_from_bytes(bytes, count).map_or(&[], |(all, _)| all)
}

fn sections<E: FileHeader<Endian = Endianness>>(
    image: &Image,
    reader: &Reader<'_>,
) -> Option<Vec<Section>> {
    let table = image.sections;
    let length = u64::from(table.count) * size_of::<E::SectionHeader>() as u64;
    let bytes = reader.spare(table.offset, length)?;
    let endian = image.endian;
    let sections = all::<E::SectionHeader>(&bytes)
        .iter()
        .map(|section| Section {
            name: section.sh_name(endian),
            kind: section.sh_type(endian),
            address: section.sh_addr(endian).into(),
            offset: section.sh_offset(endian).into(),
            length: section.sh_size(endian).into(),
            link: section.sh_link(endian),
        });
    Some(sections.collect())
}

fn relocations<E: FileHeader<Endian = Endianness>>(
    image: &Image,
    reader: &Reader<'_>,
    each: &mut impl FnMut(Relocation),
) {
    let endian = image.endian;
    let table = |address: elf::DynamicTag, length: elf::DynamicTag| {
        let bytes = image.at(reader, image.value(address)?, image.value(length)?);
        bytes.filter(|bytes| !bytes.is_empty())
    };
    let mips = image.machine == elf::EM_MIPS && image.platform.endian == Endian::Little;
    let mips = mips && image.platform.bits == Bits::B64;
    let mut with_addend = |bytes: Vec<u8>| {
        for rela in all::<E::Rela>(&bytes) {
            let addend: i64 = rela.r_addend(endian).into();
            each(Relocation {
                place: rela.r_offset(endian).into(),
                kind: rela.r_type(endian, mips).0,
                symbol: rela.r_sym(endian, mips),
                addend: Some(addend.cast_unsigned()),
            });
        }
    };
    let jumps = table(elf::DT_JMPREL, elf::DT_PLTRELSZ);
    let jumps_have_addends = image.value(elf::DT_PLTREL) == Some(tag_value(elf::DT_RELA));
    let (jumps, jumps_without) = if jumps_have_addends {
        (jumps, None)
    } else {
        (None, jumps)
    };
    table(elf::DT_RELA, elf::DT_RELASZ)
        .into_iter()
        .chain(jumps)
        .for_each(&mut with_addend);
    let mut without_addend = |bytes: Vec<u8>| {
        for rel in all::<E::Rel>(&bytes) {
            each(Relocation {
                place: rel.r_offset(endian).into(),
                kind: rel.r_type(endian).0,
                symbol: rel.r_sym(endian),
                addend: None,
            });
        }
    };
    table(elf::DT_REL, elf::DT_RELSZ)
        .into_iter()
        .chain(jumps_without)
        .for_each(&mut without_addend);
}

fn tag_value(tag: elf::DynamicTag) -> u64 {
    tag.0.cast_unsigned()
}

/// The first property of a type in the notes that the loader looks at for properties.
fn property<E: FileHeader<Endian = Endianness>>(
    image: &Image,
    reader: &Reader<'_>,
    wanted: elf::GnuPropertyType,
) -> Option<u32> {
    let endian = image.endian;
    let table = image.headers;
    let headers = reader.spare(table.offset, table.length)?;
    let headers = all::<E::ProgramHeader>(&headers);
    let header = [elf::PT_GNU_PROPERTY, elf::PT_NOTE]
        .iter()
        .find_map(|kind| {
            headers.iter().find(|header| {
                let align: u64 = header.p_align(endian).into();
                header.p_type(endian) == *kind
                    && (*kind == elf::PT_GNU_PROPERTY || align == size_of::<E::Word>() as u64)
            })
        })?;
    let length: u64 = header.p_filesz(endian).into();
    let bytes = reader.spare(header.p_offset(endian).into(), length.min(LONGEST_NOTES))?;
    let notes = NoteIterator::<E>::new(endian, header.p_align(endian), &bytes).ok()?;
    notes
        .filter_map(Result::ok)
        .filter_map(|note| note.gnu_properties(endian))
        .flatten()
        .filter_map(Result::ok)
        .find(|property| property.pr_type() == wanted)
        .and_then(|property| property.data_u32(endian).ok())
}

#[cfg(test)]
mod tests {
    use super::super::super::elf_builder::Elf;
    use super::*;

    #[test]
    fn every_word_size_and_byte_order_is_read() {
        for (wide, big) in [(false, false), (false, true), (true, false), (true, true)] {
            let bytes = Elf::new(wide, big).note(b"{}").build();
            let source = bytes.as_slice();
            let reader = Reader::new(&source, bytes.len() as u64);
            let image = Image::read(&reader).unwrap().unwrap();
            let expected = if wide { Bits::B64 } else { Bits::B32 };
            assert_eq!(image.platform.bits, expected);
            assert_eq!(image.platform.endian == Endian::Big, big);
            assert!(!image.segments.is_empty());
        }
    }

    #[test]
    fn a_string_ends_where_it_is_ended_and_not_later() {
        assert_eq!(string_at(b"ab\0cd\0", 0), Some(b"ab".as_slice()));
        assert_eq!(string_at(b"ab\0cd\0", 4), Some(b"d".as_slice()));
        assert_eq!(string_at(b"ab\0cd", 3), None);
        assert_eq!(string_at(b"ab\0", u64::MAX), None);
        assert_eq!(string_at(&[b'a'; LONGEST_NAME + 1], 0), None);
    }

    #[test]
    fn no_number_makes_for_more_memory_than_the_file_takes() {
        let source: &[u8] = &[0; 100];
        let reader = Reader::new(&source, 100);
        assert_eq!(reader.bytes("x", 90, 10).unwrap().len(), 10);
        for (offset, length) in [(90, 11), (0, u64::MAX), (u64::MAX, 2), (101, 0)] {
            let refused = reader.bytes("x", offset, length).unwrap_err();
            assert!(matches!(refused, Defect::Malformed { .. }), "{refused:?}");
        }
    }
}
