#!/usr/bin/env python3
"""Machines that start, end, are strangers or have no identity; and what is seen of them.

Usage: machine_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

import harness
from harness import record, refused


def test_known_machine(world):
    """The machine that a name stood for when a control key was used first is the only one it is used for again."""
    world.prepare()
    command = [world.program('ctl/luctl'), 'restart', 'ds', '--socket', world.socket, '--keys', world.dir + '/keys']
    known = world.dir + '/keys/known_machines'
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    line = 'm %s\n' % world.peer.machine_id.hex()
    assert f'machine m, {world.peer.machine_id.hex()} (order 1.1)' in done.stderr, done.stderr
    assert 'service ds' in done.stderr and f'noted in {known}' in done.stderr, done.stderr
    with open(known, encoding='ascii') as f:
        assert f.read() == line
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    assert 'noted' not in done.stderr, done.stderr
    with open(known, 'w', encoding='ascii') as f:
        f.write('m ' + '0' * 32 + '\n')
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert f'{known}:1: the order is for another machine' in done.stderr and done.returncode == 7, done
    assert 'did not sign' not in done.stderr and 'restart failed' in done.stdout, done
    assert 'luctl did not sign the order' in world.luctl('jobs')
    assert len(world.peer.orders) == 2
    # What is printed is done: the line goes.
    with open(known, 'w', encoding='ascii'):
        pass
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    assert len(world.peer.orders) == 3


def test_restart_refused(world):
    """What only the kernel loads is not started afresh alone: why is told, and what helps."""
    world.prepare()
    world.peer.faults['kernel_loaded'] = 1
    told = world.luctl('restart', 'ds', '--keys', world.dir + '/keys', code=4)
    assert 'the kernel loads it' in told and 'luctl machine stop m' in told and 'description' not in told, told
    job, = world.json('jobs')['jobs']
    assert job['state'] == 'refused' and job['cause']['name'] == 'not-alone' and job['cause']['component'] == 'ds', job


def test_snapshot(world):
    """A machine that was put back under one boot id is a new boot: nothing is taken for done."""
    world.prepare()
    world.luctl('update', 'ds')
    world.luctl('rerandomize', 'ds')
    world.kill()
    world.peer.put_back()
    world.peer.services['ds']['generation'] = 1
    world.start()
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
    assert world.running() == 4 and len(world.peer.statements) == 1
    with open(os.path.join(world.dir, 'lud.log'), encoding='utf-8') as f:
        assert 'snapshot' in f.read()


def test_stranger(world):
    """Another machine at the socket is named, is not believed and is ordered nothing; what is said to be done helps."""
    world.prepare()
    world.luctl('update', 'ds')
    orders, known = len(world.peer.orders), world.peer.machine_id
    world.kill()
    n_events, = record(world, 'SELECT count(*) FROM events')
    assert record(world, "SELECT count(*) FROM events WHERE txn > 0 AND epoch > 0 AND service = 'ds' AND outcome > 0") != (0,)
    world.peer.reboot()
    world.peer.machine_id = os.urandom(16)
    world.peer.seq = 1000
    world.peer.events = [{'seq': 1001, 'clock_ns': 1, 'result': {'txn': 99, 'epoch': 1, 'outcome': 'OUTCOME_COMMITTED'}}]
    world.peer.faults['early_events'] = 1
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'down')
    assert 'another machine answers' in world.luctl('status')
    told = world.luctl('update', 'ds', code=8)
    assert 'luctl machine stop m' in told and 'under another name' in told, told
    assert len(world.peer.orders) == orders and not world.peer.statements
    assert record(world, 'SELECT count(*) FROM events') == (n_events,)
    assert record(world, "SELECT machine_id FROM machines WHERE name = 'm'") == (known,)
    world.luctl('machine', 'stop', 'm')
    world.luctl('machine', 'start', 'n', '--attach', world.peer.path)
    assert world.json('update', 'ds', '-m', 'n')['state'] == 'confirmed'
    # Nor does a second name for one machine make two of it.
    world.luctl('machine', 'stop', 'n')
    world.luctl('machine', 'start', 'o', '--attach', world.peer.path, code=8)
    assert 'another machine answers' in world.luctl('status', '-m', 'o')


@contextlib.contextmanager
def own_machine(world):
    """A machine of lud's own without QEMU: a process, deaf to SIGTERM, that is found as one, and a peer at its socket."""
    home = os.path.join(world.state, 'machines/m')
    path = os.path.join(home, 'port.sock')
    os.makedirs(home)
    deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)'
    with harness.peer.Peer(path), subprocess.Popen([sys.executable, '-c', deaf, 'path=%s,' % path],
                                                   stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with open(home + '/qemu.pid', 'w', encoding='ascii') as f:
            f.write('%d\n' % process.pid)
        world.luctl('machine', 'start', 'm', '--attach', path)
        try:
            yield process, path
        finally:
            process.kill()


def test_ending(world):
    """A machine whose process was asked to end, and is slow to, is not taken up again before it has."""
    world.start()
    luctl = [world.program('ctl/luctl'), 'machine', 'stop', 'm', '--force', '--socket', world.socket]
    with own_machine(world) as (process, path):
        def machine():
            return world.json('machine', 'list')['machines'][0]
        assert machine()['state'] == 'up' and not machine().get('attached')
        stop = subprocess.Popen(luctl, stdout=subprocess.DEVNULL)
        world.until(lambda: machine()['state'] == 'connecting')
        # All at once: it has five seconds.
        asked = [((4, 'runs already'), ['start', 'm']), ((1, 'busy'), ['start', 'm', '--attach', path]),
                 ((1, 'busy'), ['stop', 'm', '--force'])]
        told = [(expected, subprocess.Popen([world.program('ctl/luctl'), 'machine', *words, '--socket', world.socket],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
                for expected, words in asked]
        told = [(expected, other.communicate(timeout=100)[1], other.returncode) for expected, other in told]
        if process.poll() is None:  # else this host stood still until it had ended
            for (code, said), text, returned in told:
                assert returned == code and said in text, (code, said, returned, text)
        assert process.wait(100) == -signal.SIGKILL
        assert stop.wait(100) == 0 and machine()['state'] == 'stopped'


def test_shutdown_not_recorded(world):
    """A shutdown that cannot be recorded is refused as every change is, and is told from one that may not be."""
    def answer():
        try:
            with world.control() as control:
                control.call(timeout=100, machine_stop={'machine': 'm', 'clean': True})
        except harness.wire.Refused as e:
            return e.error['class'], e.error['cause']['name']
        raise AssertionError('it is taken')
    world.start()
    with own_machine(world) as (process, _):
        with refused(world, 'INSERT ON jobs'):
            assert answer() == ('ERROR_INTERNAL', 'record')
        with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)) as db:
            # A lock that lud has not met when it is asked: only planning finds it.
            world.until(lambda: world.json('status')['record']['state'] == 'well')
            db.execute('BEGIN IMMEDIATE')
            assert answer() == ('ERROR_UNAVAILABLE', 'record-unwritable')
            db.execute('ROLLBACK')
        assert process.poll() is None
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        process.kill()


# As QEMU that makes itself a daemon: the process that stays, its pidfile; it returns when it is told, and as what.
FAKE_QEMU = '''#!/usr/bin/env python3
import os, subprocess, sys, time
pidfile = sys.argv[sys.argv.index('-pidfile') + 1]
word, = (word for word in sys.argv if 'port.sock' in word)
process = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', word], start_new_session=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
with open(pidfile + '.new', 'w') as f:
    f.write('%d\\n' % process.pid)
with open(os.path.dirname(pidfile) + '/words', 'w') as f:
    f.write('\\n'.join(sys.argv))
os.rename(pidfile + '.new', pidfile)
while not os.path.exists(os.path.dirname(pidfile) + '/return'):
    time.sleep(0.01)
with open(os.path.dirname(pidfile) + '/return') as f:
    sys.exit(int(f.read()))
'''


@contextlib.contextmanager
def launching(world, more_config=''):
    """A `machine start` that is under way, a peer that will be the machine, and a function that ends the launch."""
    world.install('fake_qemu', FAKE_QEMU)
    with open(world.config, encoding='ascii') as f:
        config = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(config.replace('programs:\n', 'programs:\n  qemu: %s/fake_qemu\n' % world.dir) +
                'machine:\n  services: "ds"\n' + more_config)
    world.start()
    kit = world.kit('ds', 1)
    world.luctl('release', 'add', kit)
    home = os.path.join(world.state, 'machines/own')
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'machine', 'start', 'own', '--socket', world.socket],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    world.until(lambda: os.path.exists(home + '/qemu.pid'))
    machine = harness.peer.Peer(home + '/port.sock')
    machine.machine_id, = record(world, "SELECT machine_id FROM machines WHERE name = 'own'")
    machine.add_service('ds', world.release_id(kit))
    machine.services['ds']['generation'], = record(world, 'SELECT max(number) FROM generations')

    def end(code):
        with open(home + '/return.new', 'w', encoding='ascii') as f:
            f.write(str(code))
        os.rename(home + '/return.new', home + '/return')
    with machine:
        yield luctl, machine, end
    with open(home + '/qemu.pid', encoding='ascii') as f, contextlib.suppress(ProcessLookupError):
        os.kill(int(f.read()), signal.SIGKILL)


