#!/usr/bin/env python3
"""The units, users and directories of an installed lud, as systemd's own programs judge them. Nothing of this machine is
changed: what would be made is made below a directory of the test.

usage: units_test.py BUILT SOURCE CATALOG      (directories: units with their paths filled in, and the rest; a file)
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILT, SOURCE, CATALOG = sys.argv[1:]
# Of ten, ten being no protection at all: systemd-analyze(1), security.
EXPOSURE_MAX = 2.0
UNITS = {'lud.service': BUILT, 'lud-backup.service': BUILT, 'lud.socket': SOURCE, 'lud-backup.timer': SOURCE}


def run(*argv, ok=True):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert not ok or done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
    return done


def slurp(directory, name):
    with open(os.path.join(directory, name), encoding='utf-8') as f:
        return f.read()


def units_copy(place):
    """Where a program that is there stands for each that an installed system has."""
    for name, directory in UNITS.items():
        with open(os.path.join(place, name), 'w', encoding='utf-8') as f:
            f.write(re.sub(r'^(Exec\w+=)\S+', r'\1/bin/sh', slurp(directory, name), flags=re.M))
    return [os.path.join(place, name) for name in UNITS]


def test_verify(top):
    """No unit has a key or a value that systemd does not know, or refers to something that is not there."""
    paths = units_copy(top)
    done = run('systemd-analyze', 'verify', '--man=no', *paths)
    ours = [line for line in done.stderr.split('\n') if 'lud' in line]
    assert not ours, ours
    with open(paths[0], 'a', encoding='utf-8') as f:
        f.write('[Service]\nProtectSystem=verily\n')
    assert 'verily' in run('systemd-analyze', 'verify', '--man=no', paths[0], ok=False).stderr


def test_security(top):
    """What is left open to who takes lud over is little; without the lines that see to it, it is much."""
    for path in units_copy(top)[:2]:
        run('systemd-analyze', 'security', '--offline=true', f'--threshold={EXPOSURE_MAX * 10:.0f}', path)
        with open(path, encoding='utf-8') as f:
            text = f.read()
        with open(path, 'w', encoding='utf-8') as f:
            f.write(re.sub(r'^(Private\w+|Restrict\w+|SystemCall\w+)=.*$', '', text, flags=re.M))
        assert run('systemd-analyze', 'security', '--offline=true', f'--threshold={EXPOSURE_MAX * 10:.0f}', path,
                   ok=False).returncode


def test_promises(_):
    """What lud(8) promises of a unit: machines outlive lud, its readiness and its loop are watched."""
    unit = slurp(BUILT, 'lud.service')
    for line in ('Type=notify', 'KillMode=process', 'OOMPolicy=continue', 'Restart=on-failure'):
        assert f'\n{line}\n' in unit, line
    assert re.search(r'\nWatchdogSec=\d+s\n', unit)
    assert '@' not in re.sub(r'@[a-z-]+\b(?!@)', '', unit), 'a path was not filled in'


def test_users(top):
    """The users that lud looks for (orchestrator/lud/start.c), without a home and a shell."""
    conf = os.path.join(SOURCE, 'sysusers.conf')
    if os.geteuid():
        run('systemd-sysusers', '--dry-run', conf)
        return
    os.mkdir(os.path.join(top, 'etc'))
    run('systemd-sysusers', f'--root={top}', conf)
    made = dict(line.split(':', 1) for line in slurp(top, 'etc/passwd').split('\n') if line)
    assert set(made) == {'samsara-signer', 'samsara-forge'}, made
    assert all(rest.endswith('/nologin') for rest in made.values()), made


def test_directories(top):
    """Directories of keys and record, of which those with secrets are root's alone."""
    if os.geteuid():
        print('# not root: directories are not made')
        return
    run('systemd-tmpfiles', f'--root={top}', '--create', os.path.join(SOURCE, 'tmpfiles.conf'))
    modes = {path: os.stat(top + path).st_mode & 0o777
             for path in ('/etc/samsara', '/var/lib/samsara', '/var/backups/samsara')}
    assert modes == {'/etc/samsara': 0o755, '/var/lib/samsara': 0o700, '/var/backups/samsara': 0o700}, modes


def test_catalog(top):
    """The journal knows every message, by an id that no other has, and what to do about it."""
    os.makedirs(os.path.join(top, 'usr/lib/systemd/catalog'))
    shutil.copy(CATALOG, os.path.join(top, 'usr/lib/systemd/catalog'))
    run('journalctl', f'--root={top}', '--update-catalog')
    listed = run('journalctl', f'--root={top}', '--list-catalog').stdout
    ids = re.findall(r'^MESSAGE\(\w+, "([0-9a-f]{32})"', slurp(SOURCE, '../host/base/messages.def'), re.M)
    assert len(set(ids)) == len(ids) > 15
    assert {line.split()[0] for line in listed.split('\n') if 'Samsara' in line} == set(ids), listed


def main():
    for test in (test_verify, test_security, test_promises, test_users, test_directories, test_catalog):
        with tempfile.TemporaryDirectory() as top:
            test(top)
        print('ok', test.__name__)


if __name__ == '__main__':
    main()
