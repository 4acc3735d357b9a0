"""Symbols and segments of a kernel's file, as it was linked or moved (forge/kernel)."""

import pathlib
import struct

LOAD = 1
# An ELF note of the linker: sizes, type, name.
BUILD_ID = b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0"


def build_id(path):
    """By which a kernel is known, as it stands in its file."""
    _, note, rest = pathlib.Path(path).read_bytes().partition(BUILD_ID)
    return rest[:20].hex() if note else None


class Kernel:
    def __init__(self, path):
        self.file = pathlib.Path(path).read_bytes()
        # (address, address in RAM, offset, bytes in the file, bytes)
        self.segments = list(self._segments())
        self.symbols = dict(self._symbols())

    def _segments(self):
        at, = struct.unpack_from("<Q", self.file, 32)
        n, = struct.unpack_from("<H", self.file, 56)
        for i in range(n):
            kind, _, offset, va, pa, filled, size = struct.unpack_from("<IIQQQQQ", self.file, at + 56 * i)
            if kind == LOAD:
                yield va, pa, offset, filled, size

    def sections(self):
        at, = struct.unpack_from("<Q", self.file, 40)
        n, = struct.unpack_from("<H", self.file, 60)
        return [struct.unpack_from("<IIQQQQIIQQ", self.file, at + 64 * i) for i in range(n)]

    def _symbols(self):
        sections = self.sections()
        table = next(s for s in sections if s[1] == 2)
        strings = sections[table[6]][4]
        for at in range(table[4], table[4] + table[5], 24):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", self.file, at)
            end = self.file.index(b"\0", strings + name)
            yield self.file[strings + name:end].decode(), value

    def index(self, symbol):
        """Its number in the table."""
        return [name for name, _ in self._symbols()].index(symbol)

    def offset(self, va):
        """Where in the file the byte at an address is."""
        return next(va - s[0] + s[2] for s in self.segments if s[0] <= va < s[0] + s[3])

    def ram(self):
        """The first address of the image in RAM, and the one behind it."""
        return min(s[1] for s in self.segments), max(s[1] + s[4] for s in self.segments)

    def name(self, va):
        """The symbol that an address belongs to: the last one at or before it."""
        return max((value, name) for name, value in self.symbols.items() if 0 < value <= va)[1]
