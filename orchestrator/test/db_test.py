#!/usr/bin/env python3
"""The record as a file: checked, copied while lud serves, put back.

Usage: db_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import glob
import hashlib
import os
import signal
import sqlite3

import harness
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
    assert 'stop lud' in told and 'another lud uses' in told, told
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


def test_role(world):
    """The record has everything in it: it is for admins."""
    if os.getuid() != 0:
        return
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for place in (world.dir, world.state):
        os.chmod(place, 0o755)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write('access:\n  user/65534: override\n' + good)
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: 'access is changed' in world.log())

    def ask():
        with world.control() as control:
            for request in ('db_check', 'db_backup', 'db_read'):
                error = refused_call(control, **{request: {}})
                assert error['cause']['name'] == 'role', error
        return 0

    assert as_user(65534, ask) == 0


harness.main(globals(), 2)
