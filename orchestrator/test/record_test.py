#!/usr/bin/env python3
"""The record and its disk: full, read-only, locked, damaged, moved, old.

Usage: record_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess

import harness
import peer
from harness import STEP_ORDER, STEP_STAGE, fill, refused


@contextlib.contextmanager
def disk_full(world):
    """No write of lud gets through: ENOSPC where a small disk could be mounted, else EFBIG."""
    if world.disk:
        ballast = fill(world.state)
        yield
        os.unlink(ballast)
    else:
        soft, hard = resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE, (1, hard))
        yield
        resource.prlimit(world.lud.pid, resource.RLIMIT_FSIZE, (soft, hard))


CHANGES = [['update', 'ds'], ['rollback', 'ds'], ['machine', 'start', 'x'], ['machine', 'stop', 'm', '--force'],
           ['rerandomize', 'ds']]


def check_read_only(world):
    """What is true is shown, what is asked of the record is read, what would change it is refused."""
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable')
    status = world.json('status')
    assert status['machine']['state'] == 'up' and not status['stale']
    assert status['services'][0]['service']['generation'] == world.running()
    assert world.json('history')['generations']
    for command in CHANGES + [['release', 'add', world.kits[0]]]:
        told = world.luctl(*command, code=4)
        assert 'record-unwritable' in told and 'lud.db' in told and 'goes on by itself' in told, told


def test_disk_full(world):
    """Between jobs: lud reads on, refuses changes by name, and is well again when there is room."""
    world.small_disk()
    world.prepare()
    assert world.json('update', 'ds')['state'] == 'confirmed'
    with disk_full(world):
        check_read_only(world)
        lud = world.lud.pid
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.json('update', 'ds')['state'] == 'confirmed' and world.lud.pid == lud


def test_disk_full_in_jobs(world):
    """At every step of a job: no abort; settled from the machine's answers when there is room; run once."""
    world.small_disk()
    world.prepare()
    world.json('update', 'ds')
    for step in ('seed', 'forge', 'sign', 'stage', 'run', 'confirm'):
        assert world.kill(signal.SIGTERM) == 0
        world.start(stop_at=step + '.did')
        runs = len(world.peer.runs)
        with world.control() as control:
            asked = control.send(rerandomize={'services': ['ds']})
            world.wait_stopped()
            full = disk_full(world)
            full.__enter__()
            world.lud.send_signal(signal.SIGCONT)
            job = control.wait_reply(asked, 100)['jobs'][0]
        assert world.lud.poll() is None, step
        assert job['state'] == 'JOB_STATE_INCONSISTENT' and job['cause']['name'] == 'record-unwritable', (step, job)
        assert 'settled later' in job['hint']
        assert world.json('status')['machine']['state'] == 'up'
        full.__exit__(None, None, None)
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        job = world.settle(job['id'])
        assert job['state'] == 'JOB_STATE_CONFIRMED', (step, job)
        assert job['generation'] == world.running() and len(world.peer.runs) == runs + 1, step


def test_locked_record(world):
    """Another program that holds the database's lock makes lud read-only for that time, and not longer."""
    world.prepare()
    other = sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable')
    assert 'locked' in world.luctl('update', 'ds', code=4)
    assert world.json('status')['services'][0]['service']['state'] == 'running'
    other.execute('ROLLBACK')
    other.close()
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.json('update', 'ds')['state'] == 'confirmed'


def overwrite(path, rng, part):
    """A part of the pages of a file overwritten at random, the first one left alone."""
    with open(path, 'r+b') as f:
        pages = os.path.getsize(path) // 4096
        for page in rng.sample(range(1, pages), int((pages - 1) * part)):
            f.seek(page * 4096)
            f.write(rng.randbytes(4096))


def test_refused_write(world):
    """A write that fails though the record is well: the job stands still, says so, and is settled when it works."""
    world.prepare()
    with refused(world, 'UPDATE ON jobs WHEN new.step = %d' % STEP_STAGE):
        assert 'settled later' in world.luctl('update', 'ds', code=6)
        assert world.json('status')['record']['state'] == 'well' and not world.peer.orders
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 1