def kernel_of(home):
    """That the machine was started with."""
    with open(home + '/words', encoding='ascii') as f:
        words = f.read().split('\n')
    return words[words.index('-kernel') + 1]


def test_kernel_drawn(world):
    """A machine is started with the kernel that was moved for it; the file stays, and is nobody else's."""
    with launching(world) as (luctl, machine, end):
        home = os.path.dirname(machine.path)
        assert kernel_of(home) == home + '/kernel'
        assert os.stat(home + '/kernel').st_mode & 0o077 == 0
        end(0)
        assert luctl.wait(100) == 0 and os.path.exists(home + '/kernel')
        assert world.json('machine', 'show', 'own')['machine']['kernel_generation'] == 1
        assert 'kernel generation 1: its place was drawn for this start' in world.luctl('machine', 'show', 'own')
        with open(home + '/memory', encoding='ascii') as f:
            assert int(f.read()) == 256 << 20
        assert 'kernel generation 1' in world.luctl('job', 'show', '1')
        # However often it was looked for, a machine that is waited for has one step.
        assert [step['name'] for step in world.json('job', 'show', '1')['steps']].count('confirm') == 1


def test_start_fails(world):
    """Where QEMU does not start, the image with its seed goes, and the kernel's place is that of an attempt."""
    with launching(world) as (luctl, machine, end):
        home = os.path.dirname(machine.path)
        assert os.path.exists(home + '/boot.img')
        end(3)
        assert 'QEMU did not start' in luctl.communicate(timeout=100)[0] and luctl.returncode == 1
        assert not os.path.exists(home + '/boot.img')
        assert 'kernel generation 1: its place was drawn when a start was last tried' in world.luctl(
            'machine', 'show', 'own')


