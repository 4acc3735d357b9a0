#!/usr/bin/env python3
"""What `meson install` puts where, against the list that is committed; and an installed lud finds its things there.

usage: install_test.py BUILD LIST
"""
import functools
import json
import os
import re
import subprocess
import sys
import tempfile

BUILD, LIST = sys.argv[1:]


@functools.cache
def prefix():
    out = subprocess.run(['meson', 'introspect', '--buildoptions', BUILD], capture_output=True, text=True, check=True).stdout
    return next(o['value'] for o in json.loads(out) if o['name'] == 'prefix')


def pages():
    """Every manual page that is written is installed, with no list of its own."""
    for name in os.listdir(os.path.join(os.path.dirname(LIST), '../docs/man')):
        page, end = os.path.splitext(name)
        if end == '.scd':
            yield f'share/man/man{page[-1]}/{page}'


def installed(top):
    """Every file below a directory, a kit as one line."""
    found = set()
    for place, _, names in os.walk(top):
        found |= {re.sub(r'(\.kit/).*', r'\1', os.path.relpath(os.path.join(place, n), top)) for n in names}
    return found


def test_list(root):
    """All that is in the list and nothing else, readable for everybody."""
    with open(LIST, encoding='utf-8') as f:
        wanted = {line.strip() for line in f if line.strip() and not line.startswith('#')} | set(pages())
    found = installed(root + prefix())
    assert found == wanted, f'missing: {sorted(wanted - found)}; too much: {sorted(found - wanted)}'
    assert len(installed(root)) == len(found), 'something lies outside of the prefix'
    for place, _, names in os.walk(root + prefix()):
        for name in names:
            mode = os.stat(os.path.join(place, name)).st_mode & 0o777
            assert mode & 0o444 == 0o444 and not mode & 0o022, f'{place}/{name} is of mode {mode:o}'


def test_defaults(root):
    """What an installed lud takes where nobody configures anything is what was installed."""
    lud = os.path.join(root + prefix(), 'sbin/lud')
    out = subprocess.run([lud, '--print-config'], capture_output=True, text=True, check=True).stdout
    values = dict(re.findall(r'^ *(\w+): (.*)$', out, re.M))
    assert os.path.isfile(root + values['kernel']), values['kernel']
    for program in ('luforge', 'lusign'):
        assert values[program] == program and os.access(f'{root}{prefix()}/bin/{program}', os.X_OK), values[program]
    for service in values['services'].split():
        assert os.path.isfile(f'{root}{prefix()}/lib/samsara/kits/{service}.kit/manifest'), service


def test_sample(root):
    """The sample configuration is good as it is, and with all of it taken in."""
    lud, sample = os.path.join(root + prefix(), 'sbin/lud'), f'{root}{prefix()}/share/doc/samsara/examples/lud.yaml'
    with open(sample, encoding='utf-8') as f:
        text = f.read()
    whole = os.path.join(root, 'whole.yaml')
    with open(whole, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'^#(?! )', '', text.replace('\n#  ', '\n  '), flags=re.M))
    for path in (sample, whole):
        done = subprocess.run([lud, '--check-config', '--config', path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    with open(whole, encoding='utf-8') as f:
        assert len(re.findall(r'^\s*[\w/]+:', f.read(), re.M)) > 8


def main():
    with tempfile.TemporaryDirectory() as root:
        subprocess.run(['meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', root], check=True,
                       stdout=subprocess.DEVNULL)
        for test in (test_list, test_defaults, test_sample):
            test(root)
            print('ok', test.__name__)


if __name__ == '__main__':
    main()
