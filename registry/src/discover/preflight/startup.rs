//! What of a library runs when it is mapped, before anything calls it.

use object::elf;

use super::super::bytes::Fields;
use super::hazard::Hazard;
use super::image::{Image, Reader, Relocation, Sections, Symbol, string_at};
use super::symbols::Exports;
use super::{Findings, listed};
use crate::discover::{Bits, Machine};

/// The most of the table of functions that is looked at: some hundreds of them.
const MOST_BYTES: u64 = 4096;

/// The most names of one function: what has the same instructions may be one function.
const MOST_NAMES: usize = 8;

/// The functions that C toolchains put there themselves.
const OF_THE_TOOLCHAIN: &[&[u8]] = &[
    b"frame_dummy",
    b"_init",
    b"register_tm_clones",
    b"deregister_tm_clones",
];

/// What the name has of the function by which Rust's standard library keeps the program's arguments.
const OF_RUST: &[u8] = b"ARGV_INIT_ARRAY";

/// A function that runs, with all that the library calls it.
#[derive(Debug)]
struct Function<'a> {
    address: u64,
    names: Vec<&'a [u8]>,
}

impl Function<'_> {
    fn is_of_the_toolchain(&self) -> bool {
        self.names.iter().any(|name| {
            OF_THE_TOOLCHAIN.contains(name)
                || name.windows(OF_RUST.len()).any(|part| part == OF_RUST)
        })
    }
}

/// Says which code runs when the library is mapped. `rust` is whether Rust's compiler made it.
pub(super) fn examine(
    image: &Image,
    reader: &Reader<'_>,
    sections: &Sections,
    exports: &Exports,
    rust: bool,
    findings: &mut Findings,
) {
    let array = InitArray::read(image, reader);
    let mut addresses: Vec<u64> = array.addresses(image);
    let mut resolvers = 0_usize;
    let (relative, indirect) = kinds(image.platform.machine);
    image.relocations(reader, |relocation| {
        if Some(relocation.kind) == indirect {
            resolvers += 1;
        }
        if let Some(index) = array.index(relocation.place) {
            let is_relative = Some(relocation.kind) == relative;
            if let (Some(target), Some(address)) = (
                target(&relocation, is_relative, exports),
                addresses.get_mut(index),
            ) {
                *address = target;
            }
        }
    });

    constructors(image, reader, sections, exports, &addresses, rust, findings);
    ifuncs(image, exports, resolvers, findings);
}

/// The table of functions that the loader calls.
struct InitArray {
    start: u64,
    bytes: Vec<u8>,
    /// How long an address is.
    word: usize,
}

impl InitArray {
    fn read(image: &Image, reader: &Reader<'_>) -> Self {
        let word = match image.platform.bits {
            Bits::B64 => 8,
            Bits::B32 => 4,
        };
        let start = image.value(elf::DT_INIT_ARRAY).unwrap_or_default();
        let bytes = image
            .value(elf::DT_INIT_ARRAYSZ)
            .and_then(|length| image.at(reader, start, length.min(MOST_BYTES)));
        Self {
            start,
            bytes: bytes.unwrap_or_default(),
            word,
        }
    }

    /// What stands in the file: the functions, but for what is relocated with an addend.
    fn addresses(&self, image: &Image) -> Vec<u64> {
        let fields = Fields::new(&self.bytes, image.platform.endian);
        let places = (0..self.bytes.len()).step_by(self.word);
        places
            .map_while(|at| match image.platform.bits {
                Bits::B64 => fields.u64(at),
                Bits::B32 => fields.u32(at).map(u64::from),
            })
            .collect()
    }

    /// Which function of the table stands at an address.
    fn index(&self, address: u64) -> Option<usize> {
        let at = usize::try_from(address.checked_sub(self.start)?).ok()?;
        (at < self.bytes.len()).then_some(at / self.word)
    }
}

/// What a relocation writes.
fn target(relocation: &Relocation, is_relative: bool, exports: &Exports) -> Option<u64> {
    if is_relative {
        return relocation.addend;
    }
    let symbol = exports
        .symbols
        .get(usize::try_from(relocation.symbol).ok()?)?;
    Some(
        symbol
            .value
            .wrapping_add(relocation.addend.unwrap_or_default()),
    )
}

/// The numbers of the relocations that add the library's address, and that call a resolver; from
/// each machine's `R_*_RELATIVE` and `R_*_IRELATIVE` in <elf.h>.
fn kinds(machine: Machine) -> (Option<u32>, Option<u32>) {
    let (relative, indirect) = match machine {
        Machine::X86_64 => (8, 37),
        Machine::X86 => (8, 42),
        Machine::Aarch64 => (1027, 1032),
        Machine::Arm => (23, 160),
        Machine::Riscv => (3, 58),
        Machine::PowerPc | Machine::PowerPc64 => (22, 248),
        Machine::S390 => (12, 61),
        Machine::LoongArch => (3, 12),
        _ => return (None, None),
    };
    (Some(relative), Some(indirect))
}