def test_kernel_linked(world):
    """Where the configuration says so it is started with the kernel as it was linked, whatever an earlier start left."""
    home = os.path.join(world.state, 'machines/own')
    os.makedirs(home, 0o700)
    with open(home + '/kernel', 'wb') as f:
        f.write(b'of an earlier start')
    with launching(world, '  kernel_place: linked\n') as (luctl, machine, end):
        assert kernel_of(home) == world.program('osd/kernel/samsara-kernel')
        assert not os.path.exists(home + '/kernel')
        end(0)
        assert luctl.wait(100) == 0
        assert not world.json('machine', 'show', 'own')['machine']['kernel_generation']
        assert 'kernel generation' not in world.luctl('machine', 'show', 'own') + world.luctl('job', 'show', '1')


def test_kernel_refused(world):
    """One that cannot be moved is named by its path, and so is what helps; no machine is started."""
    bad = os.path.join(world.dir, 'stripped')
    with open(bad, 'wb') as f:
        f.write(b'no kernel')
    with open(world.config, encoding='ascii') as f:
        config = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write('kernel: "%s"\n%smachine:\n  services: "ds"\n' % (bad, config))
    world.start()
    world.luctl('release', 'add', world.kit('ds', 1))
    said = world.luctl('machine', 'start', 'own', code=1)
    assert bad + ': not an ELF file' in said and 'machine.kernel_place: linked' in said, said
    os.unlink(bad)
    said = world.luctl('machine', 'start', 'own', code=1)
    assert bad + ': No such file' in said and 'machine.kernel_place: linked' in said, said
    assert 'kernel' not in os.listdir(os.path.join(world.state, 'machines/own'))


