#!/usr/bin/env python3
"""A machine that keeps no kits takes layouts that two variant keys have signed: lud, its signer, a second signer that
listens at a socket, and a peer.

Usage: second_test.py BUILD [NAME...]
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import harness


class Second:
    """A second signer, with a keyring of its own."""

    def __init__(self, world):
        self.world, self.keys = world, world.dir + '/second'
        self.socket, self.process = world.dir + '/second.sock', None
        self.pub = json.loads(world.luctl('keys', 'second', '--keys', self.keys, '--json'))['public']

    def named(self, key):
        """The next root, which says so of this key, at both places."""
        self.world.luctl('keys', 'renew', '--second', key, '--keys', self.world.dir + '/keys')
        shutil.copy(self.world.dir + '/keys/root.signed', self.keys)

    def start(self):
        self.stop()
        self.process = subprocess.Popen([self.world.program('keyring/signer/lusign'), '--second', '--keys', self.keys,
                                         '--listen', self.socket], stdin=subprocess.DEVNULL)
        self.world.until(self.answers)

    def answers(self):
        assert self.process.poll() is None, self.process.returncode
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.socket) == 0

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def begin(world, named=True):
    """Two signers, a machine that keeps no kits, and two releases."""
    second = world.second = Second(world)
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('signer:\n  second: %s\n' % second.socket)
    if named:
        second.named(second.pub)
        second.start()
    world.peer.keeps_kits = False
    world.prepare(2)
    return second


def signed(world):
    """The keys that signed the layout that runs."""
    return world.json('show', 'ds', str(world.running()))['signed_by']


def newest_steps(world):
    with world.control() as control:
        return [s['name'] for s in control.call(job_show={'job': world.newest_job()})['steps']]


def test_two(world):
    """Whatever moves to another layout is signed by both, sent without its flat kit, and the machine makes none."""
    second = begin(world)
    first = world.release_id(world.kits[0]).hex()[:10]
    for command in (('update', 'ds', '--release', first), ('update', 'ds'), ('rollback', 'ds'), ('rerandomize', 'ds')):
        before = world.running()
        world.luctl(*command)
        keys = signed(world)
        assert world.running() > before and len(set(keys)) == len(keys) == 2, (command, keys)
        assert world.peer.admitted[world.peer.orders[-2].variant_hash].n_signatures == 2
    for kit in world.kits:
        with open(kit + '/flat', 'rb') as f:
            flat = f.read()
        assert all(bytes(content) != flat for _, content in world.peer.staged.values())
    text = ' '.join(world.luctl('show', 'ds', str(world.running())).split())
    assert all(key[:12] in text for key in keys) and 'signed by' in text, text
    assert 'keeps no kits' in world.luctl('status') and world.json('status')['no_kits']
    for command in (('update', 'ds', '--release', first), ('rerandomize', 'ds')):
        told = world.luctl(*command, '--layout', 'machine', code=4)
        assert 'was started to keep no kits' in told and '--layout host' in told, told
    assert 'keeps no kits' in world.luctl('rerandomize', 'ds', '--every', '20s', code=4)
    with open(second.keys + '/signer.log', encoding='ascii') as f:
        assert len([line for line in f if ' variant machine ' in line]) == 4


def test_by_default(world):
    """Where nobody says who makes layouts, the host does, for it is all that can be done."""
    with open(world.config, encoding='ascii') as f:
        config = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(config.replace('layout: host', 'layout: auto'))
    second = begin(world)
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and job['layout'] == 'host', job


def test_down(world):
    """A second signer that does not answer ends the job with who is missing and what to do; then it goes on."""
    second = begin(world)
    second.stop()
    for prepare in (lambda: None, lambda: os.unlink(second.socket)):
        prepare()
        told = world.luctl('update', 'ds', code=1)
        assert 'the second signer' in told and second.socket in told and 'lusign --second' in told, told
        assert not world.peer.runs
    second.start()
    assert world.json('update', 'ds')['state'] == 'confirmed' and len(signed(world)) == 2
    # One that dies while it is asked.
    os.kill(second.process.pid, signal.SIGSTOP)
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: 'sign' in newest_steps(world))
    second.process.kill()
    told = luctl.communicate(timeout=100)[1]
    assert 'second signer' in told and len(world.peer.runs) == 1, told


def test_wrong_key(world):
    """A second key that the root does not name signs nothing; one that is the first's counts once."""
    second = begin(world)
    assert world.json('update', 'ds')['state'] == 'confirmed'
    runs = len(world.peer.runs)
    second.named('none')
    second.start()
    told = world.luctl('rerandomize', 'ds', code=7)
    assert 'the second signer refuses' in told and 'does not name' in told, told
    assert "into the second signer's keyring" in told and 'luctl keys renew --second' in told, told
    shutil.copy(world.dir + '/keys/variant.pem', second.keys)
    second.start()
    told = world.luctl('rerandomize', 'ds', code=1)
    assert 'have the same key' in told and 'luctl keys second' in told, told
    assert len(world.peer.runs) == runs