def test_stalled_limit(world):
    """No time passes for a job that stands still: it is settled, however long the record could not be written."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "5s"\n')
    world.prepare()
    with refused(world, 'UPDATE ON jobs WHEN new.step = %d' % STEP_ORDER):
        assert 'settled later' in world.luctl('update', 'ds', code=6)
        # Taken up each second, it stands still again each time.
        world.until(lambda: world.log().count('stands still') >= 8)
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 1


def test_damaged_record(world):
    """A damaged database is an error on every way to read it, is refused at start, and is saved as far as it goes."""
    rng = random.Random(peer.SEED)
    world.prepare()
    for _ in range(4):
        world.luctl('update', 'ds')
    db = os.path.join(world.state, 'lud.db')
    assert world.kill(signal.SIGTERM) == 0
    with open(db, 'rb') as f:
        good = f.read()
    world.start()
    overwrite(db, rng, 1)
    for command in (['release', 'list'], ['history'], ['show', 'ds', '2']):
        told = world.luctl(*command, code=1)
        assert 'damaged' in told and 'lud --recover' in told and db in told, told
    # What the machine says is shown all the same.
    told = world.luctl('status', code=1)
    assert 'damaged' in told, told
    told = world.luctl('update', 'ds', code=4)
    assert 'record-damaged' in told, told
    world.kill()
    for left in (name for name in os.listdir(world.state) if name.startswith('lud.db-')):
        os.unlink(os.path.join(world.state, left))
    with open(db, 'wb') as f:
        f.write(good)
    overwrite(db, rng, 0.3)
    start = subprocess.run([world.program('orchestrator/lud'), '--config', world.config],
                           capture_output=True, text=True, check=False, timeout=100)
    assert start.returncode == 4 and db in start.stderr and '--recover' in start.stderr, start
    saved = subprocess.run([world.program('orchestrator/lud'), '--config', world.config, '--recover'],
                           capture_output=True, text=True, check=False, timeout=100)
    if saved.returncode:
        # The list of tables was among the damaged pages: it says so, and the file stays for whoever knows more.
        assert saved.returncode == 4 and 'no row could be read' in saved.stderr, saved
        os.rename(db, db + '.lost')
    else:
        assert 'rows saved' in saved.stdout, saved
        assert any(name.startswith('lud.db.damaged-') for name in os.listdir(world.state))
    world.start()
    machines = [m['name'] for m in world.json('machine', 'list')['machines']]
    if not machines:
        world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    world.luctl('release', 'add', *world.kits)
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_moved_record(world):
    """A database that is removed or replaced under lud takes no more writes: it is told, jobs stand still, and go on
    when it is back."""
    world.prepare()
    world.luctl('update', 'ds')
    db = os.path.join(world.state, 'lud.db')
    for name in (db, db + '-wal'):
        os.rename(name, name + '.away')
        world.until(lambda: world.json('status')['record']['state'] == 'unwritable')
        record = world.json('status')['record']
        assert name in record['text'] and 'removed or replaced' in record['text'], record
        assert 'put back' in record['remedy'] and 'backup' in record['remedy'], record
        assert 'removed or replaced' in world.luctl('update', 'ds', code=4)
        assert world.json('history')['generations']
        os.rename(name + '.away', name)
        world.until(lambda: world.json('status')['record']['state'] == 'well')
        assert world.json('update', 'ds')['state'] == 'confirmed'
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='forge.did')
    runs = len(world.peer.runs)
    with world.control() as control:
        asked = control.send(rerandomize={'services': ['ds']})
        world.wait_stopped()
        os.link(db, db + '.away')
        os.unlink(db)
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 100)['jobs'][0]
    assert job['state'] == 'JOB_STATE_INCONSISTENT' and job['cause']['name'] == 'record-unwritable', job
    os.rename(db + '.away', db)
    world.until(lambda: world.json('status')['record']['state'] == 'well')
    assert world.settle(job['id'])['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == runs + 1
    os.replace(backup(world), db)
    world.until(lambda: world.json('status')['record']['state'] == 'unwritable')
    assert world.kill(signal.SIGTERM) == 0
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('update', 'ds')['state'] == 'confirmed'


def lud_once(world, *options):
    return subprocess.run([world.program('orchestrator/lud'), '--config', world.config, *options],
                          capture_output=True, text=True, check=False, timeout=100, umask=0o022)


APPLICATION_ID = 0x53414d53  # as in orchestrator/db/priv.h


def test_recover(world):
    """What was saved is told; nothing to save is no success, and what was there stays."""
    db = os.path.join(world.state, 'lud.db')
    nothing = lud_once(world, '--recover')
    assert nothing.returncode == 4 and 'no record' in nothing.stderr and db in nothing.stderr, nothing
    assert not os.path.exists(db)
    # One of an earlier version that is not damaged, as the first program that was released made it.
    with open(os.path.join(os.path.dirname(__file__), '..', 'store', 'test', 'released.sql'), encoding='utf-8') as f:
        schema = f.read().split('-- version 2')[0]
    with contextlib.closing(sqlite3.connect(db)) as old:
        old.executescript(schema + 'PRAGMA user_version = 1; PRAGMA application_id = %d' % APPLICATION_ID)
    early = lud_once(world, '--recover')
    assert early.returncode == 0 and 'nothing was done' not in early.stdout, early
    assert 'the record is brought from version 1 to' in early.stderr, early
    with contextlib.closing(sqlite3.connect(db)) as new:
        version, = new.execute('PRAGMA user_version').fetchone()
    assert version > 1 and 'was of version 1 and has been brought up to version %d' % version in early.stdout, early
    os.remove(db)
    world.prepare()
    world.luctl('update', 'ds')
    assert world.kill(signal.SIGTERM) == 0
    whole = lud_once(world, '--recover')
    assert whole.returncode == 0 and 'not damaged; nothing was done' in whole.stdout, whole
    with contextlib.closing(sqlite3.connect(db)) as old:
        old.execute("UPDATE jobs SET cause = x'0102' WHERE id = 1")
        old.commit()
    with open(db, 'rb') as f, open(world.dir + '/left.db', 'wb') as to:
        to.write(f.read())
    told = world.luctl('db', 'check', world.dir + '/left.db', code=1, out=True)
    assert 'jobs.cause of job 1 has bytes that are no message' in told and 'lud --recover' in told, told
    tidied = lud_once(world, '--recover')
    assert tidied.returncode == 0 and '; messages that nobody can read were taken out (1), and' in tidied.stdout, tidied
    with contextlib.closing(sqlite3.connect(db)) as new:
        assert new.execute('SELECT count(cause) FROM jobs').fetchone() == (0,)
    with open(db, 'rb') as f:
        good = f.read()
    bad = random.Random(peer.SEED).randbytes(len(good))
    with open(db, 'wb') as f:
        f.write(bad)
    lost = lud_once(world, '--recover')
    assert lost.returncode == 4 and 'no row could be read' in lost.stderr and db in lost.stderr, lost
    assert 'backup' in lost.stderr, lost
    with open(db, 'rb') as f:
        assert f.read() == bad
    assert sorted(n for n in os.listdir(world.state) if n.startswith('lud.db')) == ['lud.db']
    # One page of rows.
    for page in range(len(good) // 4096 - 1, 0, -1):
        with open(db, 'wb') as f:
            f.write(good[:page * 4096] + bad[:4096] + good[(page + 1) * 4096:])
        saved = lud_once(world, '--recover')
        if saved.returncode == 0 and 'could not be read' in saved.stdout:
            break
    assert 'rows saved' in saved.stdout and 'could not be read' in saved.stdout, saved
    assert os.stat(db).st_mode & 0o777 == 0o600


def test_bad_disk(world):
    """lud does not start on a full or a read-only disk: it says which place, why and what to do, and touches nothing."""
    world.small_disk()
    if not world.disk:
        return

    full = ('No space left', 'disk is full')

    def refused(why):
        done = lud_once(world)
        assert done.returncode in (3, 4), done
        told = [line for line in done.stderr.splitlines() if ' error: ' in line]
        assert len(told) == 1 and world.state in told[0] and 'start lud again' in told[0], told
        assert any(word in told[0] for word in why), told

    ballast = fill(world.state)
    refused(full)
    os.unlink(ballast)
    world.prepare()
    world.luctl('update', 'ds')
    assert world.kill(signal.SIGTERM) == 0
    db = os.path.join(world.state, 'lud.db')
    with open(db, 'rb') as f:
        good = f.read()
    ballast = fill(world.state)
    refused(full)
    os.unlink(ballast)
    for how, why in (('ro', ['Read-only', 'readonly']), ('rw', None)):
        subprocess.run(['mount', '-o', 'remount,' + how, world.state], check=True)
        if why:
            refused(why)
    with open(db, 'rb') as f:
        assert f.read() == good
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_copy_damaged_in_job(world):
    """What goes from the copy of a release in the middle of a job ends it, and adding the release again helps."""
    world.prepare()
    world.peer.booted.clear()
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='stage.begin')
    with subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds', '--socket', world.socket],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as luctl:
        world.wait_stopped()
        copy, = os.listdir(world.state + '/releases')
        os.unlink('%s/releases/%s/state' % (world.state, copy))
        world.lud.send_signal(signal.SIGCONT)
        told = luctl.communicate(timeout=100)[1]
    assert luctl.returncode == 1 and copy + '/state' in told and 'luctl release add' in told, told
    world.luctl('release', 'add', *world.kits)
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'


def backup(world):
    """A copy of the record as `sqlite3 .backup` makes it; its path."""
    path = os.path.join(world.dir, 'backup.db')
    source, copy = sqlite3.connect(os.path.join(world.state, 'lud.db')), sqlite3.connect(path)
    source.backup(copy)
    source.close()
    copy.close()
    return path


def restore(world, path):
    assert world.kill(signal.SIGTERM) == 0
    db = os.path.join(world.state, 'lud.db')
    for name in (db + '-wal', db + '-shm'):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    shutil.copyfile(path, db)
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')


def test_old_backup(world):
    """A record that is older than the machine is told, with what to do; numbers go on above the machine's."""
    world.prepare(2)
    world.luctl('update', 'ds')
    assert world.json('status')['record']['state'] == 'well'
    old = backup(world)
    world.kill()
    world.start()
    assert world.json('status')['record']['state'] == 'well'
    # An order that ran, one that only asked, and a generation that came without an order of this epoch.
    for what in (['rerandomize', 'ds'], ['update', 'ds', '--prepare-only'], None):
        if what:
            world.luctl(*what)
        else:
            world.peer.services['ds']['generation'] += 5
        runs, newest = world.running(), world.peer.newest
        restore(world, old)
        record = world.json('status')['record']
        assert record['state'] == 'behind' and 'machine m' in record['text'], record
        assert 'backup' in record['remedy'] and record['place'].endswith('lud.db'), record
        assert ('order 1.' if what else 'generation %d' % runs) in record['text'], record
        assert record['text'] in world.log() and 'older than the machines' in world.luctl('status', errors=True)
        assert world.json('machine', 'list')['record']['state'] == 'behind'
        job = world.json('update', 'ds')
        assert job['state'] == 'confirmed' and world.running() > runs and world.peer.newest > newest
        # No number is tried that the machine has seen: the update's order and its confirm.
        db = sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)
        assert [txn for txn, in db.execute('SELECT txn FROM orders WHERE job = ? ORDER BY id', (job['id'],))] == [
            newest[1] + 1, newest[1] + 2]
        db.close()
        assert len(world.peer.runs) == len(set(world.peer.runs))
        old = backup(world)
        world.kill()
        world.start()
        assert world.json('status')['record']['state'] == 'well'


harness.main(globals(), 5)
