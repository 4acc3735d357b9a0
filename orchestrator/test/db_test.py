#!/usr/bin/env python3
"""The record as a file: checked, copied while lud serves, put back.

Usage: db_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import errno
import glob
import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess

import harness
import peer
from harness import as_user, refused_call


def change(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute('PRAGMA foreign_keys = OFF')
        for statement in statements:
            db.execute(statement)
        db.commit()


BROKEN = [  # what somebody did to the record, and what is said of it
    ('UPDATE jobs SET state = 99, ended_us = 0', 'jobs are open in a state that no open job can have'),
    ('UPDATE jobs SET state = 11', 'jobs are over in a state that no job ends in'),
    ('UPDATE jobs SET state = 14, ended_us = 0, wait_until_us = 0', 'without a time at which they expire'),
    ("UPDATE jobs SET request_id = 'x' WHERE id = 1", 'not what was asked for under it'),
    ('UPDATE services SET last_number = 1', 'generations have a number that could be drawn again'),
    ('UPDATE generations SET state = 1', 'services have several generations that run'),
    ("UPDATE jobs SET service = 'tty'", 'of a job for another machine or service'),
    ("UPDATE releases SET service = 'tty'", 'are of a release of another service'),
    ('UPDATE generations SET head = 99 WHERE head IS NOT NULL', 'signed variants have lost what they begin with'),
    ('UPDATE orders SET machine = 7', 'orders are for another machine than their job'),
    ("INSERT INTO machines(name, attached, wanted, socket, image, created_us, is_default) VALUES('n', 0, 0, '', '', 1, 1)",
     'machines are the default one besides another'),
    ("INSERT INTO holds(machine, service, created_us, until_us, identity, way, role, uid, reason) "
     "VALUES(99, '', 1, 0, 'x', 1, 1, 0, '')", 'holds are of a machine that there never was'),
    ('UPDATE policy_versions SET n_policies = 5', 'versions of the policies do not have all of theirs'),
    ('DELETE FROM machines', 'refers to a row of machines that is missing'),
]


def test_check(world):
    """What is wrong with a record is said, with a remedy, by lud that serves it and of a file that nobody does."""
    world.prepare(2)
    world.luctl('update', 'ds')
    world.luctl('rerandomize', 'ds')
    path = os.path.join(world.dir, 'p.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n')
    world.luctl('policy', 'apply', path)
    world.luctl('machine', 'default', 'm')
    assert 'lud.db: nothing is wrong' in world.luctl('db', 'check')
    assert world.json('db', 'check')['place'].endswith('lud.db') and not world.json('db', 'check')['findings']
    good = os.path.join(world.dir, 'good.db')
    world.luctl('db', 'backup', good)
    assert world.kill(signal.SIGTERM) == 0
    assert 'nothing is wrong' in world.luctl('db', 'check') and 'nothing is wrong' in world.luctl('db', 'check', good)
    for statement, said in BROKEN:
        bad = os.path.join(world.dir, 'bad.db')
        with open(good, 'rb') as f, open(bad, 'wb') as to:
            to.write(f.read())
        change(bad, statement)
        told = world.luctl('db', 'check', bad, code=1, out=True)
        assert said in told and 'restore a backup' in told, (statement, told)
        assert any(said in line for line in world.json('db', 'check', bad, code=1)['findings'])
        assert 'nothing was copied' in world.luctl('db', 'restore', bad, code=1), statement
    with open(bad, 'r+b') as f:
        f.seek(8192)
        f.write(b'damage' * 2000)
    assert 'lud --recover' in world.luctl('db', 'check', bad, code=1, out=True)
    assert 'no record of lud' in world.luctl('db', 'check', path, code=1) or 'cannot be read' in world.luctl(
        'db', 'check', path, code=1)
    assert 'cannot be read' in world.luctl('db', 'check', world.dir + '/none', code=1)
    # Of the record that lud serves, too; it goes on.
    world.start()
    change(world.state + '/lud.db', 'UPDATE policy_versions SET n_policies = 5')
    assert 'do not have all of theirs' in world.luctl('db', 'check', code=1, out=True)
    assert world.json('status')['machine']['state'] == 'up'


def copies(world):
    return [name for name in os.listdir(world.state + '/tmp') if name.startswith('backup')]


def test_backup(world):
    """A copy of one moment, whole, for its owner alone, with its digest; what is there is not replaced."""
    world.prepare(2)
    world.luctl('update', 'ds')
    path = os.path.join(world.dir, 'b.db')
    with world.control() as control:
        told = control.send(db_backup={})
        # lud does not wait for it.
        assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
        control.wait_reply(told)
    told = world.json('db', 'backup', path, '--reason', 'before the change')
    assert 'before the change' in world.log() and 'handed to root' in world.log()
    with open(path, 'rb') as f:
        assert told['file'] == path and told['digest'] == hashlib.blake2b(f.read()).hexdigest()
    assert os.stat(path).st_mode & 0o777 == 0o600 and not copies(world)
    with contextlib.closing(sqlite3.connect('file:%s?mode=ro' % path, uri=True)) as db:
        assert db.execute('SELECT count(*) FROM generations').fetchone() == (2,)
    before = os.stat(path).st_mtime_ns
    assert 'replaces none' in world.luctl('db', 'backup', path, code=1) and os.stat(path).st_mtime_ns == before
    assert 'that you may write to' in world.luctl('db', 'backup', world.dir + '/none/x', code=1)
    assert [n for n in os.listdir(world.dir) if n.startswith('b.db')] == ['b.db']
    with world.control() as control:
        assert 'no backup was made' in str(refused_call(control, db_read={}))
        size = int(control.call(db_backup={})['size'])
        assert not control.call(db_read={'offset': size}).get('data')
        refused_call(control, db_read={'offset': 1 << 63})
    # A client that leaves while it is made leaves nothing behind.
    change(world.state + '/lud.db', 'INSERT INTO policy_sources(digest, body) VALUES(randomblob(64), zeroblob(150000000))')
    with world.control() as control:
        control.send(db_backup={})
        world.until(lambda: copies(world))
    world.until(lambda: not copies(world))
    change(world.state + '/lud.db', 'DELETE FROM policy_sources')
    # With lud down, by the program itself.
    assert world.kill(signal.SIGTERM) == 0
    world.luctl('db', 'backup', world.dir + '/down.db')
    assert 'replaces none' in world.luctl('db', 'backup', world.dir + '/down.db', code=1)


def test_restore(world):
    """A backup takes the record's place while lud is down; the one of before stays, and the machines have the last word."""
    world.prepare(2)
    world.luctl('update', 'ds')
    path = os.path.join(world.dir, 'b.db')
    world.luctl('db', 'backup', path)
    world.luctl('rerandomize', 'ds')
    runs = world.running()
    told = world.luctl('db', 'restore', path, code=4)
    assert 'stop lud' in told and 'a lud serves from this record' in told and ' lud error: ' not in told, told
    for how in (signal.SIGTERM, signal.SIGKILL):  # with its log in the file, or beside it
        world.kill(how)
        assert 'before-' in world.luctl('db', 'restore', path) and not os.path.exists(world.state + '/lud.db-wal')
        world.start()
        assert world.json('status')['record']['state'] == 'behind', how
        job = world.json('update', 'ds')
        assert job['state'] == 'confirmed' and world.running() > runs, job
        runs = world.running()
    kept = sorted(glob.glob(world.state + '/lud.db.before-*'))
    kept = [k for k in kept if not k.endswith('-wal')]
    assert kept and all('nothing is wrong' in world.luctl('db', 'check', k) for k in kept), kept
    with contextlib.closing(sqlite3.connect(kept[0])) as db:
        assert db.execute('SELECT count(*) FROM generations').fetchone() == (2,)


