#!/usr/bin/env python3
"""lud under a service manager: the control socket is handed over, and the manager hears that lud is ready and lives.

Usage: manager_test.py BUILD [CASE...]      (no case: all of them)
"""

import os
import signal
import socket
import subprocess
import sys

import harness

# A manager in so far as lud can tell: the listener as descriptor 3, and the process that it is for.
HAND_OVER = ('import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(8);'
             'os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid())); os.dup2(s.fileno(), 3); os.set_inheritable(3, True);'
             'os.execv(sys.argv[2], sys.argv[2:])')


def handing(path):
    return sys.executable, '-c', HAND_OVER, path


class Manager:
    """The socket at which a service manager hears of its services."""

    def __init__(self, world):
        self.path = os.path.join(world.dir, 'notify')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(100)

    def hear(self):
        return self.socket.recv(4096).decode()


def test_handed(world):
    """The socket that is handed over is served, and left to whoever made it."""
    os.makedirs(os.path.dirname(world.socket))
    world.start(inside=handing(world.socket))
    mode = os.stat(world.socket).st_mode
    assert 'machines' in world.json('machine', 'list')
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: 'read again' in world.log())
    world.luctl('machine', 'list')
    assert os.stat(world.socket).st_mode == mode
    assert world.kill(signal.SIGTERM) == 0
    assert os.path.exists(world.socket)


def test_handed_other(world):
    """Another socket than the configured one is refused by name."""
    other = os.path.join(world.dir, 'other')
    done = subprocess.run([*handing(other), world.program('orchestrator/lud_test'), '--config', world.config],
                          capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode and 'not this socket' in done.stderr and 'ListenStream' in done.stderr, done


def test_watched(world):
    """Ready once it answers; then a sign of life, as often as the manager asks, and none of a lud that stands still."""
    manager = Manager(world)
    os.environ.update(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC='400000')
    try:
        world.start()
    finally:
        del os.environ['NOTIFY_SOCKET'], os.environ['WATCHDOG_USEC']
    assert manager.hear() == 'READY=1'
    assert [manager.hear() for _ in range(3)] == ['WATCHDOG=1'] * 3
    world.lud.send_signal(signal.SIGSTOP)
    world.wait_stopped()
    manager.socket.setblocking(False)
    while True:
        try:
            manager.hear()
        except BlockingIOError:
            break
    manager.socket.settimeout(1)
    try:
        raise AssertionError(manager.hear())
    except TimeoutError:
        pass
    world.lud.send_signal(signal.SIGCONT)
    manager.socket.settimeout(100)
    assert manager.hear() == 'WATCHDOG=1'
    assert world.kill(signal.SIGTERM) == 0
    while (said := manager.hear()) == 'WATCHDOG=1':
        pass
    assert said == 'STOPPING=1'


if __name__ == '__main__':
    harness.main(globals(), 2)
