//! A library that has a name of its own, and nothing in it but the name of another -> the other goes by both names.
//!
//! The loader knows libraries by the names they give themselves, one each. FFmpeg asks for `libcuda.so.1` and
//! `libnvcuvid.so.1`; what it looks for in them is then found in the library that they need. ELF, 64 bits, little-endian.

/// Where the parts lie in the file, and in memory as well.
const DYNAMIC: u64 = 64 + 3 * 56;
const HASH: u64 = DYNAMIC + 8 * 16;
const SYMBOLS: u64 = HASH + 16;
const STRINGS: u64 = SYMBOLS + 24;

/// The bytes of such a library.
pub(crate) fn library(name: &str, needed: &str) -> Vec<u8> {
    let strings = format!("\0{name}\0{needed}\0");
    let length = STRINGS + strings.len() as u64;
    let mut bytes = header();
    // Loadable, readable and writable, as the loader notes in it where things are; the table of what follows; no stack that
    // could be executed.
    bytes.extend(segment(1, 6, 0, length, 4096));
    bytes.extend(segment(2, 6, DYNAMIC, HASH - DYNAMIC, 8));
    bytes.extend(segment(0x6474_e551, 6, 0, 0, 16));
    let needed_at = 2 + name.len() as u64;
    // DT_NEEDED, DT_SONAME, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, DT_NULL.
    let entries =
        [(1, needed_at), (14, 1), (4, HASH), (5, STRINGS), (6, SYMBOLS), (10, strings.len() as u64), (11, 24), (0, 0)];
    bytes
        .extend(entries.iter().flat_map(|(tag, value): &(u64, u64)| [tag.to_le_bytes(), value.to_le_bytes()].concat()));
    // A table of symbols with the one that every table has, and no name that leads to it.
    bytes.extend([1_u32, 1, 0, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend([0; 24]);
    bytes.extend(strings.as_bytes());
    bytes
}

fn header() -> Vec<u8> {
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend([3_u16, machine].iter().flat_map(|half| half.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    // No entry; segments behind this header; no sections.
    bytes.extend([0_u64, 64, 0].iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, 3, 64, 0, 0].iter().flat_map(|half| half.to_le_bytes()));
    bytes
}

fn segment(kind: u32, flags: u32, at: u64, length: u64, aligned: u64) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), flags.to_le_bytes()].concat();
    bytes.extend([at, at, at, length, length, aligned].iter().flat_map(|word| word.to_le_bytes()));
    bytes
}