def n_watched(world, pid):
    """By how many descriptors lud watches a process."""
    fds = '/proc/%d/fdinfo' % world.lud.pid
    return sum('\nPid:\t%d\n' % pid in open(os.path.join(fds, fd), encoding='ascii').read() for fd in os.listdir(fds))


def test_attach_in_launch(world):
    """To attach a machine that is being started waits for that start, and takes nothing up beside it."""
    with launching(world) as (luctl, machine, end), world.control() as control:
        asked = control.send(machine_start={'machine': 'own', 'attach': True, 'socket': machine.path})
        control.call(status={})
        end(0)
        listed = control.wait_reply(asked, 100)['machines']
        assert [m['state'] for m in listed] == ['MACHINE_UP'], listed
        assert luctl.wait(100) == 0
        with open(os.path.dirname(machine.path) + '/qemu.pid', encoding='ascii') as f:
            assert n_watched(world, int(f.read())) == 1


def test_failed_launch(world):
    """A start that fails is told to whoever waits for it, and to whoever wanted to attach the machine."""
    with launching(world) as (luctl, machine, end), world.control() as control:
        asked = control.send(machine_start={'machine': 'own', 'attach': True, 'socket': machine.path})
        control.call(status={})
        end(1)
        try:
            control.wait_reply(asked, 100)
            raise AssertionError('it is attached')
        except harness.wire.Refused as e:
            assert 'QEMU did not start' in str(e), e
        assert luctl.wait(100) == 1 and 'QEMU did not start' in luctl.stdout.read()
        # What runs all the same is not started a second time, and can be had.
        assert '--attach' in world.luctl('machine', 'start', 'own', code=4)
        world.luctl('machine', 'start', 'own', '--attach', machine.path)
        assert world.json('machine', 'list')['machines'][0]['state'] == 'up'


def test_second_machine(world):
    """A second machine changes nothing for bare commands; a machine that is removed keeps its history."""
    world.prepare()
    world.luctl('update', 'ds')
    other = harness.peer.Peer(os.path.join(world.dir, 'other.sock'))
    other.add_service('ds', world.release_id(world.kits[0]))
    with other:
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        assert world.json('status')['machine']['name'] == 'm'
        assert world.json('update', 'ds')['machine'] == 'm' and not other.runs
        assert world.json('update', 'ds', '-m', 'b')['state'] == 'confirmed' and len(other.runs) == 1
        marked = {m['name']: m['is_default'] for m in world.json('machine', 'list')['machines']}
        assert marked == {'m': True, 'b': False}
        world.luctl('machine', 'default', 'b')
        world.kill()
        world.start()
        assert world.json('status')['machine']['name'] == 'b'
        assert 'luctl machine stop b' in world.luctl('machine', 'remove', 'b', code=4)
        assert 'usage' in world.luctl('machine', 'remove', code=2)
        world.luctl('machine', 'stop', 'b')
        # What is to be done names the machine: the default one is another.
        world.luctl('machine', 'default', 'm')
        for command in (['update', 'ds'], ['restart', 'ds', '--keys', world.dir + '/keys'], ['rerandomize', '--all']):
            assert 'luctl machine start b' in world.luctl(*command, '-m', 'b', code=8), command
        world.luctl('machine', 'default', 'b')
        world.luctl('machine', 'remove', 'b')
        # The only one that is left is meant.
        assert world.json('status')['machine']['name'] == 'm'
        assert [m['name'] for m in world.json('machine', 'list')['machines']] == ['m']
        history = world.json('history', '-m', 'b')['generations']
        assert history and all(g['machine'] == 'b' for g in history)
        shown = world.json('show', 'ds', str(history[0]['generation']), '-m', 'b')
        assert shown['machine'] == 'b'
        # Two machines and no default: the error names both, and what to do.
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        assert len(world.json('history', '-m', 'b')['generations']) == len(history)
        told = world.luctl('history', code=2)
        assert 'm' in told and 'b' in told and '--machine' in told and 'machine default' in told, told
        world.luctl('machine', 'stop', 'b')


