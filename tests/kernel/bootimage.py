#!/usr/bin/env python3
"""Boot images for kernel suites: two statically linked programs instead of VM and RS.

    bootimage.py OUT CMDLINE NAME=ELF...

Kernel suites run before any service, signature or state description exists, so their
programs are linked at fixed addresses and packed here. The layouts are those of
proto/image/image.h. Everything else that boots is made by luforge.
"""

import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../proto/py'))
import formats  # noqa: E402

PAGE = 4096
IMAGE_HEADER = struct.Struct("<8sIIQ24sQQIIQQ32sQ")
IMAGE_SEGMENT = struct.Struct("<QQQQII")
BOOT_HEADER = struct.Struct("<8sIIQIIQ16s64sQQQQ32sQ256s")
BOOT_ENTRY = struct.Struct("<24sIIQQQQQQQQQQQQ")
KIND_SERVICE, KERNEL_LOADED = 1, 1


def page_up(n):
    return (n + PAGE - 1) & ~(PAGE - 1)


def elf_segments(elf):
    """Return (entry, [(vaddr, mem_size, prot, bytes)]) of a static ELF."""
    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    phentsize, phnum = struct.unpack_from("<HH", elf, 54)
    segments = []
    for at in range(phoff, phoff + phnum * phentsize, phentsize):
        kind, flags, off, vaddr, _, filesz, memsz, _ = struct.unpack_from("<IIQQQQQQ", elf, at)
        if kind != 1 or memsz == 0:
            continue
        if vaddr % PAGE:
            raise SystemExit("segment at %#x is not page aligned" % vaddr)
        prot = (1 if flags & 4 else 0) | (2 if flags & 2 else 0) | (4 if flags & 1 else 0)
        segments.append((vaddr, page_up(memsz), prot, elf[off:off + filesz]))
    return entry, segments


def payload(name, elf):
    entry, segments = elf_segments(elf)
    base = segments[0][0] & ~((2 << 20) - 1)
    end = segments[-1][0] + segments[-1][1]
    offset = page_up(IMAGE_HEADER.size + IMAGE_SEGMENT.size * len(segments))
    symbols_off = IMAGE_HEADER.size + IMAGE_SEGMENT.size * len(segments)
    table, body = b"", b""
    for vaddr, mem_size, prot, data in segments:
        at = offset + len(body)
        table += IMAGE_SEGMENT.pack(vaddr, mem_size, at, len(data), prot, 0)
        body += data + bytes(page_up(len(data)) - len(data))

    def build(build_id):
        head = IMAGE_HEADER.pack(b"SAMIMG1", formats.IMAGE, IMAGE_HEADER.size, offset + len(body),
                                 name.encode(), base, entry, len(segments), 0,
                                 IMAGE_HEADER.size, symbols_off, build_id, end - base)
        return (head + table).ljust(offset, b"\0") + body

    return build(hashlib.blake2b(build(bytes(32))).digest()[:32])


def boot_image(entries, cmdline, seed=b""):
    """entries: [(name, payload)] in slot order, all loaded by the kernel."""
    offset = page_up(BOOT_HEADER.size + BOOT_ENTRY.size * len(entries))
    # A service must have a manifest; the kernel does not read it.
    manifest = b"none"
    table, body = b"", manifest.ljust(PAGE, b"\0")
    for name, data in entries:
        table += BOOT_ENTRY.pack(name.encode(), KIND_SERVICE, KERNEL_LOADED,
                                 offset, len(manifest), 0, 0, 0, 0,
                                 offset + len(body), len(data), 0, 0, 1, 0)
        body += data + bytes(page_up(len(data)) - len(data))
    head = BOOT_HEADER.pack(b"SAMBOOT", formats.BOOT, BOOT_HEADER.size, offset + len(body), len(entries), 0,
                            BOOT_HEADER.size, b"kernel-suite", bytes(64), 0, 0, 0, 0,
                            hashlib.sha256(seed).digest(), 1700000000, cmdline.encode())
    return (head + table).ljust(offset, b"\0") + body


def main():
    out, cmdline, *programs = sys.argv[1:]
    entries = []
    for program in programs:
        name, path = program.split("=", 1)
        with open(path, "rb") as f:
            entries.append((name, payload(name, f.read())))
    with open(out, "wb") as f:
        f.write(boot_image(entries, cmdline))


if __name__ == "__main__":
    main()
