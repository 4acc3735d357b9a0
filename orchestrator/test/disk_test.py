#!/usr/bin/env python3
"""The disk below the record: who waits for it, what may be said before it has everything, and what is left when lud or
the power ends at any call.

Usage: disk_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import threading
import time

import harness
import peer
import wire

DATABASE, LOG = 1, 2
SECTOR = 512
UNWRITABLE, DAMAGED = 'RECORD_UNWRITABLE', 'RECORD_DAMAGED'


class Call:
    """One line of the list of record_fault.c."""

    def __init__(self, words, data):
        self.number, self.what, self.thread = int(words[0]), words[1], words[2]
        self.file, self.offset, self.size = int(words[3]), int(words[4]), int(words[5])
        self.data = data

    def __repr__(self):
        return '%d %s %s %d %d+%d' % (self.number, self.what, self.thread, self.file, self.offset, self.size)


def calls(path, size=-1):
    """The list, or so many bytes of it; a line that was cut off is none."""
    with open(path, 'rb') as f:
        content = f.read(size)
    found, at = [], 0
    while True:
        end = content.find(b'\n', at)
        if end < 0:
            return found
        words = content[at:end].decode().split()
        size = int(words[5]) if words[1] == 'write' else 0
        if end + 1 + size > len(content):
            return found
        found.append(Call(words, content[end + 1:end + 1 + size]))
        at = end + 1 + size


class Disk:
    """What a disk may have of the record when the power goes, by a list of calls."""

    def __init__(self, start):
        with open(start, 'rb') as f:
            self.files = {DATABASE: bytearray(f.read()), LOG: bytearray()}
        self.pending = {DATABASE: [], LOG: []}
        self.begun = {}

    def play(self, found):
        for call in found:
            if call.what in ('write', 'truncate'):
                self.pending[call.file].append(call)
            elif call.what == 'sync' and call.file:
                self.begun[call.thread, call.file] = len(self.pending[call.file])
            elif call.what == 'synced' and call.file:
                n = self.begun.pop((call.thread, call.file))
                for done in self.pending[call.file][:n]:
                    self.apply(done)
                del self.pending[call.file][:n]
            assert call.what != 'unlink', call
        return self

    def apply(self, call):
        self.put(call.file, call.offset, call.data) if call.what == 'write' else self.cut(call.file, call.offset)

    def cut(self, file, size):
        content = self.files[file]
        del content[size:]
        content.extend(bytes(size - len(content)))

    def put(self, file, offset, data):
        content = self.files[file]
        content.extend(bytes(max(0, offset + len(data) - len(content))))
        content[offset:offset + len(data)] = data

    def lose(self, rng):
        """Of what no call brought to disk: none (rng None), or any of it, by sectors. A file that was made shorter keeps
        its old bytes, all of them, or has none of them beside new ones: so do journals."""
        for file, pending in self.pending.items():
            for call in pending if rng else ():
                if call.what == 'truncate':
                    if rng.random() < 0.5:
                        break
                    self.cut(file, call.offset)
                    continue
                how = rng.choice(('all', 'none', 'torn'))
                at = 0
                while how != 'none' and at < call.size:
                    n = min(SECTOR - (call.offset + at) % SECTOR, call.size - at)
                    if how == 'all' or rng.random() < 0.5:
                        self.put(file, call.offset + at, call.data[at:at + n])
                    at += n
            pending.clear()

    def store(self, path):
        for name, content in (('', self.files[DATABASE]), ('-wal', self.files[LOG])):
            with open(path + name, 'wb') as f:
                f.write(content)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + '-shm')


def listed(world):
    return os.path.join(world.dir, 'calls')


def before(world):
    return os.path.join(world.dir, 'before.db')


def database(world):
    return os.path.join(world.state, 'lud.db')


def start(world, **faults):
    """lud anew, in good order, with these faults and a list; what its record was is kept."""
    if world.lud:
        assert world.kill(signal.SIGTERM) == 0
    assert not os.path.exists(database(world) + '-wal')
    shutil.copyfile(database(world), before(world))
    world.start(faults={'LIST': listed(world), **faults})


def up(world):
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


def work(world, told=lambda job, state: None):
    """An update and the way back, as far as lud lives: the jobs that ended by its word, with their states."""
    done = []
    with contextlib.suppress(wire.Ended, OSError, TimeoutError):
        with world.control() as control:
            for request in ({'update': {'service': 'ds', 'release': world.release_id(world.kits[1]).hex()}},
                            {'rollback': {'service': 'ds'}}):
                answer = control.call(timeout=100, **request)
                for job in answer.get('jobs', [answer]):
                    done.append((job['id'], job['state']))
                    told(*done[-1])
    return done


# A service as it was seen: when, its number, and all that the machine said of it.
AS_RECORDED = ("SELECT s.seen_us, s.run_number, t.* FROM services s LEFT JOIN service_states t ON t.id = s.id"
               " WHERE s.name = 'ds'")


def prepared(world):
    world.prepare(2)
    world.luctl('rerandomize', 'ds')
    assert world.kill(signal.SIGTERM) == 0


class Witness:
    """What somebody outside was told, and how long the list was then."""

    def __init__(self, world):
        self.world, self.heard, self.lock = world, [], threading.Lock()
        for name in ('order_run', 'event_ack'):
            setattr(world.peer, '_on_' + name, self.between(name, getattr(world.peer, '_on_' + name)))

    def between(self, name, then):
        def hear(request, body):
            self.hear(name, body)
            then(request, body)
        return hear

    def hear(self, what, body):
        with self.lock:
            self.heard.append((what, body, os.path.getsize(listed(self.world))))

    def check(self):
        """All that was said stands on the disk, had the power gone when it was heard."""
        for what, body, size in self.heard:
            disk = Disk(before(self.world)).play(calls(listed(self.world), size))
            disk.lose(None)
            path = os.path.join(self.world.dir, 'lost.db')
            disk.store(path)
            with contextlib.closing(sqlite3.connect(path)) as db:
                if what == 'order_run':
                    order = peer.Order(*peer.envelope_parts(body['envelope'])[1][1])
                    row = db.execute('SELECT o.sent, j.boot_id FROM orders o JOIN jobs j ON j.id = o.job'
                                     ' WHERE o.epoch = ? AND o.txn = ?', (order.epoch, order.txn)).fetchone()
                    assert row and all(row), (what, order.txn, row)
                elif what == 'event_ack':
                    seq, = db.execute('SELECT event_seq FROM machines').fetchone()
                    assert seq >= body['seq'], (what, body, seq)
                else:
                    ended, = db.execute('SELECT ended_us FROM jobs WHERE id = ?', (what,)).fetchone() or (0,)
                    assert ended and body == 'JOB_STATE_CONFIRMED', (what, body, ended)


def test_nobody_waits(world):
    """No call of the loop waits for the disk; and nobody is told what the disk does not have."""
    prepared(world)
    witness = Witness(world)
    start(world, DELAY=300)
    up(world)
    n_before = len(calls(listed(world)))
    assert [state for _, state in work(world, witness.hear)] == ['JOB_STATE_CONFIRMED'] * 2
    found = calls(listed(world))
    waited = [call for call in found[n_before:] if call.what == 'sync']
    assert len(waited) >= 8 and all(call.thread == 'other' for call in waited), waited
    said = [what for what, _, _ in witness.heard]
    assert said.count('order_run') >= 4 and said.count('event_ack') >= 2 and len(said) > 7, said
    witness.check()
    # What a step starts, its begin has on disk.
    forks = [index for index, call in enumerate(found) if call.what == 'fork' and index >= n_before]
    assert forks
    for index in forks:
        disk = Disk(before(world)).play(found[:index])
        disk.lose(None)
        path = os.path.join(world.dir, 'lost.db')
        disk.store(path)
        with contextlib.closing(sqlite3.connect(path)) as db:
            n, = db.execute('SELECT count(*) FROM job_steps WHERE ended_us = 0').fetchone()
            assert n, found[index]


def settled(world, done):
    """Whatever happened: lud comes up by itself, every job ends, what was told is true, and the next update works."""
    world.start()
    up(world)
    world.until(lambda: not harness.record(world, 'SELECT count(*) FROM jobs WHERE NOT ended_us')[0])
    assert world.json('status')['record']['state'] == 'well', world.json('status')['record']
    for job, state in done:
        with world.control() as control:
            assert control.call(job_show={'job': job})['state'] == state, (job, state)
    assert len(world.peer.runs) == len(set(world.peer.runs)), world.peer.runs
    job = world.json('rerandomize', 'ds')['jobs'][0]
    assert job['state'] == 'confirmed' and job['generation'] == world.running(), job
    assert world.kill(signal.SIGTERM) == 0


def n_calls(world):
    """How many calls an update and the way back come to, from the start of lud."""
    start(world)
    up(world)
    work(world)
    assert world.kill(signal.SIGTERM) == 0
    found = calls(listed(world))
    return max(call.number for call in found if call.what != 'unlink')


def points(world):
    """Some of all calls, or each DISK_TEST_ALL-th; the seed is printed."""
    n, every = n_calls(world), int(os.environ.get('DISK_TEST_ALL', 0))
    rng = random.Random(peer.SEED)
    print('# %d calls, seed %s' % (n, peer.SEED))
    return rng, range(rng.randint(1, every), n + 1, every) if every else sorted(rng.sample(range(1, n + 1), 10))


def killed_at(world, n):
    start(world, DIE_AT=n)
    done = work(world)
    if world.lud.poll() is None:
        # It made fewer calls this time: killed now.
        world.kill()
    else:
        world.wait_dead()
    return done


def test_killed_at_calls(world):
    """kill -9 instead of any call on the record, in an update and the way back."""
    prepared(world)
    _, some = points(world)
    for n in some:
        print('# call %d' % n, flush=True)
        settled(world, killed_at(world, n))


def test_lost_and_torn(world):
    """The power goes instead of any such call: of what no call brought to disk any part is lost, or torn."""
    prepared(world)
    rng, some = points(world)
    for n in some:
        print('# call %d' % n, flush=True)
        done = killed_at(world, n)
        disk = Disk(before(world)).play(calls(listed(world)))
        disk.lose(rng)
        disk.store(database(world))
        settled(world, done)


def touched(world, name):
    path = os.path.join(world.dir, name)
    with open(path, 'w', encoding='ascii'):
        return path


def at_rest(world):
    """Nothing was written for a while: what follows the start of a session is over (its statement, figures of layouts)."""
    seen = [0, 0]

    def rests():
        size = os.path.getsize(listed(world))
        if size != seen[0]:
            seen[:] = size, time.monotonic()
        return time.monotonic() - seen[1] > 0.7
    world.until(rests)


def memory(world):
    """Of lud, resident."""
    with open('/proc/%d/status' % world.lud.pid, encoding='ascii') as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith('VmRSS'))


def record_is(world, state, words):
    """Whether status says so of the record; an answer that waits for the disk is none."""
    with contextlib.suppress(wire.Ended, OSError, TimeoutError), world.control() as control:
        record = control.call(timeout=12, status={})['record']
        return record['state'] == state and words in record['text']
    return False


def test_disk_stands_still(world):
    """A disk that does not answer: lud goes on serving, says so, begins nothing, and goes on by itself."""
    prepared(world)
    stuck = os.path.join(world.dir, 'stuck')
    start(world, STUCK=stuck)
    up(world)
    orders = len(world.peer.orders)
    with world.control() as control:
        touched(world, 'stuck')
        try:
            asked = control.send(rerandomize={'services': ['ds']})
            world.until(lambda: record_is(world, UNWRITABLE, 'cannot be written: the disk has not'))
            assert 'has not finished a write' in world.luctl('update', 'ds', code=4)
            assert world.json('status')['machine']['state'] == 'up' and len(world.peer.orders) == orders, [
                (o.action, o.txn) for o in world.peer.orders]
        finally:
            os.unlink(stuck)
        with contextlib.suppress(wire.Refused):
            control.wait_reply(asked, 100)
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.orders) == orders + 2


def test_disk_late(world):
    """While the disk does not answer: status is there at once and soon says so, no time passes for a job, a client that
    goes on asking is cut off, and SIGTERM is obeyed, with a word on what may be lost."""
    prepared(world)
    stuck = os.path.join(world.dir, 'stuck')
    start(world, STUCK=stuck)
    up(world)
    for seconds in (1, 10):
        with world.control() as control:
            touched(world, 'stuck')
            asked = control.send(rerandomize={'services': ['ds'], 'timeout_ms': 8000})
            began = time.monotonic()
            time.sleep(seconds)
            asking = time.monotonic()
            record = world.json('status', code=None)['record']
            assert time.monotonic() - asking < 20, time.monotonic() - asking
            if seconds > 2:
                assert record['state'] == 'unwritable' and 'has not finished a write for' in record['text'], record
            os.unlink(stuck)
            job = control.wait_reply(asked, 100)['jobs'][0]
            assert job['state'] == 'JOB_STATE_CONFIRMED', (time.monotonic() - began, job)
    touched(world, 'stuck')
    with world.control() as control, contextlib.suppress(wire.Ended, OSError):
        control.send(rerandomize={'services': ['ds']})
        for _ in range(20000):
            control.send(history={'limit': 20})
    assert memory(world) < 64 << 20, memory(world)
    began = time.monotonic()
    assert world.kill(signal.SIGTERM) == 0 and time.monotonic() - began < 60
    assert 'lost should the power go now' in world.log()
    os.unlink(stuck)
    settled(world, [])


def test_disk_fails(world):
    """A disk that fails to take what was written, once: nobody is told that it did, nothing more is written, status says
    what is wrong, and the next lud settles."""
    prepared(world)
    fails = os.path.join(world.dir, 'fails')
    start(world, FAIL=fails)
    up(world)
    at_rest(world)
    touched(world, 'fails')
    orders = len(world.peer.orders)
    with world.control() as control, contextlib.suppress(wire.Ended, OSError):
        answer = control.call(timeout=100, rerandomize={'services': ['ds']})
        assert answer['jobs'][0]['state'] == 'JOB_STATE_INCONSISTENT', answer
    world.until(lambda: record_is(world, DAMAGED, 'did not reach the disk'))
    os.unlink(fails)
    record = world.json('status', code=1)['record']
    assert 'did not reach the disk' in record['text'] and 'dmesg' in record['remedy'], record
    told = world.luctl('update', 'ds', code=4)
    assert 'record-damaged' in told and 'did not reach the disk' in told, told
    assert len(world.peer.orders) == orders
    assert world.kill(signal.SIGTERM) == 0
    settled(world, [])


def test_asked_often(world):
    """A question writes what has changed, at once, and nothing else: that time passes is no change, for a minute."""
    prepared(world)
    ds = world.peer.services['ds']
    ds.update(dict.fromkeys(('uptime_ns', 'pong_at_ns', 'pong_took_ns', 'ping_open_ns', 'restarts', 'endpoint', 'made',
                             'floor', 'memory_bytes'), 0))
    start(world)
    up(world)
    at_rest(world)

    def recorded():
        world.luctl('status')
        return harness.record(world, AS_RECORDED)
    begin, n_before, seen = time.monotonic(), len(calls(listed(world))), set()
    for n in range(1, 21):
        ds.update(uptime_ns=n, pong_at_ns=n, pong_took_ns=n, ping_open_ns=n)
        seen.add(recorded()[0])
    took = time.monotonic() - begin
    # What asks of itself whether the record can be written does so every two seconds.
    syncs = [call for call in calls(listed(world))[n_before:] if call.what == 'sync']
    assert len(seen) <= 2 + took / 60 and len(syncs) <= 4 + took, (took, seen, syncs)
    for name, value in (('restarts', 1), ('endpoint', 77), ('made', 1), ('floor', 1), ('release_id', bytes(64)),
                        ('memory_bytes', 9), ('state', 'SERVICE_DOWN'), ('generation', ds['generation'] + 1)):
        before_it = recorded()
        ds[name] = value
        after = recorded()
        assert after[0] > before_it[0] and after[2:] != before_it[2:], (name, before_it, after)
    assert after[1] == ds['generation']
    # Neither a lud that ends nor one that knows nothing of before changes that; what is old is written again.
    for aged_sec, again in ((0, False), (60, True)):
        assert world.kill(signal.SIGKILL) == -signal.SIGKILL
        with contextlib.closing(sqlite3.connect(database(world))) as db, db:
            db.execute('UPDATE services SET seen_us = ? - ? * 1000000', (int(time.time() * 1e6), aged_sec))
        was = harness.record(world, AS_RECORDED)
        begin = time.monotonic()
        world.start()
        up(world)
        now = recorded()
        assert now[1] == ds['generation'] and (again or now[2:] == was[2:]), (was, now)
        assert again == (now[0] != was[0]) or not again and time.monotonic() - begin > 50, (again, was, now)


def test_put_right(world):
    """What the record has of a generation otherwise than the machine is written, though the machine says what it said."""
    prepared(world)
    for column, wrong in (('state', 2), ('made', 3)):
        with contextlib.closing(sqlite3.connect(database(world))) as db, db:
            db.execute('UPDATE generations SET %s = ? WHERE state = 1' % column, (wrong,))
            db.execute('UPDATE services SET seen_us = ?', (int(time.time() * 1e6),))
        world.start()
        up(world)
        query = "SELECT state, made FROM generations WHERE number = %d" % world.running()
        world.until(lambda: world.luctl('status') and tuple(harness.record(world, query)) == (1, 0))
        assert world.kill(signal.SIGTERM) == 0


harness.main(globals(), 3)
