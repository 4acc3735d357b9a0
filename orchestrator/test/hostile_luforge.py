#!/usr/bin/env python3
"""Luforge as somebody has taken it over. It tries what a worker must not be able to do,
writes how each attempt ended to a report, leaves bait where lud looks for its work, and
waits while the test looks at it. The harness writes the test's directory for @WORLD@."""

import ctypes
import errno
import glob
import json
import os
import resource
import signal
import socket
import sys
import time

WORLD = '@WORLD@'
LIMITS = ('CORE', 'NOFILE', 'AS', 'FSIZE', 'CPU')
LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_TRACEME, CLONE_NEWUSER = 0, 0x10000000


def libc(call, *args):
    if call(*args) < 0:
        raise OSError(ctypes.get_errno(), 'libc')


def connect(family, address):
    with socket.socket(family) as sock:
        sock.settimeout(1)
        sock.connect(address)


def clone():
    """A child in a user's name space of its own, past the C library."""
    pid = LIBC.syscall(56, CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), 'clone')
    os.waitpid(pid, 0)


def attempts(lud, state, keys):
    for name in keys:
        path = '%s/keys/%s' % (WORLD, name)
        yield 'key ' + name, lambda path=path: open(path, 'rb').read(1)
    yield 'database', lambda: open(state + '/lud.db', 'rb').read(1)
    yield 'state directory', lambda: os.listdir(state)
    yield 'variants', lambda: os.listdir(state + '/variants')
    yield 'other benches', lambda: os.listdir('..')
    yield 'memory of lud', lambda: open('/proc/%d/mem' % lud, 'rb').read(1)
    yield 'descriptors of lud', lambda: os.listdir('/proc/%d/fd' % lud)
    yield 'signal', lambda: os.kill(lud, 0)
    yield 'trace', lambda: libc(LIBC.ptrace, PTRACE_TRACEME, 0, 0, 0)
    yield 'add to store', lambda: open('/proc/self/fd/3/new', 'w')
    for kit in glob.glob('/proc/self/fd/3/*.kit'):
        yield 'change kit', lambda kit=kit: open(kit + '/files', 'a')
        yield 'take kit', lambda kit=kit: os.rename(kit, 'taken')
    yield 'control socket', lambda: connect(socket.AF_UNIX, state + '/lud.sock')
    yield 'network', lambda: connect(socket.AF_INET, ('127.0.0.1', 9))
    yield 'name space', lambda: libc(LIBC.unshare, CLONE_NEWUSER)
    yield 'clone', clone
    yield 'clone3', lambda: libc(LIBC.syscall, 435, 0, 0)
    yield 'plant', lambda: open(WORLD + '/planted', 'w')
    yield 'own bench', lambda: open('mine', 'w')


def ended(attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno]
    return 'done'


def main():
    with open(WORLD + '/hostile.json', encoding='ascii') as f:
        facts = json.load(f)
    report = {
        'tried': {name: ended(attempt) for name, attempt in attempts(facts['lud'], facts['state'], facts['keys'])},
        'environment': sorted(os.environ),
        'open': sorted(int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)),
        'command': sys.argv[1],
        'limits': {name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1] for name in LIMITS},
    }
    if sys.argv[1] == 'import':
        os.mkdir('bad-0.kit')
        os.symlink(WORLD + '/keys/root.pem', 'bad-0.kit/files')
        print('./bad-0.kit', flush=True)
    else:
        os.symlink(WORLD + '/keys/root.pem', 'out')
    with open(WORLD + '/report', 'w', encoding='ascii') as f:
        json.dump(report, f)
    while os.path.exists(WORLD + '/hold'):
        time.sleep(0.02)


main()
