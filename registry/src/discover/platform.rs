//! What a library was built for.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a library was built for: file format, word size, byte order and machine.
///
/// Its text is made for messages: `ELF 64-bit little-endian x86-64`, `Mach-O 64-bit arm64`.
/// A library can be mapped only where it equals [`Platform::host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Platform {
    /// The file format.
    pub format: Format,
    /// The word size.
    pub bits: Bits,
    /// The byte order.
    pub endian: Endian,
    /// The machine whose instructions it holds.
    pub machine: Machine,
}

/// The format of a library file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// The Executable and Linkable Format: Linux, the BSDs, Android.
    Elf,
    /// Mach-O: macOS and its relatives.
    MachO,
    /// The Portable Executable: Windows.
    Pe,
}

/// The word size of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// 32 bits.
    B32,
    /// 64 bits.
    B64,
}

/// The byte order of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Endian {
    /// The lowest byte comes first.
    Little,
    /// The highest byte comes first.
    Big,
}

/// A machine, as the header of a library names it.
///
/// RISC-V, `LoongArch`, MIPS and s390 are one machine each in an ELF header; with [`Bits`] they are
/// told apart, as in `riscv64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Machine {
    /// AMD and Intel, 64-bit instructions.
    X86_64,
    /// Arm, 64-bit instructions.
    Aarch64,
    /// Intel and AMD, 32-bit instructions.
    X86,
    /// Arm, 32-bit instructions.
    Arm,
    /// RISC-V.
    Riscv,
    /// POWER, 64-bit.
    PowerPc64,
    /// POWER, 32-bit.
    PowerPc,
    /// IBM Z.
    S390,
    /// `LoongArch`.
    LoongArch,
    /// MIPS.
    Mips,
    /// SPARC version 9.
    Sparc64,
    /// Any other, with the number that the file gives.
    Other(u32),
}

impl Platform {
    /// The platform that this program was built for.
    #[must_use]
    pub const fn host() -> Self {
        HOST
    }
}

const HOST: Platform = Platform {
    format: if cfg!(windows) {
        Format::Pe
    } else if cfg!(target_vendor = "apple") {
        Format::MachO
    } else {
        Format::Elf
    },
    bits: if cfg!(target_pointer_width = "64") {
        Bits::B64
    } else {
        Bits::B32
    },
    endian: if cfg!(target_endian = "little") {
        Endian::Little
    } else {
        Endian::Big
    },
    machine: host_machine(),
};

const fn host_machine() -> Machine {
    if cfg!(target_arch = "x86_64") {
        Machine::X86_64
    } else if cfg!(target_arch = "aarch64") {
        Machine::Aarch64
    } else if cfg!(target_arch = "x86") {
        Machine::X86
    } else if cfg!(target_arch = "arm") {
        Machine::Arm
    } else if cfg!(any(target_arch = "riscv64", target_arch = "riscv32")) {
        Machine::Riscv
    } else if cfg!(target_arch = "powerpc64") {
        Machine::PowerPc64
    } else if cfg!(target_arch = "powerpc") {
        Machine::PowerPc
    } else if cfg!(target_arch = "s390x") {
        Machine::S390
    } else if cfg!(any(
        target_arch = "loongarch64",
        target_arch = "loongarch32"
    )) {
        Machine::LoongArch
    } else if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
        Machine::Mips
    } else if cfg!(target_arch = "sparc64") {
        Machine::Sparc64
    } else {
        // Evaluated when the crate is compiled, so this is a compile error, not a panic.
        #[expect(
            clippy::panic,
            reason = "a host without a name could admit no library at all"
        )]
        {
            panic!("this host's machine has no name in `Machine`: give it one, and its ELF number")
        }
    }
}

impl Platform {
    /// The platform of an ELF file with this machine number (`e_machine`).
    pub(super) const fn elf(bits: Bits, endian: Endian, machine: u16) -> Self {
        // The numbers are those of the System V ABI's registry, `e_machine` in <elf.h>.
        let machine = match machine {
            3 => Machine::X86,
            8 => Machine::Mips,
            20 => Machine::PowerPc,
            21 => Machine::PowerPc64,
            22 => Machine::S390,
            40 => Machine::Arm,
            43 => Machine::Sparc64,
            62 => Machine::X86_64,
            183 => Machine::Aarch64,
            243 => Machine::Riscv,
            258 => Machine::LoongArch,
            // `From` is not yet const.
            other => Machine::Other(other as u32),
        };
        Self {
            format: Format::Elf,
            bits,
            endian,
            machine,
        }
    }

