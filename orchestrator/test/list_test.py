#!/usr/bin/env python3
"""Lists that are longer than an answer: each page is bounded, and the pages are the list.

Usage: list_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import sqlite3

import harness


@contextlib.contextmanager
def record(world):
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db:
        yield db
        db.commit()


def copies(db, table, row, times, **changed):
    """Adds rows like one that is there; changed: expressions over :n, the number of the copy."""
    columns = [c[1] for c in db.execute('PRAGMA table_info(%s)' % table) if c[1] != 'id']
    copy = 'INSERT INTO %s (%s) SELECT %s FROM %s WHERE id = %d' % (
        table, ', '.join(columns), ', '.join(changed.get(c, c) for c in columns), table, row)
    for n in range(times):
        db.execute(copy, {'n': n})


def drawn(db):
    """Numbers that are there were drawn: the next one is above them, or it would be overtaken."""
    db.execute('UPDATE services SET last_number = max(last_number,'
               ' (SELECT coalesce(max(number), 0) FROM generations WHERE service = services.id))')


def pages(world, words, rows, key, option, limit):
    """Follows `more:` and `next` from page to page; what --json lists, in one piece."""
    found, cursor = [], ()
    while True:
        page = world.json(*words, '--limit', str(limit), *cursor)
        assert len(page[rows]) <= limit, (len(page[rows]), limit)
        found += [key(row) for row in page[rows]]
        told = world.luctl(*words, '--limit', str(limit), *cursor)
        if not page['next']:
            assert 'more:' not in told, told
            return found
        cursor = (option, str(page['next']))
        assert 'more: luctl %s %s %s\n' % (' '.join(words), *cursor) in told, told


def test_empty(world):
    """A list without rows says so, and of what; behind a cursor that nothing else is there."""
    world.start()
    assert world.luctl('machine', 'list') == 'there is no machine yet: `luctl machine start NAME` makes one\n'
    assert world.luctl('policy', 'history') == 'no policy was ever applied\n'
    assert world.luctl('release', 'list') == 'no release is registered\n'
    assert world.luctl('release', 'list', 'ds') == 'no release of ds is registered\n'
    assert 'no release of this service' in world.luctl('release', 'show', 'ds', code=3)
    world.luctl('machine', 'add', 'own')
    assert world.luctl('jobs') == 'no job is recorded\n'
    assert world.luctl('jobs', 'ds') == 'no job of ds is recorded\n'
    assert world.luctl('history', 'ds') == 'no generation of ds is recorded\n'
    assert world.luctl('crashes') == 'no crash is recorded\n'
    assert world.luctl('jobs', '--before', '1') == 'nothing stands behind this cursor\n'
    assert 'is no number' in world.luctl('release', 'list', '--after', 'x', code=2)
    assert world.json('jobs')['jobs'] == world.json('release', 'list')['releases'] == []


def test_history(world):
    """Generations and jobs, over pages of lud's and of the person's."""
    world.prepare()
    world.luctl('rerandomize', 'ds')
    with record(world) as db:
        copies(db, 'jobs', 1, 149, request_id="'r' || :n")
        copies(db, 'generations', 1, 149, number=':n + 100', job=':n + 2', state='2')
        drawn(db)
    numbers = [248 - n for n in range(149)]
    assert len(world.json('history')['generations']) == 20
    for limit in (17, 75, 148):
        assert pages(world, ['history'], 'generations', lambda g: g['generation'], '--before', limit)[:149] == numbers
        assert pages(world, ['job', 'list', 'ds'], 'jobs', lambda j: j['id'], '--before', limit) == [
            150 - n for n in range(150)]
    whole = world.json('history', '--limit', '1000')
    assert [g['generation'] for g in whole['generations']][:149] == numbers and whole['next'] == 0
    assert len(world.luctl('history', 'ds', '--limit', '1000').splitlines()) == 1 + 150
    with world.control() as control:        # what no luctl asks for
        assert 40 < len(control.call(history={'limit': 100000})['generations']) <= 100
        assert 40 < len(control.call(job_list={'limit': 100000})['jobs']) <= 100
    # What was added meanwhile shifts nothing.
    page = world.json('history', '--limit', '10')
    world.luctl('rerandomize', 'ds')
    again = world.json('history', '--limit', '10', '--before', str(page['next']))
    assert [g['generation'] for g in again['generations']] == numbers[10:20]
    # Rows that are large end a page before its limit does.
    with record(world) as db:
        db.execute("UPDATE jobs SET reason = printf('%.*c', 190, 'x'), identity = printf('%.*c', 60, 'y')")
        db.execute("UPDATE jobs SET hint = printf('%.*c', 230, 'z')")
    with world.control() as control:
        first = control.call(history={'limit': 100})
        assert 10 < len(first['generations']) < 100 and first['next'], len(first['generations'])
    assert len(world.json('history', '--limit', '100')['generations']) == 100
    assert 'whole number' in world.luctl('history', '--before', 'x', code=2)


def test_crashes(world):
    """What befell services outlives the machine and lud; what came of it is of the same boot."""
    world.prepare()
    assert world.luctl('crashes') == 'no crash is recorded\n'
    assert world.luctl('crashes', 'ds') == 'no crash of ds is recorded\n'
    for _ in range(3):
        world.peer.crash('ds')
    world.peer.stop('ds')
    world.until(lambda: len(world.json('crashes')['crashes']) == 4)
    newest, *others = world.json('crashes')['crashes']
    assert (newest['service'], newest['gave_up'], newest['back_ns']) == ('ds', True, 0), newest
    assert all(c['service'] == 'ds' and c['back_ns'] == 1000 and c['generation'] for c in others), others
    told = world.luctl('crashes').splitlines()
    assert 'stays down' in told[1] and 'crashed' in told[2] and 'it read address 0' in told[2], told
    assert [c['id'] for c in world.json('crashes', 'ds')['crashes']] == [c['id'] for c in [newest, *others]]
    assert world.json('crashes', 'tty')['crashes'] == []
    # A crash after which the machine was heard no more came back in no boot.
    world.peer.crash('ds', comes_back=False)
    world.until(lambda: len(world.json('crashes')['crashes']) == 5)
    world.peer.boot_anew()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    world.peer.start_afresh('ds')
    world.kill()
    world.start()
    assert world.json('crashes', 'ds')['crashes'][0]['back_ns'] == 0
    assert 'not known' in world.luctl('crashes', 'ds').splitlines()[1]
    with record(world) as db:
        copies(db, 'changes', 1, 149, seq=':n + 1000', kind='2', message="printf('%.*c', 250, 'x')")
    for limit in (17, 100):
        assert len(pages(world, ['crashes', 'ds'], 'crashes', lambda c: c['id'], '--before', limit)) >= 150
    world.luctl('crashes', '-m', 'n', code=3)
    world.luctl('machine', 'stop', 'm')
    world.luctl('machine', 'remove', 'm')
    assert world.json('crashes', '-m', 'm')['crashes']


def test_service(world):
    """One service, all that is known of it; of a machine that is silent, as what was known."""
    world.prepare()
    world.peer.crash('ds')
    world.until(lambda: world.json('service', 'ds')['crashes'])
    told = world.luctl('service', 'ds')
    assert 'ds of m is running' in told and 'it read address 0' in told and '1 in this boot' in told, told
    assert '  generation    1.1, layout made by the machine' in told and 'not known outside' in told, told
    for _ in range(3):
        world.peer.crash('ds')
    world.until(lambda: 'older ones: `luctl crashes ds`' in world.luctl('service', 'ds'))
    assert len(world.json('service', 'ds')['crashes']) == 3
    assert 'has told of no service `tty`' in world.luctl('service', 'tty', code=3)
    world.peer.stop('ds')
    world.until(lambda: 'it stays down' in world.luctl('service', 'ds'))
    assert 'ds of m is down' in world.luctl('service', 'ds')
    world.peer.awake.clear()
    world.until(lambda: 'what was known' in world.luctl('service', 'ds'))
    assert world.json('service', 'ds')['stale']
    world.peer.awake.set()


def test_service_away(world):
    """Of a machine that does not answer nothing is said to be possible now."""
    world.prepare()
    assert 'update        possible now' in world.luctl('service', 'ds')
    world.peer.awake.clear()
    world.until(lambda: 'what was known' in world.luctl('service', 'ds'))
    assert 'update        possible when the machine was heard last' in world.luctl('service', 'ds')
    world.peer.awake.set()


def test_releases(world):
    """All releases are listed without a word; a page of them is a page."""
    world.prepare()
    with record(world) as db:
        copies(db, 'releases', 1, 202, release_id='randomblob(64)', counter=':n + 2')
        copies(db, 'releases', 1, 1, release_id='randomblob(64)', service="'aa'")
    ids = [('aa', 1)] + [('ds', n) for n in range(1, 204)]

    def key(release):
        return release['service'], release['counter']
    assert [key(r) for r in world.json('release', 'list')['releases']] == ids
    assert len(world.luctl('release', 'list').splitlines()) == 1 + 204
    assert len(world.json('release', 'list', 'aa')['releases']) == 1
    for limit in (3, 70):
        assert pages(world, ['release', 'list'], 'releases', key, '--after', limit) == ids
        assert pages(world, ['release', 'list', 'ds'], 'releases', key, '--after', limit) == ids[1:]


def test_machines(world):
    """A fleet: every machine is listed once, by name, whatever it takes."""
    world.prepare()
    world.kill()
    with record(world) as db:
        copies(db, 'machines', 1, 150, name="printf('f%03d', :n)", machine_id='NULL', wanted='0', is_default='0',
               labels="printf('%.*c', 400, 'l')")
    world.start()
    names = ['f%03d' % n for n in range(150)] + ['m']
    assert [m['name'] for m in world.json('machine', 'list')['machines']] == names
    assert len(world.luctl('machine', 'list').splitlines()) == 1 + 151
    for limit in (20, 149):
        assert pages(world, ['machine', 'list'], 'machines', lambda m: m['name'], '--after', limit) == names
    # Where a list ended may be gone; it goes on behind it.
    world.luctl('machine', 'remove', 'f010')
    page = world.json('machine', 'list', '--limit', '2', '--after', 'f010')
    assert [m['name'] for m in page['machines']] == ['f011', 'f012']
    told = world.luctl('machine', 'default', 'f020')
    assert 'more: luctl machine list --after f' in told, told
    default = [m['name'] for m in world.json('machine', 'list')['machines'] if m['is_default']]
    assert default == ['f020'], default


def test_policies(world):
    """Versions of policies."""
    world.prepare()
    world.luctl('policy', 'apply', os.path.join(harness.HERE, '../../policies/laptop.yaml'))
    with record(world) as db:
        copies(db, 'policy_versions', 1, 119)
    assert len(world.json('policy', 'history')['versions']) == 20
    for limit in (50, 100):
        assert pages(world, ['policy', 'history'], 'versions', lambda v: v['version'], '--before', limit) == [
            120 - n for n in range(120)]


def rollouts(db):
    """120 rollouts of 16 rings each, the first of 900 machines in two of them and with a long history; all names are long."""
    copies(db, 'machines', 1, 899, name="printf('%03d%.*c', :n, 60, 'm')", machine_id='NULL', wanted='0', is_default='0')
    for n in range(1, 121):
        db.execute("INSERT INTO rollouts (policy, service, release, state, ring, ring_us, state_us, why, created_us, is_open)"
                   " VALUES (printf('%.*c', 70, 'p'), 'ds', 1, 4, 0, 1, 1, printf('%.*c', 150, 'w'), 1, 0)")
        db.executemany("INSERT INTO rollout_rings (rollout, n, name, size, soak_us, healthy_us, deadline_us, budget, pauses,"
                       " approvals) VALUES (?, ?, printf('%.*c', 70, 'r'), 900, 1, 1, 1, 1, 0, 0)",
                       [(n, ring) for ring in range(16)])
    db.execute("INSERT INTO rollout_members (rollout, machine, ring, state) SELECT 1, id, id % 2, 1 FROM machines")
    for n in range(300):
        db.execute("INSERT INTO rollout_changes (rollout, ring, what, at_us, identity, way, role, uid, reason) VALUES"
                   " (1, 0, 1, ?, printf('%.*c', 60, 'i'), 1, 1, 1, printf('%.*c', 190, 'x'))", (n + 1,))


def test_rollouts(world):
    """Rollouts, and machines of one that has more of them, and of its history, than a message has room for."""
    world.prepare()
    world.kill()
    with record(world) as db:
        rollouts(db)
    world.start()
    numbers = [120 - n for n in range(120)]
    assert [r['id'] for r in world.json('rollout', 'status')['rollouts']] == numbers[:20]
    with world.control() as control:        # what no luctl asks for
        first = control.call(rollout_list={'limit': 100})['rollouts']
        assert 10 < len(first) < 100, len(first)
        assert len(control.call(rollout_list={'rollout': 1, 'limit': 7})['rollouts'][0]['members']) == 7
    for limit in (7, 119):
        assert pages(world, ['rollout', 'status'], 'rollouts', lambda r: r['id'], '--after', limit) == numbers
    names = ['m'] + ['%03d%s' % (n, 60 * 'm') for n in range(899)]
    whole = world.json('rollout', 'status', '1')
    one, = whole['rollouts']
    assert [m['machine'] for m in one['members']] == names and whole['next'] == 0
    # The newest of its history, and without a gap.
    times = [int(c['at_us']) for c in one['changes']]
    assert 60 < len(times) < 120 and times == list(range(301 - len(times), 301)), times
    told = world.luctl('rollout', 'status', '1').splitlines()
    assert len(told) == 1 + 1 + 900 + 1 + len(times), len(told)
    assert [line.split()[1] for line in told[2:902]] == sorted(names[1::2]) + sorted(names[::2])
    page = world.json('rollout', 'status', '1', '--limit', '130')
    assert [m['machine'] for m in page['rollouts'][0]['members']] == names[:130], page['next']
    assert 'more: luctl rollout status 1 --after %s' % page['next'] in world.luctl('rollout', 'status', '1', '--limit', '130')
    rest = world.json('rollout', 'status', '1', '--after', str(page['next']))
    assert [m['machine'] for m in rest['rollouts'][0]['members']] == names[130:] and rest['next'] == 0
    assert 'is no number' in world.luctl('rollout', 'status', '--after', 'x', code=2)
    # Where a list ended may be gone; what changes one is answered, however large it is.
    world.luctl('machine', 'remove', names[130])
    rest = world.json('rollout', 'status', '1', '--after', str(page['next']), '--limit', '1')
    assert [m['machine'] for m in rest['rollouts'][0]['members']] == names[131:132]
    assert 'rollout 1: ' in world.luctl('rollout', 'resume', '1')


def test_retention(world):
    """What is too old goes while nobody asks, and lists, and who asks for a job that went, are told so."""
    world.prepare()
    world.luctl('rerandomize', 'ds')
    world.luctl('rerandomize', 'ds')
    assert world.json('history')['removed'] == 0
    world.kill()
    with record(world) as db:
        copies(db, 'jobs', 1, 150, request_id="'r' || :n", ended_us='1')
        copies(db, 'variants', 1, 150, path="''")
        copies(db, 'generations', 1, 150, number=':n + 100', job=':n + 3', state='7',
               variant='(SELECT max(id) - 149 + :n FROM variants)')
        drawn(db)
    with open(world.config, 'a', encoding='ascii') as conf:
        conf.write('record:\n  jobs: "100"\n  generations: "100"\n')
    world.start()
    world.until(lambda: world.json('job', 'list')['removed'] > 40)
    jobs = world.json('job', 'list', '--limit', '1000')
    history = world.json('history', '--limit', '1000')
    assert len(jobs['jobs']) + jobs['removed'] == 152, (len(jobs['jobs']), jobs['removed'])
    assert len(history['generations']) + history['removed'] >= 152 and history['removed'] > 40
    assert 'older: %d more were removed by retention' % jobs['removed'] in world.luctl('job', 'list', '--limit', '1000')
    assert 'removed by retention' not in world.luctl('job', 'list', '--limit', '10')
    assert 'removed by retention' in world.luctl('history', '--limit', '1000')
    gone = min(set(range(1, 153)) - {j['id'] for j in jobs['jobs']})
    for verb in ('job show', 'job cancel', 'job hold', 'job release', 'explain'):
        told = world.luctl(*verb.split(), str(gone), code=3)
        assert 'retention removed it' in told, (verb, told)
        assert 'there is no job 5000' in world.luctl(*verb.split(), '5000', code=3), verb
    world.luctl('rerandomize', 'ds')        # what it needs is all there
    newest = str(world.json('jobs')['jobs'][0]['id'])
    assert 'no open job' in world.luctl('job', 'cancel', newest, code=3)
    world.luctl('machine', 'stop', 'm')
    world.luctl('machine', 'remove', 'm')
    assert 'the machine of job %s was removed' % newest in world.luctl('explain', newest, code=3)
    assert world.json('job', 'show', newest)['state'] == 'confirmed'


harness.main(globals(), 2)
