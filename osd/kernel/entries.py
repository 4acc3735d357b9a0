#!/usr/bin/env python3
"""Has every function of the kernel room in front of its entry?

    entries.py KERNEL STAMP

Five bytes of `nop`, which a jump to a patched function fits into, and which nothing runs: a short jump over the first
bytes of the entry leads there. The functions of assembly below
cannot be patched so. Fails the build, with the names.
"""
import pathlib
import struct
import sys

ROOM = b"\x90" * 5
# Entry and exit: their stack, and what they leave in registers, is not that of a function.
ASSEMBLY = {"context_resume", "entry_syscall", "entry_syscall_plain", "entry_wait", "idle_wait", "trap_common", "trap_fatal_common"}
FUNCTION, SYMBOLS, LEAST = 2, 2, 200


def functions(elf):
    """Name, and the bytes in front of it."""
    at, = struct.unpack_from("<Q", elf, 40)
    n, = struct.unpack_from("<H", elf, 60)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, at + 64 * i) for i in range(n)]
    table = next(s for s in sections if s[1] == SYMBOLS)
    strings = sections[table[6]][4]
    for symbol in range(table[4], table[4] + table[5], 24):
        name, info, _, section, value, _ = struct.unpack_from("<IBBHQQ", elf, symbol)
        if info & 15 == FUNCTION:
            entry = sections[section][4] + value - sections[section][3]
            yield elf[strings + name:elf.index(b"\0", strings + name)].decode(), elf[entry - len(ROOM):entry]


def main():
    all_of_them = dict(functions(pathlib.Path(sys.argv[1]).read_bytes()))
    without = {name for name, before in all_of_them.items() if before != ROOM}
    if without - ASSEMBLY or len(all_of_them) < LEAST:
        sys.exit("entries.py: %d functions; these have no room in front of their entry (of assembly? then ASSEMBLY): %s" % (
            len(all_of_them), " ".join(sorted(without - ASSEMBLY))))
    pathlib.Path(sys.argv[2]).write_text("%d\n" % len(all_of_them), encoding="ascii")


main()
