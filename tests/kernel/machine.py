"""Boots a kernel with bare programs (osd/suites/bare) through tools/run; hands its log out line by line."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

import bootimage

RUN = pathlib.Path(__file__).resolve().parent.parent.parent / "tools" / "run"
EXIT_TIMEOUT = 124
# Of what a run draws at random.
SEED = int(os.environ.get("SAMSARA_SEED", "1"))


class Machine:
    """One run. Lines of the debug console come from lines(); exit_code is set when they end."""

    def __init__(self, kernel, programs, cmdline, timeout, icount=False, options=()):
        self.exit_code = None
        self._image = tempfile.NamedTemporaryFile(prefix="boot-", suffix=".img")
        entries = []
        for name, path in programs:
            with open(path, "rb") as f:
                entries.append((name, bootimage.payload(name, f.read())))
        self._image.write(bootimage.boot_image(entries, cmdline, hashlib.sha256(b"%d" % SEED).digest()))
        self._image.flush()
        command = [str(RUN), self._image.name, "--kernel", kernel, "--timeout", str(timeout), *options]
        self._process = subprocess.Popen(command + (["--icount"] if icount else []),
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT)

    def qemu(self):
        """The process of the machine itself; None: not started yet."""
        with open("/proc/{0}/task/{0}/children".format(self._process.pid), encoding="ascii") as f:
            children = f.read().split()
        return int(children[0]) if children else None

    def end(self):
        """End it early."""
        self._process.terminate()
        self._process.wait()

    def lines(self):
        for line in self._process.stdout:
            yield line.decode("utf-8", "replace").rstrip("\r\n")
        self.exit_code = self._process.wait()
        self._process.stdout.close()
        self._image.close()