def once(world, *words, **faults):
    """lud for one act, with faults of the disk; its end."""
    environment = {**os.environ, 'LD_PRELOAD': world.program('orchestrator/librecord_fault.so'),
                   'RECORD_FAULT_LIST': world.dir + '/calls', 'RECORD_FAULT_BESIDE': '1'}
    environment.update({'RECORD_FAULT_' + name: str(value) for name, value in faults.items()})
    return subprocess.run([world.program('orchestrator/lud'), '--config', world.config, *words], check=False,
                          capture_output=True, text=True, env=environment)


def n_calls(world):
    """Of the last act, from its list: numbers of lines, whatever bytes are between them."""
    found, at = 0, 0
    with open(world.dir + '/calls', 'rb') as f:
        content = f.read()
    while (end := content.find(b'\n', at)) >= 0:
        number, what, _, _, _, size = content[at:end].split()
        found = max(found, int(number))
        at = end + 1 + (int(size) if what == b'write' else 0)
    return found


def rows(path):
    """What a record says, for comparisons; None: there is no file, or it cannot be read."""
    if not os.path.exists(path):
        return None
    try:
        with contextlib.closing(sqlite3.connect('file:%s?mode=ro' % path, uri=True)) as db:
            return [db.execute('SELECT * FROM %s ORDER BY 1' % table).fetchall() for table in
                    ('machines', 'releases', 'jobs', 'generations', 'orders')]
    except sqlite3.DatabaseError:
        return None


def put(files, to):
    """A record is what it was, and nothing is beside it."""
    for name in os.listdir(to):
        if '.db' in name:
            os.unlink(os.path.join(to, name))
    for name, content in files.items():
        with open(os.path.join(to, name), 'wb') as f:
            f.write(content)


