#!/usr/bin/env python3
"""Fetches the source packages of the machine's libraries, in the versions of the installed headers. tools/deps runs it.

What is there already is left alone, without the network. apt fetches from where this machine gets its packages: its
own lists of repositories are copied, asking for sources, into a temporary directory; nothing of the system is changed,
and no privilege is needed. Files get their names in the cache only when all of a package is there and right, the .dsc
last, so that several may fetch at once and none finds half a package.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import source
from table import LIBRARIES

OPTIONS = '''
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{0}/repositories";
Dir::State::Lists "{0}/lists";
Dir::Cache "{0}/cache";
APT::Sandbox::User "root";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
'''


def missing():
    """Source packages that are not in the cache as they must be."""
    for library in LIBRARIES.values():
        package = source.installed(library.dev)
        try:
            if library.files:
                source.check(package, source.directory())
        except source.Missing:
            yield package


def of_sources(path, text):
    """A list of repositories, in either form, with each that has packages asked for sources."""
    if path.endswith('.sources'):
        return re.sub(r'^Types:.*', 'Types: deb-src', text, flags=re.M | re.I)
    return ''.join('deb-src ' + line + '\n' for line in re.findall(r'^\s*deb\s+(.*)$', text, re.M))


def repositories():
    """Files that say where this machine gets its packages."""
    out = subprocess.run(['apt-config', 'shell', 'LIST', 'Dir::Etc::sourcelist/f', 'PARTS', 'Dir::Etc::sourceparts/d'],
                         capture_output=True, text=True, check=True).stdout
    found = dict(re.findall(r"^(\w+)='(.*)'$", out, re.M))
    parts = found.get('PARTS', '')
    names = sorted(os.listdir(parts)) if os.path.isdir(parts) else []
    paths = [found.get('LIST', '')] + [os.path.join(parts, n) for n in names if n.endswith(('.list', '.sources'))]
    return [p for p in paths if os.path.isfile(p)]


def apt_prepare(work):
    for name in ('repositories', 'lists/partial', 'cache/archives/partial', 'new'):
        os.makedirs(os.path.join(work, name))
    for path in repositories():
        with open(path, encoding='utf-8') as f:
            text = of_sources(path, f.read())
        with open(os.path.join(work, 'repositories', os.path.basename(path)), 'w', encoding='utf-8') as f:
            f.write(text)
    with open(os.path.join(work, 'options'), 'w', encoding='utf-8') as f:
        f.write(OPTIONS.format(work))


def apt_get(work, *words):
    """(exit status, what it said). A repository without sources is no reason to stop: others may have them."""
    run = subprocess.run(['apt-get', '-q', '-c', os.path.join(work, 'options'), *words], cwd=os.path.join(work, 'new'),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         env={**os.environ, 'LC_ALL': 'C'})
    return run.returncode, run.stdout


def keep(package, new):
    where = source.directory()
    source.check(package, new)
    with open(os.path.join(new, package.dsc), encoding='utf-8') as f:
        names = [*source.parts(f.read()), package.dsc]
    for name in names:
        os.replace(os.path.join(new, name), os.path.join(where, name))


def fetch(packages, work):
    apt_prepare(work)
    _, said_update = apt_get(work, 'update')
    for package in packages:
        status, said = apt_get(work, 'source', '--download-only', f'{package.name}={package.version}')
        if status != 0:
            raise source.Missing(
                f'{said_update}{said}deps: there is no source package {package.name} {package.version} where this '
                'machine gets its packages; if they have a newer one, upgrade the packages made from it '
                '(apt-get install --only-upgrade) and run tools/deps again')
        keep(package, os.path.join(work, 'new'))


def main():
    packages = list(missing())
    if not packages:
        return
    where = source.directory()
    os.makedirs(where, exist_ok=True)
    print(f'deps: fetching the sources of {", ".join(" ".join(p) for p in packages)} into {where}', flush=True)
    # Beside where they go: a rename is one step only within a file system.
    work = tempfile.mkdtemp(prefix='.fetch-', dir=where)
    try:
        fetch(packages, work)
    finally:
        shutil.rmtree(work)


if __name__ == '__main__':
    try:
        main()
    except (source.Missing, OSError) as e:
        sys.exit(f'deps: {e}')
