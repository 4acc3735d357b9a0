"""Boots a kernel with a boot image under QEMU and hands its log out line by line."""

import os
import select
import subprocess
import tempfile
import time

import bootimage

EXIT_TIMEOUT = "timeout"


def command(kernel, image, icount):
    args = ["qemu-system-x86_64", "-M", "microvm,pit=on,pic=on,rtc=off,isa-serial=on", "-cpu", "max",
            "-m", "128M", "-no-reboot", "-nodefaults", "-no-user-config", "-display", "none",
            "-serial", "null", "-debugcon", "stdio",
            "-global", "virtio-mmio.force-legacy=false",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-kernel", kernel, "-initrd", image]
    if icount:
        args += ["-icount", "shift=0"]
    return args


class Machine:
    """One run of a kernel. Lines of the debug console come from lines(); then exit_code is set."""

    def __init__(self, kernel, programs, cmdline, timeout, icount=False):
        self.deadline = time.monotonic() + timeout
        self.exit_code = None
        self._image = tempfile.NamedTemporaryFile(prefix="boot-", suffix=".img")
        entries = []
        for name, path in programs:
            with open(path, "rb") as f:
                entries.append((name, bootimage.payload(name, f.read())))
        self._image.write(bootimage.boot_image(entries, cmdline, os.urandom(32)))
        self._image.flush()
        self._process = subprocess.Popen(command(kernel, self._image.name, icount),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)

    def lines(self):
        pending = b""
        fd = self._process.stdout.fileno()
        while True:
            left = self.deadline - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                self._end(EXIT_TIMEOUT)
                return
            data = os.read(fd, 65536)
            if not data:
                break
            pending += data
            *whole, pending = pending.split(b"\n")
            for line in whole:
                yield line.decode("utf-8", "replace").rstrip("\r")
        if pending:
            yield pending.decode("utf-8", "replace")
        self._end(None)

    def _end(self, code):
        if code == EXIT_TIMEOUT:
            self._process.kill()
        status = self._process.wait()
        # isa-debug-exit ends QEMU with (value << 1) | 1.
        self.exit_code = code if code else (status >> 1 if status & 1 else -1)
        self._process.stdout.close()
        self._image.close()
