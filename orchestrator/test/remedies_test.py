#!/usr/bin/env python3
"""What goes wrong beside lud is named with its cause and its place, and the remedy that is named works when it is done.

Usage: remedies_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess

import harness
import wire


def remedy(world, told, begins, code=0):
    """Does what a message names as the remedy, with this test's keyring."""
    commands = [c.split()[1:] for c in re.findall(r'`(luctl [^`]+)`', ' '.join(told.split()))]
    command, = {tuple(c) for c in commands if ' '.join(c).startswith(begins)}
    keys = [] if '--keys' in command else ['--keys', world.dir + '/keys']
    return world.luctl(*command, *keys, code=code)


def new_signer(world):
    """The signer reads its rules when it starts."""
    assert world.kill(signal.SIGTERM) == 0
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


def test_rules_missing(world):
    """Without its rules the signer does not start: they are named, and what to do."""
    world.prepare()
    rules = world.dir + '/keys/signer.rules'
    os.rename(rules, world.dir + '/aside')
    new_signer(world)
    told = world.luctl('update', 'ds', code=1)
    assert 'signer.rules: it is not there' in told and 'no such key' not in told, told
    told = remedy(world, told, 'keys list', code=7)
    assert 'signer.rules is missing' in told, told
    assert 'luctl keys init --keys DIR' in told, told
    world.luctl('keys', 'init', '--keys', world.dir + '/more')
    shutil.copy(world.dir + '/more/signer.rules', rules)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_rules_refuse(world):
    """What the rules do not allow is told as that, not as a fault of the keys."""
    world.prepare()
    with open(world.dir + '/keys/signer.rules', 'w', encoding='ascii') as f:
        f.write('machine *\nservice tty\naction update confirm\n')
    new_signer(world)
    told = world.luctl('update', 'ds', code=1)
    assert 'does not name this service' in told and 'signer.rules' in told and 'keys init' not in told, told


def test_root_expired(world):
    """A root whose time is over is renewed, and no kit is signed again."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    world.shifted(-400, 'keys', 'renew', *keys)
    listed = world.luctl('keys', 'list', *keys, code=7)
    assert 'expired since' in listed, listed
    told = world.luctl('update', 'ds', code=1)
    assert 'whose time of validity is over' in told and 'release sign' not in told, told
    remedy(world, told, 'keys renew')
    world.luctl('keys', 'list', *keys)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_release_key(world):
    """Another release key: kits need its signature, which renewing says, and so does whatever meets one without."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    renewed = subprocess.run([world.program('ctl/luctl'), 'keys', 'renew', '--replace', 'release', *keys],
                             check=True, capture_output=True, text=True)
    for text in (' '.join(renewed.stderr.split()), world.luctl('update', 'ds', code=1)):
        assert 'luctl release sign KIT' in text and 'luctl release add KIT' in text, text
        assert '\\x0a' not in text, text
    world.luctl('release', 'sign', *world.kits, *keys)
    world.luctl('release', 'add', *world.kits)
    assert len(world.json('release', 'list')['releases']) == 1
    assert world.json('update', 'ds')['state'] == 'confirmed'


def renew_at(world, point, *command, replace=()):
    """Renews the root while a job stands at this point; the job's end."""
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at=point)
    luctl = subprocess.Popen([world.program('ctl/luctl'), *command, '--socket', world.socket, '--json'],
                             stdout=subprocess.PIPE, text=True)
    world.wait_stopped()
    world.luctl('keys', 'renew', *replace, '--keys', world.dir + '/keys')
    world.lud.send_signal(signal.SIGCONT)
    return json.loads(luctl.communicate(timeout=100)[0])


def test_renewed_meanwhile(world):
    """A root that is renewed in whatever step of an update: what was signed is signed again, and the update is run once."""
    world.prepare()
    points = ['seed.did', 'forge.did', 'sign.begin', 'sign.did', 'stage.begin', 'stage.chunk', 'stage.end',
              'order.begin', 'order.did', 'run.begin', 'run.sent', 'confirm.begin']
    for serial, point in enumerate(points, 2):
        runs = len(world.peer.runs)
        replace = ('--replace', 'variant,order') if serial % 2 else ()
        job = renew_at(world, point, 'update', 'ds', replace=replace)
        assert job['state'] == ('committed' if job['hint'] else 'confirmed'), (point, job)
        assert job['generation'] == world.running(), (point, job)
        assert len(world.peer.runs) == runs + 1, point
        # The newest root reaches the machine at the latest with the next order.
        assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed', point
        assert world.peer.root_serial == serial, point
    # A machine that saw a root that lud has not: no signing helps.
    world.peer.root_serial = 99
    told = world.luctl('update', 'ds', code=7)
    assert 'copy the newest root.signed' in told, told


def test_jobs(world):
    """What was refused, and never had a generation, is found with its reason."""
    world.prepare(2)
    world.pairing(loss=[{'what': 'variable', 'entry': 'ds.c:store', 'text': 'it is gone'}])
    world.luctl('update', 'ds', code=4)
    world.pairing()
    world.luctl('update', 'ds')
    listed = world.luctl('jobs', 'ds').splitlines()
    assert len(listed) == 3 and ' confirmed ' in listed[1] and ' refused ' in listed[2], listed
    assert 'would be lost' in listed[2], listed
    assert [j['id'] for j in world.json('jobs')['jobs']] == [2, 1]
    assert 'more: luctl job list' in world.luctl('jobs', '--limit', '1')
    assert len(world.luctl('jobs', 'rs').splitlines()) <= 1