fn constructors(
    image: &Image,
    reader: &Reader<'_>,
    sections: &Sections,
    exports: &Exports,
    addresses: &[u64],
    rust: bool,
    findings: &mut Findings,
) {
    let mut functions: Vec<Function<'_>> = addresses
        .iter()
        .map(|address| Function {
            // On Arm, the lowest bit says which instructions it is made of.
            address: match image.platform.machine {
                Machine::Arm => *address & !1,
                _ => *address,
            },
            names: Vec::new(),
        })
        .collect();
    let in_order = functions.len();
    // The linker is told another name for the first function with `-init`.
    let init = image.value(elf::DT_INIT).filter(|address| {
        let usual = sections.named(b".init").map(|section| section.address);
        usual.is_some_and(|usual| usual != *address)
    });
    functions.extend(init.map(|address| Function {
        address,
        names: Vec::new(),
    }));
    if functions.is_empty() {
        return;
    }

    // There are thousands of symbols, and few of them are looked for.
    let mut wanted: Vec<u64> = functions.iter().map(|it| it.address).collect();
    wanted.sort_unstable();
    let debugging = sections.symbols(image, reader);
    if let Some((symbols, names)) = &debugging {
        let is_function = |it: &Symbol| it.kind == elf::STT_FUNC && it.section != elf::SHN_UNDEF;
        for symbol in symbols.iter().filter(is_function) {
            if wanted.binary_search(&symbol.value).is_ok() {
                let name = string_at(names, symbol.name.into());
                name_all(&mut functions, symbol.value, name);
            }
        }
    }
    for (symbol, name) in exports.exported(image) {
        if wanted.binary_search(&symbol.value).is_ok() {
            name_all(&mut functions, symbol.value, Some(name));
        }
    }

    let text = if debugging.is_some() {
        functions.retain(|function| !function.is_of_the_toolchain());
        named(&functions)
    } else {
        // Without names, the toolchain's own functions are known by their usual number: the C
        // toolchain's one, and one of Rust's standard library.
        let usual = if rust { 2 } else { 1 };
        let unusual = in_order.saturating_sub(usual) + (functions.len() - in_order);
        let known: Vec<&[u8]> = functions
            .iter()
            .filter(|function| !function.is_of_the_toolchain())
            .filter_map(|function| function.names.first().copied())
            .collect();
        (unusual > 0).then(|| {
            let mut text = format!(
                "runs {} more than is usual when it is mapped",
                counted(unusual)
            );
            if known.is_empty() {
                text.push_str(", without names as the library was stripped");
            } else {
                text.push_str(&format!(", {} among them", listed(&known)));
            }
            text
        })
    };
    if let Some(text) = text {
        findings.add(Hazard::Constructors, text);
    }
}

/// Gives a name to what stands at an address.
fn name_all<'a>(functions: &mut [Function<'a>], address: u64, name: Option<&'a [u8]>) {
    let there = functions.iter_mut().filter(|it| it.address == address);
    for function in there {
        if function.names.len() < MOST_NAMES {
            function.names.extend(name);
        }
    }
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 function".to_owned(),
        count => format!("{count} functions"),
    }
}

fn named(functions: &[Function<'_>]) -> Option<String> {
    if functions.is_empty() {
        return None;
    }
    let addresses: Vec<String> = functions
        .iter()
        .map(|function| format!("{:#x}", function.address))
        .collect();
    let names: Vec<&[u8]> = functions
        .iter()
        .zip(&addresses)
        .map(|(function, address)| *function.names.first().unwrap_or(&address.as_bytes()))
        .collect();
    Some(format!("runs {} when it is mapped", listed(&names)))
}

fn ifuncs(image: &Image, exports: &Exports, resolvers: usize, findings: &mut Findings) {
    let names: Vec<&[u8]> = exports
        .exported(image)
        .filter(|(symbol, _)| symbol.kind == elf::STT_GNU_IFUNC)
        .map(|(_, name)| name)
        .collect();
    if names.is_empty() && resolvers == 0 {
        return;
    }
    let text = if names.is_empty() {
        let places = match resolvers {
            1 => "1 place".to_owned(),
            count => format!("{count} places"),
        };
        format!("has {places} for which a resolver of its own is run while it is linked")
    } else {
        format!(
            "runs a resolver of its own for {} while it is linked",
            listed(&names)
        )
    };
    findings.add(Hazard::Ifunc, text);
}
