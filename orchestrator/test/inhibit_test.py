#!/usr/bin/env python3
"""Holds that last as long as a command.

Usage: inhibit_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import harness
import wire
from harness import refused_call

# Writes a letter when it has begun, and ends when it is told to.
COMMAND = [sys.executable, '-c', 'import sys; print("begun", flush=True); sys.exit(int(sys.stdin.readline()))']


class Inhibit:
    """luctl inhibit with a command that waits; held by then."""

    def __init__(self, world, *options):
        self.said = tempfile.TemporaryFile('w+')
        self.process = subprocess.Popen(
            [world.program('ctl/luctl'), 'inhibit', *options, '--', *COMMAND], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=self.said, env={**os.environ, 'SAMSARA_SOCKET': world.socket})
        assert self.process.stdout.readline() == 'begun\n'

    def end(self, code=0):
        self.process.stdin.write('%d\n' % code)
        self.process.stdin.flush()
        assert self.process.wait(100) == code
        return self.errors()

    def errors(self):
        self.said.seek(0)
        return self.said.read()


def held(world):
    return [(h['machine'], h['service'], h.get('reason', '')) for h in world.json('holds').get('holds', [])]


def ended(world):
    with contextlib.closing(sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)) as db:
        return [reason for reason, in db.execute('SELECT ended_reason FROM holds WHERE ended_us > 0')]


def test_command(world):
    """It holds before the command begins and until it ends; luctl's exit code is the command's."""
    world.prepare()
    inhibit = Inhibit(world, '--reason', 'backup of the disk')
    assert held(world) == [('m', '', 'backup of the disk')] and 'its command ends' in world.luctl('holds')
    job = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    world.until(lambda: world.json('job', 'show', str(job))['state'] == 'held')
    assert 'backup of the disk' in world.json('job', 'show', str(job))['waits_for']
    assert inhibit.end(7) == ''
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and not held(world)
    assert ended(world) == ['its command is over']
    # Of a service, of everything; a refusal begins nothing.
    for options, target in ((['--service', 'ds'], ('m', 'ds', '')), (['--all'], ('', '', ''))):
        inhibit = Inhibit(world, *options)
        assert held(world) == [target]
        inhibit.end()
    assert 'no service dds' in world.luctl('inhibit', '--service', 'dds', '--', 'touch', world.dir + '/begun', code=3)
    assert not os.path.exists(world.dir + '/begun') and not held(world)
    assert 'cannot be run' in world.luctl('inhibit', '--', world.dir + '/none', code=127)
    world.luctl('inhibit', '--', 'sh', '-c', 'kill -9 $$', code=137)
    world.luctl('inhibit', '--all', '-m', 'm', '--', 'true', code=2)
    with world.control() as control:
        assert refused_call(control, hold={'while_connected': True})['cause']['name'] == 'no-id'
        error = refused_call(control, hold={'while_connected': True, 'until_us': 1 << 60}, request_id='x')
        assert error['cause']['name'] == 'no-id', error


def test_killed(world):
    """A luctl that is killed lets go at once; one that is interrupted ends with its command."""
    world.prepare()
    inhibit = Inhibit(world)
    inhibit.process.kill()
    world.until(lambda: not held(world))
    inhibit = Inhibit(world)
    inhibit.process.send_signal(signal.SIGINT)
    assert held(world)
    inhibit.end(3)
    world.until(lambda: not held(world))


def test_restart(world):
    """lud dies and comes back, in either way: the hold is there from its first moment and is taken again; then it ends."""
    world.prepare()
    for how in (signal.SIGKILL, signal.SIGTERM):
        inhibit = Inhibit(world, '--reason', str(how))
        world.kill(how)
        world.start()
        assert held(world) == [('m', '', str(how))], how
        # Taken again: not by its time any more, but by the command.
        world.until(lambda: not int(world.json('holds')['holds'][0]['until_us']))
        assert 'is taken again' in inhibit.end()
        world.until(lambda: not held(world))
    # Of a luctl that died meanwhile it holds for a while, and no longer.
    inhibit = Inhibit(world)
    world.kill()
    inhibit.process.kill()
    world.start()
    hold, = world.json('holds')['holds']
    until = int(hold['until_us']) / 1e6
    assert 0 < until - time.time() < 31, hold
    world.kill()
    world.start()
    assert int(world.json('holds')['holds'][0]['until_us']) / 1e6 == until, 'each start would give it more time'


def test_taken_away(world):
    """Whoever may take it away does; the command goes on, and luctl says so."""
    world.prepare()
    inhibit = Inhibit(world)
    world.luctl('unhold')
    assert not held(world)
    world.until(lambda: 'taken the hold away' in inhibit.errors())
    inhibit.end(2)


def test_others(world):
    """Two users' commands may have one id: each is told of its own hold, and only of that."""
    if os.getuid() != 0:
        return
    world.prepare()
    harness.roles(world)('user/65534', 'operator')
    hold = {'while_connected': True}
    with world.control() as ours, harness.control_as(world, 65534) as theirs:
        asked = [client.send(hold=hold, request_id='x') for client in (ours, theirs)]
        world.until(lambda: len(held(world)) == 2)
        with harness.control_as(world, 65534) as other:
            with contextlib.suppress(wire.Refused):  # the hold that is left is somebody else's
                other.call(unhold={})
        assert ['uid 0' in h['identity'] for h in theirs.wait_reply(asked[1], 20)['holds']] == [True]
        assert len(held(world)) == 1
        world.luctl('unhold')
        ours.wait_reply(asked[0], 20)
    assert not held(world)


def test_hold_all(world):
    """One word stops everything: each kind of job waits before its order, and a machine moves nothing by itself."""
    world.prepare(2)
    world.luctl('update', 'ds', '--release', '1')
    world.luctl('update', 'ds')
    world.luctl('rerandomize', 'ds', '--every', '20s')
    assert world.peer.standing_services == ['ds']
    world.luctl('hold', '--all', '--reason', 'stop')
    world.until(lambda: not world.peer.standing_services)
    runs = len(world.peer.runs)
    asked = {'update': {'service': 'ds', 'prepare_only': True}, 'rollback': {'service': 'ds'},
             'rerandomize': {'services': ['ds']}, 'restart': {'service': 'ds'}}
    jobs = []
    with world.control() as control:
        for kind, request in asked.items():
            control.send(**{kind: request})
            world.until(lambda: len(world.json('jobs')['jobs']) == len(jobs) + 3)
            jobs.append(world.json('jobs')['jobs'][0]['id'])
            world.until(lambda: world.json('job', 'show', str(jobs[-1]))['state'] == 'held')
            assert 'holds everything: stop' in world.json('job', 'show', str(jobs[-1]))['waits_for'], kind
    assert len(world.peer.runs) == runs
    world.luctl('job', 'cancel', str(jobs[-1]))  # nobody would sign it
    world.luctl('unhold', '--all')
    world.until(lambda: world.peer.standing_services == ['ds'])
    world.settle(jobs[1])
    world.luctl('release', 'clear', 'ds', '2')  # which the rollback has blocked, and for which the update waits since
    for job in jobs[:3]:
        world.settle(job)
    assert len(world.peer.runs) > runs


harness.main(globals(), 2)
