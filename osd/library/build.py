#!/usr/bin/env python3
"""Makes one library for the machine, from its Debian source package.

usage: osd/library/build.py LIBRARY OUT LLVM-BIN COMPILER ARGUMENT...

OUT/LIBRARY is the archive, OUT/LIBRARY.source one line of what it was made from, which `luforge kit` writes into the
recipes of kits. The sources are unpacked with Debian's patches and compiled as they are: COMPILER and its arguments are
those of services, so that each function and each object gets a section of its own and layouts can move it alone.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import source
from table import LIBRARIES

# No state of a library is transferred: no debug data, and a static variable that turns out to be a constant is one.
OWN_FLAGS = ['-g0', '-fno-keep-persistent-storage-variables', '-w']


def run(command, **more):
    made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if made.returncode != 0:
        sys.exit(f'{" ".join(command)}\n{made.stdout}library: {command[0]} failed')


def take(package, work):
    """Copy a package here, and judge the copy: who writes to the cache meanwhile changes nothing. SHA-256 of its .dsc."""
    source.check(package, source.directory())
    with open(os.path.join(source.directory(), package.dsc), encoding='utf-8') as f:
        names = [package.dsc, *source.parts(f.read())]
    for name in names:
        shutil.copy(os.path.join(source.directory(), name), work)
    return source.check(package, work)


def unpack(package, work, tree):
    """dpkg-source applies Debian's patches."""
    run(['dpkg-source', '--require-strong-checksums', '--no-copy', '-x', os.path.join(work, package.dsc), tree])


def compile_file(library, tree, path, compiler):
    """Relative to the tree, whose own name must not reach an assertion's text. The object's path."""
    made = os.path.join(os.path.dirname(tree), os.path.basename(path)[:-len('.c')] + '.o')
    if os.path.exists(made):
        sys.exit(f'library: two files are named {os.path.basename(path)}: members need names of their own')
    run([*compiler, *OWN_FLAGS, *library.flags, '-c', path, '-o', made], cwd=tree)
    return made


def make(library, package, out, llvm, compiler):
    """The archive; SHA-256 of the .dsc that it was made from."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as work:
        tree = os.path.join(work, 'tree')
        digest = take(package, work)
        unpack(package, work, tree)
        made = [compile_file(library, tree, path, compiler) for path in library.files]
        for path in made:
            for name in library.constant:
                run([os.path.join(llvm, 'llvm-objcopy'), '--rename-section',
                     f'.data.{name}=.data.rel.ro.{name}', path])
        archive = os.path.join(work, 'archive')
        run([os.path.join(llvm, 'llvm-ar'), 'crsD', archive, *made])
        os.replace(archive, out)
    return digest


def main():
    name, directory, llvm, *compiler = sys.argv[1:]
    library = LIBRARIES[name]
    out = os.path.abspath(os.path.join(directory, name))
    package = source.installed(library.dev)
    origin = f'{package.name} {package.version}'
    if library.prebuilt:
        shutil.copyfile(library.prebuilt, out)
        origin += ' prebuilt'
    else:
        origin += ' ' + make(library, package, out, llvm, compiler)
    with open(out + '.source', 'w', encoding='ascii') as f:
        f.write(origin + '\n')


if __name__ == '__main__':
    try:
        main()
    except (source.Missing, OSError) as e:
        sys.exit(f'library: {e}')