    /// The platform of a 64-bit Mach-O file with this machine number (`cputype`).
    pub(super) const fn mach_o(endian: Endian, machine: u32) -> Self {
        // The numbers are those of <mach/machine.h>; bit 24 marks a 64-bit machine.
        let machine = match machine {
            0x0100_0007 => Machine::X86_64,
            0x0100_000c => Machine::Aarch64,
            0x0100_0012 => Machine::PowerPc64,
            other => Machine::Other(other),
        };
        Self {
            format: Format::MachO,
            bits: Bits::B64,
            endian,
            machine,
        }
    }

    fn machine_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wide = self.bits == Bits::B64;
        f.write_str(match self.machine {
            Machine::X86_64 => "x86-64",
            Machine::Aarch64 if self.format == Format::MachO => "arm64",
            Machine::Riscv if wide => "riscv64",
            Machine::Riscv => "riscv32",
            Machine::S390 if wide => "s390x",
            Machine::LoongArch if wide => "loongarch64",
            Machine::LoongArch => "loongarch32",
            Machine::Mips if wide => "mips64",
            machine => return write!(f, "{machine}"),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.format, self.bits)?;
        // Only ELF is met in both orders.
        if self.format == Format::Elf || self.endian == Endian::Big {
            write!(f, "{} ", self.endian)?;
        }
        self.machine_name(f)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::Pe => "PE (Windows)",
        })
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::B32 => "32-bit",
            Self::B64 => "64-bit",
        })
    }
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(match self {
            Self::B32 => 32,
            Self::B64 => 64,
        })
    }
}

impl fmt::Display for Endian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::X86_64 => "x86-64",
            Self::Aarch64 => "aarch64",
            Self::X86 => "x86",
            Self::Arm => "arm",
            Self::Riscv => "riscv",
            Self::PowerPc64 => "powerpc64",
            Self::PowerPc => "powerpc",
            Self::S390 => "s390",
            Self::LoongArch => "loongarch",
            Self::Mips => "mips",
            Self::Sparc64 => "sparc64",
            Self::Other(number) => return write!(f, "machine {number:#x}"),
        })
    }
}

impl Serialize for Machine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_for_people() {
        let elf = |bits, endian, machine| Platform::elf(bits, endian, machine).to_string();
        let (little, big) = (Endian::Little, Endian::Big);
        assert_eq!(
            elf(Bits::B64, little, 62),
            "ELF 64-bit little-endian x86-64"
        );
        assert_eq!(
            elf(Bits::B64, little, 183),
            "ELF 64-bit little-endian aarch64"
        );
        assert_eq!(
            elf(Bits::B64, little, 243),
            "ELF 64-bit little-endian riscv64"
        );
        assert_eq!(elf(Bits::B32, little, 3), "ELF 32-bit little-endian x86");
        assert_eq!(elf(Bits::B64, big, 22), "ELF 64-bit big-endian s390x");
        assert_eq!(elf(Bits::B64, big, 21), "ELF 64-bit big-endian powerpc64");
        assert_eq!(
            elf(Bits::B64, little, 258),
            "ELF 64-bit little-endian loongarch64"
        );
        assert_eq!(
            elf(Bits::B32, big, 0x1234),
            "ELF 32-bit big-endian machine 0x1234"
        );
        let mach_o = Platform::mach_o(little, 0x0100_000c);
        assert_eq!(mach_o.to_string(), "Mach-O 64-bit arm64");
        assert_eq!(Format::Pe.to_string(), "PE (Windows)");
    }

    #[test]
    fn json_is_for_programs() {
        let json = serde_json::to_value(Platform::elf(Bits::B64, Endian::Little, 62)).unwrap();
        let expected = serde_json::json!({
            "format": "elf", "bits": 64, "endian": "little", "machine": "x86-64",
        });
        assert_eq!(json, expected);
    }

    #[test]
    #[cfg(all(
        target_os = "linux",
        target_arch = "x86_64",
        target_pointer_width = "64"
    ))]
    fn this_host_is_known() {
        assert_eq!(
            Platform::host(),
            Platform::elf(Bits::B64, Endian::Little, 62)
        );
    }
}
