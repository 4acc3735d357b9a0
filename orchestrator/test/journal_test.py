#!/usr/bin/env python3
"""lud's log in the journal: what a line is about are fields of their own, and what an operator reacts to has an id.

Usage: journal_test.py BUILD [CASE...]      (no case: all of them)
"""

import contextlib
import os
import re
import signal
import socket
import struct

import harness

with open(os.path.join(harness.HERE, '../../host/base/messages.def'), encoding='utf-8') as def_file:
    IDS = dict(re.findall(r'^MESSAGE\((\w+), "([0-9a-f]+)"', def_file.read(), re.M))


def entry(data):
    """The fields of one datagram; one with a line end in its value comes with its length."""
    fields = {}
    while data:
        line, _, data = data.partition(b'\n')
        name, is_text, value = line.partition(b'=')
        if not is_text:
            n = struct.unpack_from('<Q', data)[0]
            value, data = data[8:8 + n], data[9 + n:]
        assert name.decode() not in fields, line
        fields[name.decode()] = value.decode()
    return fields


class Journal:
    """In place of journald, at a socket of the test's (journal_here.c)."""

    def __init__(self, world):
        self.world, self.path = world, os.path.join(world.dir, 'journal')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(100)

    def start(self, is_journal=True):
        """lud, whose stderr is the journal; or another file of the same file system."""
        log = os.path.join(self.world.dir, 'lud.log')
        with open(log, 'ab'):
            status = os.stat(log)
        more = {'LD_PRELOAD': self.world.program('orchestrator/libjournal_here.so'), 'JOURNAL_HERE': self.path,
                'JOURNAL_STREAM': f'{status.st_dev}:{status.st_ino if is_journal else 1}'}
        os.environ.update(more)
        try:
            self.world.start()
        finally:
            for name in more:
                del os.environ[name]

    def until(self, message):
        """The next entry of this id. All are well-formed, and of lud."""
        while True:
            fields = entry(self.socket.recv(1 << 16))
            assert fields['MESSAGE'] and fields['PRIORITY'] in '3467', fields
            assert fields['SYSLOG_IDENTIFIER'] == 'lud_test', fields
            assert fields.get('MESSAGE_ID') in {None, *IDS.values()}, fields
            if fields.get('MESSAGE_ID') == IDS[message]:
                return fields


def test_start(world):
    """Ready, and a configuration that is refused: no line is lost to the journal, and none is on stderr as well."""
    journal = Journal(world)
    journal.start()
    ready = journal.until('LUD_READY')
    assert ready['PRIORITY'] == '6' and 'is ready at' in ready['MESSAGE'], ready
    with open(world.config, 'a', encoding='utf-8') as f:
        f.write('nonsense: 1\n')
    world.lud.send_signal(signal.SIGHUP)
    refused = journal.until('CONFIGURATION_REFUSED')
    assert refused['PRIORITY'] == '3' and 'nonsense' in refused['MESSAGE'], refused
    assert world.log() == ''


def test_machine(world):
    """What befalls machine, service and job is found by their names."""
    journal = Journal(world)
    world.kits = [world.kit('ds', 1)]
    world.peer.add_service('ds', world.release_id(world.kits[0]))
    world.peer.add_service('rs', bytes(64), can_update=False)
    journal.start()
    world.luctl('release', 'add', *world.kits)
    world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    assert journal.until('MACHINE_UP')['SAMSARA_MACHINE'] == 'm'
    world.peer.crash('ds')
    crashed = journal.until('SERVICE_CRASHED')
    assert (crashed['SAMSARA_MACHINE'], crashed['SAMSARA_SERVICE'], crashed['PRIORITY']) == ('m', 'ds', '4'), crashed
    world.peer.faults['roll_back'] = 1
    world.luctl('rerandomize', 'ds', code=5)
    job = journal.until('JOB_ROLLED_BACK')
    assert (job['SAMSARA_MACHINE'], job['SAMSARA_SERVICE']) == ('m', 'ds'), job
    assert job['SAMSARA_JOB'] == str(world.newest_job()), job


def fill(path):
    """Sends until there is no room; whoever sends has a limit of its own, so somebody new tries each time."""
    n = 1
    while n:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            n = 0
            try:
                while True:
                    sender.sendto(b'MESSAGE=x\nPRIORITY=6\nSYSLOG_IDENTIFIER=lud_test\n', path)
                    n += 1
            except BlockingIOError:
                pass


def test_still(world):
    """A journal that takes nothing any more: lud goes on, and says afterwards how much was lost."""
    journal = Journal(world)
    journal.start()
    journal.until('LUD_READY')
    fill(journal.path)
    with open(world.config, 'a', encoding='utf-8') as f:
        f.write('nonsense: 1\n')
    world.lud.send_signal(signal.SIGHUP)
    with world.control() as control:
        for _ in range(3):
            control.call(version={})  # the signal was seen by the second at the latest
    said = []
    journal.socket.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            said.append(entry(journal.socket.recv(1 << 16))['MESSAGE'])
    assert not any('nonsense' in line for line in said), said
    journal.socket.settimeout(100)
    world.lud.send_signal(signal.SIGHUP)
    while 'nonsense' not in said[-1]:
        said.append(entry(journal.socket.recv(1 << 16))['MESSAGE'])
    assert any(re.fullmatch(r'[1-9]\d* lines were lost: the journal stood still', line) for line in said), said
    assert world.log() == ''


def test_elsewhere(world):
    """JOURNAL_STREAM of another file, as a child inherits it: lines with a time stamp, and no entry. So are those that the
    journal does not take."""
    journal = Journal(world)
    journal.start(is_journal=False)
    assert re.search(r'^\d{4}-\S+Z lud info: lud \S+ is ready at', world.log(), re.M), world.log()
    journal.socket.setblocking(False)
    try:
        raise AssertionError(journal.socket.recv(1 << 16))
    except BlockingIOError:
        pass
    world.kill()
    journal.socket.close()
    before = world.log()
    journal.start()
    assert 'is ready at' in world.log()[len(before):]


if __name__ == '__main__':
    harness.main(globals(), 3)
