#!/usr/bin/env python3
"""The libraries in kits move function by function: no section of an object holds two functions, so a leaked address tells
nothing of neighbours that were linked with it. And the build takes only what Debian published: source packages that are
not there, or altered, are refused with what to do.

usage: osd/library/library_test.py LLVM-READELF KIT...
The objects of NAME.kit, which are not part of it, are beside it in NAME.objects.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

import fetch
import source
from table import LIBRARIES, PUBLISHED

SECTION = re.compile(r'^\s*\[\s*(\d+)\] (\S+)\s+PROGBITS\s+\S+ \S+ ([0-9a-f]+) \S+\s+(\w*X\w*) ', re.M)
SYMBOL = re.compile(r'^\s*\d+: ([0-9a-f]{16})\s+\S+ FUNC\s+\S+\s+\S+\s+(\d+) (\S+)', re.M)


def crowded(readelf, paths):
    """Sections with code that hold functions at more than one address: (path, name, bytes, functions)."""
    said = subprocess.run([readelf, '-SsW', *paths], capture_output=True, text=True, check=True).stdout
    files = re.split(r'^File: (.*)\n', said, flags=re.M)[1:]
    assert len(files) == 2 * len(paths) > 2
    for path, text in zip(files[::2], files[1::2]):
        symbols = SYMBOL.findall(text)
        for number, name, size, _ in SECTION.findall(text):
            functions = {value: function for value, index, function in symbols if index == number}
            if len(functions) > 1:
                yield path, name, int(size, 16), sorted(functions.values())


def check_kit(readelf, kit):
    found = [f'{path}: {name} has {size} bytes with {", ".join(functions)}'
             for path, name, size, functions in crowded(readelf, glob.glob(kit.removesuffix('.kit') + '.objects/[0-9]*'))]
    assert not found, '\n'.join(found)


def refused(package, where, *words):
    """It is Missing, and the error has these words."""
    try:
        source.check(package, where)
    except source.Missing as e:
        assert all(w in str(e) for w in (*words, 'run tools/deps')), e
        return
    raise AssertionError(f'{package} passed in {where}')


def check_forged(package, where, name):
    """An archive that is another one, and a description that says so."""
    path = os.path.join(where, package.dsc)
    before = source.sha256(os.path.join(where, name))
    with open(os.path.join(where, name), 'ab') as f:
        f.write(b'more')
    with open(path, encoding='utf-8') as f:
        text = f.read()
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text.replace(before, source.sha256(os.path.join(where, name))))
    refused(package, where, package.dsc, 'is not the one')
    for file in (name, package.dsc):
        shutil.copy(os.path.join(source.directory(), file), where)
    source.check(package, where)


def check_sources(package):
    """What of a package may not be there, or not as it is."""
    with open(os.path.join(source.directory(), package.dsc), encoding='utf-8') as f:
        parts = source.parts(f.read())
    assert len(parts) >= 2 and len(source.check(package, source.directory())) == 64
    with tempfile.TemporaryDirectory() as where:
        refused(package, where, package.name, package.version, 'is not in')
        shutil.copy(os.path.join(source.directory(), package.dsc), where)
        for name in parts:
            refused(package, where, 'is not in')
            shutil.copy(os.path.join(source.directory(), name), where)
        source.check(package, where)
        refused(package._replace(version=package.version + '9'), where, 'is not in')
        for name in parts:
            path = os.path.join(where, name)
            with open(path, 'r+b') as f:
                byte = f.read(1)
                f.seek(0)
                f.write(bytes([byte[0] ^ 1]))
            refused(package, where, name, 'is not what')
            shutil.copy(os.path.join(source.directory(), name), where)
        if package.dsc in PUBLISHED:
            check_forged(package, where, next(iter(parts)))
        other = os.path.join(where, package._replace(version='0').dsc)
        shutil.copy(os.path.join(where, package.dsc), other)
        refused(package._replace(version='0'), where, 'is not the description of')


def check_repositories():
    """Both forms of apt's lists ask for sources; nothing else of them changes."""
    new = 'Types: deb\nURIs: mirror:x\nSuites: s\nSigned-By: k\n\nTypes: deb deb-src\nURIs: y\n'
    assert fetch.of_sources('a.sources', new) == new.replace('Types: deb\n', 'Types: deb-src\n').replace(
        'deb deb-src', 'deb-src')
    old = '# deb no\ndeb [signed-by=k] x s main\ndeb-src x s main\n  deb y s main contrib\n'
    assert fetch.of_sources('a.list', old) == 'deb-src [signed-by=k] x s main\ndeb-src y s main contrib\n'


def main():
    readelf, *kits = sys.argv[1:]
    for kit in kits:
        check_kit(readelf, kit)
    for library in LIBRARIES.values():
        if library.files:
            check_sources(source.installed(library.dev))
    check_repositories()


if __name__ == '__main__':
    main()
