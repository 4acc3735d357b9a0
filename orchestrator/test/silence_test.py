#!/usr/bin/env python3
"""Machines, clients and a lud that are silent: what waits for them comes to an end.

Usage: silence_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import signal
import socket
import subprocess
import time

import harness
from harness import child_named


def test_silent_machine(world):
    """A machine that is not heard for 5 s is shown so, with the age of what is known of it, and back when it answers."""
    world.prepare()
    world.luctl('status')
    # One that has nothing to say is asked, and is not silent.
    world.until(lambda: world.peer.pings >= 4)
    assert 'silent' not in world.log()
    world.peer.awake.clear()
    began = time.monotonic()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent')
    assert time.monotonic() - began > 4
    status = world.json('status')
    assert status['stale'] and status['validity'] == 'stale' and status['source'] == 'memory'
    assert status['age_ms'] >= 4000 and status['as_of_us'] and status['machine']['heard_us']
    assert status['services'][0]['service']['state'] == 'none' and status['services'][0]['as_of_us']
    assert world.json('machine', 'list')['machines'][0]['state'] == 'silent'
    text = world.luctl('status')
    assert 'is silent' in text and ' s old' in text and 'running' not in text, text
    for command in (['update', 'ds'], ['rerandomize', '--all']):
        assert 'silent' in world.luctl(*command, code=8)
    # The next lud finds a machine that has never spoken to it.
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent')
    status = world.json('status')
    assert status['source'] == 'record' and status['validity'] == 'stale' and status['age_ms'] > 5000, status
    world.peer.awake.set()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('status')['validity'] == 'fresh'
    assert world.json('update', 'ds')['state'] == 'confirmed'
    # Once more: it is looked after again.
    world.peer.awake.clear()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent')
    world.peer.awake.set()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


SILENCES = ['stage.begin', 'stage.chunk', 'run.begin', 'run.sent', 'run.accepted', 'confirm.begin']


def test_silent_in_jobs(world):
    """Silent in each step that needs the machine: who waits is told; the job goes on when it answers, once."""
    world.prepare()
    for place in SILENCES:
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=place)
        runs = len(world.peer.runs)
        with world.control() as control:
            asked = control.send(rerandomize={'services': ['ds']})
            world.wait_stopped()
            world.peer.awake.clear()
            world.lud.send_signal(signal.SIGCONT)
            world.until(lambda: world.json('status')['machine']['state'] == 'silent')
            world.peer.awake.set()
            job = control.wait_reply(asked, 100)['jobs'][0]
            notices = [p['notice'] for p in control.progress if 'notice' in p]
        assert job['state'] == 'JOB_STATE_CONFIRMED', (place, job)
        assert job['generation'] == world.running() and len(world.peer.runs) == runs + 1, place
        assert 'is silent' in notices[0] and 'answers' in notices[1], (place, notices)


def test_silent_for_good(world):
    """A job does not wait for ever: it ends with what it waited for; what was sent is settled when it is known."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "7s"\n')
    world.prepare()
    for place, code in (('forge.end', 8), ('stage.begin', 8), ('run.sent', 6), ('confirm.begin', 0)):
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=place)
        runs = len(world.peer.runs)
        luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        world.wait_stopped()
        world.peer.awake.clear()
        world.lud.send_signal(signal.SIGCONT)
        _, told = luctl.communicate(timeout=100)
        assert luctl.returncode == code, (place, luctl.returncode, told)
        # The update is committed, checked, and not confirmed: it stands, and that is told.
        assert ('machine-silent' if code else 'not confirmed') in told and 'machine m' in told, (place, told)
        assert place.split('.', 1)[0].replace('forge', 'sign') in told, told
        world.peer.awake.set()
        world.until(lambda: world.json('status')['machine']['state'] == 'up')
        if place == 'run.sent':
            world.until(lambda: world.json('history', 'ds')['generations'][0]['state'] == 'running')
            job = world.json('history', 'ds')['generations'][0]['job']
            assert job['state'] == 'committed' and job['generation'] == world.running(), job
        assert len(world.peer.runs) == runs + (code != 8)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_put_off_for_good(world):
    """A machine that is up and always asks to come back later: the job ends, and says why, and nobody spins."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "5s"\n')
    world.prepare()
    for fault, code, said in (('rate_order_%d' % harness.peer.UPDATE, 4, 'too many'), ('rate_admit', 4, 'too many'),
                              ('busy_status', 4, 'step sign waited 5 s')):
        world.peer.faults[fault] = often = 10000
        began = time.monotonic()
        told = world.luctl('update', 'ds', code=code)
        assert time.monotonic() - began < 30 and said in told, (fault, told)
        assert often - world.peer.faults[fault] < 300, (fault, world.peer.faults[fault])
        world.peer.faults[fault] = 0
    assert not world.peer.runs
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_timeout(world):
    """The time given for a job bounds the steps of lud itself: it ends by then, says in which step, and leaves no
    worker; the next one works."""
    world.prepare(2)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    hangs = good.replace('def main():\n', 'def main():\n    __import__("time").sleep(60)\n')
    assert hangs != good
    runs = len(world.peer.runs)

    def late(step, *command):
        for _ in range(5):
            began = time.monotonic()
            told = world.luctl(*command, '--timeout', '2s', code=4)
            took = time.monotonic() - began
            assert 1.9 < took < 30, (step, took)
            if 'step %s' % step in told:
                break  # else the host stood still in a step before it
        assert 'job-timeout' in told and 'the 2 s' in told and 'step %s' % step in told and '--timeout' in told, told
        assert not world.json('status').get('open_jobs') and len(world.peer.runs) == runs
        world.until(lambda: child_named(world, 'python3') is None)

    world.install('fake_luforge', hangs)
    late('pair', 'update', 'ds')
    late('forge', 'update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    # A lud that takes the job up again gives it no more time.
    world.luctl('update', 'ds', '--timeout', '8s', '--detach')
    world.until(lambda: child_named(world, 'python3'))
    worker = child_named(world, 'python3')['Pid']
    world.kill()
    # A worker does not outlive lud.
    world.until(lambda: not os.path.exists('/proc/' + worker), 30)
    time.sleep(8)
    began = time.monotonic()
    world.start()
    assert world.settle()['cause']['name'] == 'job-timeout' and time.monotonic() - began < 7.5
    world.install('fake_luforge', good)
    assert world.json('update', 'ds', '--timeout', '30s')['state'] == 'confirmed'
    runs += 1
    assert 0 < world.peer.orders[-2].total_ms < 30000
    signer = int(child_named(world, 'lusign')['Pid'])
    os.kill(signer, signal.SIGSTOP)
    late('seed', 'rerandomize', 'ds')
    os.kill(signer, signal.SIGCONT)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_halted_lud(world):
    """A lud that stands still keeps nobody waiting for ever."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    world.lud.send_signal(signal.SIGSTOP)
    try:
        _, told = luctl.communicate(timeout=100)
    finally:
        world.lud.send_signal(signal.SIGCONT)
    assert luctl.returncode == 8 and 'has not answered' in told, (luctl.returncode, told)
    # Its own pause is not the machine's silence.
    assert world.json('status')['machine']['state'] == 'up'
    world.peer.release()
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED'


def half_open(world, n):
    """Connections that never say Hello."""
    peers = []
    for _ in range(n):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(world.socket)
        peers.append(sock)
    return peers


def test_crowded_socket(world):
    """Half-open, stalled and idle connections in any number lock nobody out, and end by themselves."""
    world.prepare()
    peers = half_open(world, 150)
    peers[-1].sendall(b'SAM1')  # a frame that never ends
    for _ in range(3):
        assert world.json('status')['machine']['state'] == 'up'
    assert world.json('update', 'ds')['state'] == 'confirmed'
    for sock in peers:
        sock.settimeout(100)
        while sock.recv(4096):
            pass
        sock.close()
    idle = [world.control() for _ in range(80)]
    assert world.json('status')['machine']['state'] == 'up'
    # One that waits for an answer keeps its place whatever comes.
    world.peer.faults['hold_result'] = 1
    with world.control() as waits:
        asked = waits.send(update={'service': 'ds'})
        world.until(lambda: world.peer.withheld)
        idle += [world.control() for _ in range(80)]
        world.peer.release()
        assert waits.wait_reply(asked, 100)['state'] == 'JOB_STATE_CONFIRMED'
    for client in idle:
        client.sock.close()


harness.main(globals(), 5)