def test_none(world):
    """Without a second signer nothing is begun for such a machine, and what to configure is named."""
    world.prepare(2)
    world.peer.keeps_kits = False
    told = world.luctl('update', 'ds', code=1)      # lud has not heard of it when the job is planned
    assert 'lud has no second signer' in told and 'signer.second' in told, told
    jobs = len(world.json('jobs')['jobs'])
    told = world.luctl('update', 'ds', code=4)
    assert 'lud has no second signer' in told and 'signer.second' in told, told
    assert len(world.json('jobs')['jobs']) == jobs and not world.peer.runs


def test_clients(world):
    """Whoever else connects to the second signer gets no signature, and cannot end it."""
    second = begin(world)
    assert os.stat(second.socket).st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(second.socket)
        client.sendall(b'x' * 65536)
        client.settimeout(100)
        try:
            assert client.recv(1) == b''
        except ConnectionResetError:
            pass


def test_taken(world):
    """A second one at the same socket ends, and the one that listens there goes on."""
    second = begin(world)
    told = subprocess.run([world.program('keyring/signer/lusign'), '--second', '--keys', second.keys, '--listen',
                           second.socket], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=100)
    assert told.returncode == 4 and 'another signer listens' in told.stderr, told
    assert world.json('update', 'ds')['state'] == 'confirmed' and second.process.poll() is None


def test_short(world):
    """A host that is short of descriptors for a while costs no signer."""
    second = begin(world)
    limits = resource.prlimit(second.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(second.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(second.socket)  # the descriptor for this one was taken before
    time.sleep(1)
    assert second.process.poll() is None, second.process.returncode
    resource.prlimit(second.process.pid, resource.RLIMIT_NOFILE, limits)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def client_idle(_, ended):
    ended.wait()


def client_drips(client, ended):
    while not ended.wait(0.5):
        client.sendall(b'x')


def client_asks(client, ended):
    """To seal, which is refused, again and again, and never after the last answer (proto/envelope/signer.h)."""
    request = struct.pack('<8sIIQ', b'SAMSGN4', 5, 0, 0).ljust(9968, b'\0')
    client.sendall(8 * request)
    while not ended.is_set() and client.recv(8840, socket.MSG_WAITALL):
        client.sendall(request)


def test_turns(world):
    """Whatever a client does with its connection, the next one's turn comes."""
    second = begin(world)
    world.luctl('update', 'ds')
    for behave in (client_idle, client_drips, client_asks):
        begun, ended = threading.Event(), threading.Event()

        def connected(behave=behave, begun=begun, ended=ended):
            with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
                client.connect(second.socket)
                begun.set()
                behave(client, ended)
        other = threading.Thread(target=connected)
        other.start()
        begun.wait()
        try:
            world.luctl('rerandomize', 'ds')
            assert second.process.poll() is None
        finally:
            ended.set()
            other.join()


def test_config(world):
    """A machine is not configured to keep no kits where there is nobody to sign for it a second time."""
    lud = [world.program('orchestrator/lud'), '--config', world.config, '--check-config']

    def check():
        return subprocess.run(lud, check=False, capture_output=True, text=True)
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('kits:\n  m1: none\n')
    told = check()
    assert told.returncode == 3 and 'signer.second' in told.stderr, told
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('signer:\n  second: /run/second.sock\n')
    assert check().returncode == 0, check()
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('  "m1/ds": none\n')
    assert check().returncode == 3


def main():
    tests = {n[5:]: f for n, f in globals().items() if n.startswith('test_')}
    for number, name in enumerate(sys.argv[2:] or list(tests), 1):
        with harness.World(sys.argv[1]) as world:
            try:
                tests[name](world)
            finally:
                if hasattr(world, 'second'):
                    world.second.stop()
        print('ok %d %s' % (number, name), flush=True)


main()