def test_limit(world):
    """Another machine than there may be is refused; one that there is starts again, and one that goes makes room."""
    world.prepare()
    harness.configured(world, 'machine:\n  limit: "1"\n')
    with harness.peer.Peer(os.path.join(world.dir, 'b.sock')) as other:
        told = world.luctl('machine', 'start', 'b', '--attach', other.path, code=4)
        assert 'machines-full' in told and 'machine.limit' in told and 'luctl machine remove' in told, told
        world.luctl('machine', 'stop', 'm')
        world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
        world.luctl('machine', 'stop', 'm')
        world.luctl('machine', 'remove', 'm')
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        world.kill(signal.SIGTERM)


def test_add(world):
    """A machine is known before its first start, and is what it was made then; adding it again changes nothing."""
    world.prepare()
    for _ in range(2):
        listed = {m['name']: m for m in world.json('machine', 'add', 'next')['machines']}
        assert listed['next']['state'] == 'stopped' and set(listed) == {'m', 'next'}, listed
        world.luctl('machine', 'group', 'next', 'payments')
    world.kill()
    world.start()
    shown = world.json('machine', 'show', 'next')['machine']
    assert (shown['state'], shown['groups']) == ('stopped', 'payments'), shown
    assert 'next' not in world.luctl('status').split('\n')[0]
    for wrong in ('a b', '', 'x' * 64):
        world.luctl('machine', 'add', wrong, code=2)
    harness.configured(world, 'machine:\n  limit: "2"\n')
    assert 'machines-full' in world.luctl('machine', 'add', 'third', code=4)
    world.luctl('machine', 'remove', 'next')
    assert [m['name'] for m in world.json('machine', 'list')['machines']] == ['m']


def test_marks_go(world):
    """Groups and labels go with a machine: none that comes later under its name is matched by them."""
    world.prepare()
    world.luctl('machine', 'group', 'm', 'payments')
    world.luctl('machine', 'label', 'm', 'ring=last')
    world.luctl('machine', 'stop', 'm')
    world.luctl('machine', 'remove', 'm')
    world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    for _ in range(2):
        machine, = world.json('machine', 'list')['machines']
        assert (machine['groups'], machine['labels']) == ('', ''), machine
        world.kill()
        world.start()


def test_no_identity(world):
    """A machine whose identity cannot be recorded is not started, and the refusal says so."""
    world.start()
    world.luctl('machine', 'start', 'lost', '--attach', world.dir + '/nobody.sock', code=8)
    world.kill()
    # One of lud's own that was found and never answered leaves such a row.
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        db.execute('UPDATE machines SET attached = 0')
        db.execute("CREATE TRIGGER refuse BEFORE UPDATE OF machine_id ON machines"
                   " BEGIN SELECT RAISE(ABORT, 'no'); END")
        db.commit()
    world.start()
    for _ in range(2):
        told = world.luctl('machine', 'start', 'lost', code=4)
        assert 'lost: the machine has no identity yet' in told and 'recorded' in told and 'log of lud' in told, told


def test_log_kept(world):
    """All that a machine said so far, in its order; the newest thousand lines of one that says more."""
    world.prepare()

    def told():
        return [line.rsplit(' ', 1)[1] for line in world.luctl('log', '--limit', '5000').splitlines()]
    for n, kept in ((20, 20), (1300, 1000)):
        world.kill()
        world.peer.says = ['line-%d' % i for i in range(n)]
        world.start()
        world.until(lambda k=n: told()[-1:] == ['line-%d' % (k - 1)])
        assert told() == world.peer.says[-kept:]


harness.main(globals(), 3)
