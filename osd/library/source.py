"""Source packages: where they are kept, which version is meant, and whether what is there is what Debian published.

They are kept outside of the checkout, so that all checkouts of a user share them: in $SAMSARA_SOURCES, or else
samsara/sources below $XDG_CACHE_HOME (~/.cache). A package is a .dsc file and the archives that it names, with their
SHA-256; the names hold the version, so versions lie side by side. The .dsc itself was checked by apt, against the
signed index of its repository, when fetch.py took it, and is compared with table.py at each use, as what is beside it
is with the .dsc: who alters both in a cache is found out.
"""
import hashlib
import os
import re
import subprocess
from typing import NamedTuple

from table import PUBLISHED


class Missing(Exception):
    """Something is not there, or not as it must be; the text says what to do."""


class Package(NamedTuple):
    name: str
    version: str

    @property
    def dsc(self):
        """File names leave the epoch out."""
        return f'{self.name}_{self.version.split(":")[-1]}.dsc'


def directory():
    cache = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return os.environ.get('SAMSARA_SOURCES') or os.path.join(cache, 'samsara', 'sources')


def installed(dev):
    """The source package that the installed package was made from."""
    run = subprocess.run(['dpkg-query', '-W', '-f', '${db:Status-Status} ${source:Package} ${source:Version}', dev],
                         capture_output=True, text=True)
    status, *words = run.stdout.split() or ['absent']
    if run.returncode != 0 or status != 'installed':
        raise Missing(f'the package {dev} is not installed; run tools/deps')
    return Package(*words)


def sha256(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def parts(dsc_text):
    """{file name: SHA-256} of a .dsc file. Names are file names, whatever it says."""
    section = re.search(r'^Checksums-Sha256:\n((?: .*\n)+)', dsc_text, re.M)
    rows = re.findall(r'^ ([0-9a-f]{64}) \d+ ([\w.+~-]+)$', section.group(1), re.M) if section else []
    return {name: digest for digest, name in rows}


def check(package, where):
    """The SHA-256 of its .dsc if the package lies there whole and unaltered, else Missing."""
    path = os.path.join(where, package.dsc)
    remedy = f'remove it from {where} and run tools/deps'
    if not os.path.isfile(path):
        raise Missing(f'the source package {package.name} {package.version} is not in {where}; run tools/deps')
    with open(path, 'rb') as f:
        data = f.read()
    digest = hashlib.sha256(data).hexdigest()
    if PUBLISHED.get(package.dsc, digest) != digest:
        raise Missing(f'{package.dsc} is not the one that osd/library/table.py names; {remedy}')
    text = data.decode('utf-8', 'replace')
    named = dict(re.findall(r'^(Source|Version): (\S+)$', text, re.M))
    if named != {'Source': package.name, 'Version': package.version} or not parts(text):
        raise Missing(f'{package.dsc} is not the description of {package.name} {package.version}; {remedy}')
    for name, expect in parts(text).items():
        part = os.path.join(where, name)
        if not os.path.isfile(part):
            raise Missing(f'{name} is not in {where}; run tools/deps')
        if sha256(part) != expect:
            raise Missing(f'{name} is not what {package.dsc} says; {remedy}')
    return digest