def disk_of(world, options):
    """The state directory on a small disk of its own; only root may mount one."""
    os.makedirs(world.state, exist_ok=True)
    world.disk = os.getuid() == 0 and subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', options, 'none', world.state], check=False, capture_output=True).returncode == 0
    return world.disk


def refused_start(world):
    """What lud says when it does not start; None: it does."""
    lud = subprocess.Popen([world.program('orchestrator/lud_test'), '--config', world.config],
                           stderr=subprocess.PIPE, text=True)

    def answers():
        with contextlib.suppress(OSError, TimeoutError, wire.Ended), world.control():
            return True
    world.until(lambda: lud.poll() is not None or answers())
    if lud.poll() is not None:
        return lud.communicate()[1].splitlines()[-1]
    lud.terminate()
    lud.communicate(timeout=100)
    return None


def test_no_inodes(world):
    """However few files can be made: lud names the place, the cause and what to do, or it starts and says so later."""
    if not disk_of(world, 'size=4m,nr_inodes=1'):
        return
    started = 0
    for inodes in range(1, 12):
        subprocess.run(['umount', world.state], check=True)
        disk_of(world, 'size=4m,nr_inodes=%d' % inodes)
        told = refused_start(world)
        started += told is None
        assert told is None or ('No space left on device' in told and world.state in told and 'inodes' in told), told
    assert 0 < started < 11, started
    world.start()
    told = world.luctl('release', 'add', world.kit('ds', 1), code=4)
    assert 'No space left on device' in told and '`df -i`' in told, told
    assert world.state + '/tmp' in told and '.c:' not in told, told
    subprocess.run(['mount', '-o', 'remount,size=4m,nr_inodes=200', world.state], check=True)
    world.luctl('release', 'add', world.dir + '/ds-1.kit')


def test_read_only(world):
    """A state directory that cannot be written: refused at the start, and named by a job under way."""
    if not disk_of(world, 'size=8m'):
        return
    subprocess.run(['mount', '-o', 'remount,ro', world.state], check=True)
    told = refused_start(world)
    assert 'Read-only file system' in told and world.state in told and 'writable' in told, told
    subprocess.run(['mount', '-o', 'remount,rw', world.state], check=True)
    world.start()


def test_workshop_gone(world):
    """The workers' directory is removed under a running lud: it is made anew. Something else in its place is named."""
    world.prepare()
    shutil.rmtree(world.state + '/tmp')
    assert world.json('update', 'ds')['state'] == 'confirmed'
    shutil.rmtree(world.state + '/tmp')
    with open(world.state + '/tmp', 'wb'):
        pass
    told = world.luctl('rerandomize', 'ds', code=1)
    assert world.state + '/tmp: Not a directory' in told and '.c:' not in told and 'check the kit' not in told, told
    os.unlink(world.state + '/tmp')
    assert world.json('update', 'ds')['state'] == 'confirmed'


def child(world, name):
    """The process id of a program that lud runs; None."""
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii', errors='replace') as f:
                comm, rest = f.read().split('(', 1)[1].rsplit(') ', 1)
        except OSError:
            continue
        if comm == name and int(rest.split()[1]) == world.lud.pid:
            return int(pid)
    return None


def test_signer_killed(world):
    """A signer that is ended while a job waits for it: told as that, and what is named helps."""
    world.prepare()
    assert world.json('update', 'ds')['state'] == 'confirmed'
    signer = child(world, 'lusign')
    os.kill(signer, signal.SIGSTOP)
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds', '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: [job['ended_us'] for job in world.json('jobs')['jobs']].count(0) == 1)
    os.kill(signer, signal.SIGKILL)
    told = ' '.join(luctl.communicate(timeout=100)[1].split())
    assert 'the signer went away: killed by signal 9' in told and 'keys list' not in told, told
    assert 'run the command again' in told, told
    assert world.json('update', 'ds')['state'] == 'confirmed' and child(world, 'lusign') != signer


def unreachable(world):
    """The machine goes on, and lud does not reach it; how to end that."""
    aside = world.peer.path + '.aside'
    os.rename(world.peer.path, aside)
    world.peer.connection.shutdown(socket.SHUT_RDWR)
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] != 'up')
    return lambda: os.rename(aside, world.peer.path)


def test_standing_while_away(world):
    """What is wanted of a machine that does not answer is recorded, which is success; the machine gets it later."""
    world.prepare()
    world.luctl('rerandomize', 'ds', '--every', '20s')
    reached = unreachable(world)
    told = world.luctl('rerandomize', '--every', 'off')
    assert 'recorded' in told and 'as soon as it is up again' in told, told
    assert world.peer.standing['state'] == 'STANDING_RUNNING'
    reached()
    world.until(lambda: world.peer.standing['state'] == 'STANDING_WITHDRAWN')
    reached = unreachable(world)
    assert 'recorded' in world.luctl('rerandomize', 'ds', '--every', '30s')
    reached()
    world.until(lambda: world.peer.standing['every_ms'] == 30000)
    reached = unreachable(world)
    # A lud that never heard the machine cannot know what its services are; that it is to stop needs none.
    assert world.kill(signal.SIGTERM) == 0
    world.start()
    assert 'luctl: m: machine m is ' in world.luctl('rerandomize', 'ds', '--every', '20s', code=8)
    assert 'recorded' in world.luctl('rerandomize', '--every', 'off')
    assert world.peer.standing['state'] == 'STANDING_RUNNING'
    reached()
    world.until(lambda: world.peer.standing['state'] == 'STANDING_WITHDRAWN')


harness.main(globals(), 2)