def taken(state):
    found = {}
    for name in ('lud.db', 'lud.db-wal'):
        if os.path.exists(os.path.join(state, name)):
            with open(os.path.join(state, name), 'rb') as f:
                found[name] = f.read()
    return found


def faults(n):
    """What becomes of an act of n calls: an end, a full disk or a bad one, at some of them or at all."""
    every = int(os.environ.get('DISK_TEST_ALL', 0))
    print('# %d calls, seed %s' % (n, peer.SEED), flush=True)
    rng = random.Random(peer.SEED)
    for how in ({}, {'ERRNO': errno.ENOSPC}, {'ERRNO': errno.EIO}):
        for call in range(1, n + 1, every) if every else sorted({1, n, *rng.sample(range(1, n + 1), min(n, 6))}):
            yield {**how, 'FAIL_AT' if how else 'DIE_AT': call}


def befallen(world, words, files, check):
    """An act on a record at each of these faults; `check` is told what happened. Asked for again it does what it should."""
    put(files, world.state)
    assert once(world, *words).returncode == 0, words
    for fault in faults(n_calls(world)):
        put(files, world.state)
        ended = once(world, *words, **fault)
        assert ended.returncode == -signal.SIGKILL or 'DIE_AT' not in fault, (fault, ended)
        assert ended.returncode <= 0 or ended.stderr, (fault, ended)
        check(fault, ended.returncode == 0)
        again = once(world, *words)
        assert again.returncode == 0, (fault, again)
        check(fault, True)


def two_records(world):
    """A record with its log beside it, and a backup from before: their files."""
    world.prepare(2)
    world.luctl('update', 'ds')
    world.luctl('db', 'backup', world.dir + '/old.db')
    world.luctl('rerandomize', 'ds')
    world.kill()
    files = taken(world.state)
    assert 'lud.db-wal' in files, 'the log is not beside it'
    return files


def test_restore_faults(world):
    """kill -9, a full or a bad disk at any call of a restore: the one record or the other is there, whole; then it works."""
    files = two_records(world)
    path, backup = world.state + '/lud.db', rows(world.dir + '/old.db')
    put(files, world.state)
    before = rows(path)
    assert before and backup and before != backup

    def check(fault, done):
        assert rows(path) in ([backup] if done else [backup, before]), (fault, done)

    befallen(world, ('--restore', world.dir + '/old.db'), files, check)
    # What a restore that was killed has left beside it says nothing of the next one's record.
    put(files, world.state)
    left = path + '.restored'
    shutil.copyfile(world.dir + '/old.db', left)
    subprocess.run(['python3', '-c', 'import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\n'
                    'db.execute("PRAGMA journal_mode = WAL")\ndb.execute("DELETE FROM orders")\ndb.commit()\nos._exit(0)',
                    left], check=True)
    os.unlink(left)
    assert os.path.getsize(left + '-wal')
    assert once(world, '--restore', world.dir + '/old.db').returncode == 0 and rows(path) == backup
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert world.json('status')['record']['state'] == 'behind'
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'


def test_backup_faults(world):
    """The same of a backup: there is a whole one under its name, or none, and the record is what it was."""
    files = two_records(world)
    path, to = world.state + '/lud.db', world.dir + '/new.db'
    put(files, world.state)
    before = rows(path)

    def check(fault, done):
        assert rows(path) == before and rows(to) in ([before] if done else [before, None]), (fault, done)
        if os.path.exists(to):
            os.unlink(to)

    befallen(world, ('--backup', to), files, check)


def test_recover_faults(world):
    """The same of what is saved of a damaged record: the damaged one is there as it was, or what was saved of it."""
    files = two_records(world)
    path, page = world.state + '/lud.db', 4096
    put(files, world.state)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        root, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events_machine'").fetchone()
    before = rows(path)
    with open(path, 'r+b') as f:
        f.seek((root - 1) * page)
        f.write(b'damage' * 600)
    files = taken(world.state)

    def check(fault, done):
        if not done and taken(world.state) == files:
            return
        assert rows(path) == before, (fault, done)

    def again(fault, done):
        check(fault, done)
        if done:
            put(files, world.state)

    befallen(world, ('--recover',), files, again)


def test_role(world):
    """The record has everything in it: it is for admins."""
    if os.getuid() != 0:
        return
    world.prepare()
    harness.roles(world)('user/65534', 'override')

    def ask():
        with world.control() as control:
            for request in ('db_check', 'db_backup', 'db_read'):
                error = refused_call(control, **{request: {}})
                assert error['cause']['name'] == 'role', error
        return 0

    assert as_user(65534, ask) == 0


harness.main(globals(), 2)
