#!/usr/bin/env python3
"""Does tools/deps wait for a busy package system? The real apt-get, on a private directory in which everything is
installed already; the locks are held by this program.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOLD_SECONDS = 1.5
# What makes every package missing for tools/deps, and the private apt need no rights. The sources of libraries, which
# are there since the build needs them, are looked up with the real dpkg-query.
FAKES = {'dpkg-query': r'[ "$3" = "\${Status}" ] && echo unknown || exec "%s" "$@"' % shutil.which('dpkg-query'),
         'sudo': 'exec "$@"'}


class Place:
    """A private package system: apt's lists, cache and status file, and an empty list of sources."""

    def __init__(self, top):
        self.top = top
        for d in ('lists/partial', 'cache/archives/partial', 'dpkg/updates', 'dpkg/info', 'bin', 'etc'):
            os.makedirs(os.path.join(top, d))
        self.write_status()
        self.write('etc/sources.list', '')
        self.write('apt.conf', ''.join('%s "%s";\n' % row for row in {
            'Dir::State::Lists': top + '/lists', 'Dir::State::status': top + '/dpkg/status',
            'Dir::State::extended_states': top + '/extended', 'Dir::Cache': top + '/cache',
            'Dir::Etc::SourceList': top + '/etc/sources.list', 'Dir::Etc::SourceParts': '/dev/null',
            'Dir::Etc::Parts': '/dev/null', 'Dir::Log': top, 'APT::Sandbox::User': ''}.items()))
        for name, line in FAKES.items():
            self.write('bin/' + name, '#!/bin/sh\n' + line + '\n')
            os.chmod(os.path.join(top, 'bin', name), 0o755)

    def write(self, name, text):
        with open(os.path.join(self.top, name), 'w') as f:
            f.write(text)

    def write_status(self):
        """A status file in which every package that tools/deps names is installed."""
        with open(os.path.join(TOP, 'tools', 'deps')) as f:
            names = f.read().split('packages="')[1].split('"')[0].split()
        self.write('dpkg/status', ''.join(
            'Package: %s\nStatus: install ok installed\nMaintainer: nobody\nArchitecture: amd64\nVersion: 1\n'
            'Description: test\n\n' % name for name in names))

    def deps(self, wait):
        env = dict(os.environ, APT_CONFIG=self.top + '/apt.conf', SAMSARA_DEPS_WAIT=str(wait),
                   PATH=self.top + '/bin:' + os.environ['PATH'])
        run = subprocess.run([os.path.join(TOP, 'tools', 'deps')], env=env, text=True, timeout=300,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return run.returncode, run.stdout


def hold(path):
    """Take a lock the way apt does; who keeps the file open keeps it."""
    f = open(path, 'w')
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return f


def check_waits(place, lock):
    held = hold(os.path.join(place.top, lock))
    timer = threading.Timer(HOLD_SECONDS, held.close)
    began = time.monotonic()
    timer.start()
    code, said = place.deps(30)
    seconds = time.monotonic() - began
    timer.join()
    assert code == 0 and 'deps: done' in said, f'{lock}: {said}'
    assert seconds >= HOLD_SECONDS, f'{lock}: did not wait, {seconds} s'


def main():
    if shutil.which('apt-get') is None:
        print('no apt-get here')
        return 77
    with tempfile.TemporaryDirectory() as top:
        place = Place(top)
        code, said = place.deps(30)
        assert code == 0 and 'deps: done' in said, said
        check_waits(place, 'lists/lock')
        check_waits(place, 'dpkg/lock-frontend')
        with hold(os.path.join(top, 'lists/lock')):
            code, said = place.deps(0)
            assert code == 1 and 'Could not get lock' in said, said
    print('ok')
    return 0


sys.exit(main())
