#!/usr/bin/env python3
"""Which of the jobs that wait for a machine goes first, and which do not wait at all.

Usage: queue_test.py BUILD [NAME...]
"""

import harness
from harness import STEP_STAGE, record, rows
from peer import PREPARE, UPDATE


def job_of(world, number):
    return next(j for j in world.json('jobs')['jobs'] if j['id'] == number)


def busy(world, machine_works):
    """Lets the machine be at work on a job of tty while something is done; its number."""
    world.peer.faults['hold_result'] = 1
    first = world.json('rerandomize', 'tty', '--detach')['jobs'][0]['id']
    world.until(lambda: world.peer.withheld)
    machine_works()
    world.peer.release()
    assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'
    return first


def is_ready(world, number):
    """It waits for the machine, with all that it needs made."""
    return record(world, 'SELECT step, wait_why FROM jobs WHERE id = %d' % number) == (STEP_STAGE, 'its turn')


def prepared(world):
    tty = world.kit('tty', 1)
    world.peer.add_service('tty', world.release_id(tty))
    world.prepare(3)
    world.luctl('release', 'add', tty)


def ran_twice(world):
    """Two releases of ds ran, so that there is a way back."""
    for kit in world.kits[1::-1]:
        assert world.json('update', 'ds', '--release', world.release_id(kit).hex())['state'] == 'confirmed'


def test_order(world):
    """A rollback, a new release, a new layout, and what a timer asked for: whatever was asked first."""
    prepared(world)
    ran_twice(world)
    other = world.kit('fs', 1)
    world.peer.add_service('fs', world.release_id(other))
    world.luctl('release', 'add', other)
    for restarted in (False, True):
        world.peer.faults['hold_result'] = 1
        world.json('rerandomize', 'tty', '--detach')
        world.until(lambda: world.peer.withheld)
        jobs = []
        for words in (('rerandomize', 'ds'), ('update', 'fs', '--prepare-only'), ('rollback', 'ds')):
            job = world.json(*words, '--detach')
            jobs.append(job['jobs'][0]['id'] if 'jobs' in job else job['id'])
            # Only those compete for the machine that lack nothing else.
            world.until(lambda j=jobs[-1]: is_ready(world, j))
        if restarted:
            world.kill()
            world.start()
            world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
        world.peer.release()
        ended = [int(world.settle(j)['ended_us']) for j in jobs]
        assert ended[2] < ended[1] < ended[0], (restarted, ended)


def test_superseded(world):
    """An update that waits is moot when another release is asked for; not by the same one, a layout or a rehearsal."""
    prepared(world)
    one, two, three = (world.release_id(kit).hex() for kit in world.kits)
    jobs = {}

    def ask():
        jobs['moot'] = world.json('update', 'ds', '--release', two, '--detach')['id']
        for words in (('rerandomize', 'ds'), ('update', 'ds', '--prepare-only', '--release', one),
                      ('update', 'ds', '--release', two)):
            world.json(*words, '--detach')
            assert not job_of(world, jobs['moot'])['ended_us'], words
        with world.control() as control:
            asked = control.send(job_show={'job': jobs['moot'], 'wait': True})
            jobs['new'] = world.json('update', 'ds', '--release', three, '--detach')['id']
            told = control.wait_reply(asked, 100)
        assert told['state'] == 'JOB_STATE_SUPERSEDED', told
        assert 'job %d goes to another release' % jobs['new'] in told['cause']['message'], told

    busy(world, ask)
    assert world.settle(jobs['new'])['state'] == 'JOB_STATE_CONFIRMED'
    assert world.peer.services['ds']['release_id'].hex() == three
    # One that has the machine goes on, and the newer one follows it.
    world.peer.faults['hold_result'] = 1
    first = world.json('update', 'ds', '--release', two, '--detach')['id']
    world.until(lambda: world.peer.withheld)
    last = world.json('update', 'ds', '--release', one, '--detach')['id']
    assert job_of(world, first)['state'] == 'switching'
    world.peer.release()
    assert world.settle(first)['state'] == world.settle(last)['state'] == 'JOB_STATE_CONFIRMED'


def test_superseded_later(world):
    """lud ends between the record of the newer job and the end of the older one."""
    prepared(world)
    one, two, three = (world.release_id(kit).hex() for kit in world.kits)
    world.kill()
    world.start(die_at='plan.supersede')
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
    world.peer.faults['hold_result'] = 1
    world.json('rerandomize', 'tty', '--detach')
    world.until(lambda: world.peer.withheld)
    old = world.json('update', 'ds', '--release', two, '--detach')['id']
    world.luctl('update', 'ds', '--release', three, '--detach', code=8)
    world.kill()
    world.start()
    new = max(j['id'] for j in world.json('jobs')['jobs'])
    assert new > old and job_of(world, old)['state'] == 'superseded'
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
    world.peer.release()
    assert world.settle(new)['state'] == 'JOB_STATE_CONFIRMED'
    assert world.peer.services['ds']['release_id'].hex() == three


def test_rollback_supersedes(world):
    """Who goes back does not want an update that waits to go forward afterwards."""
    prepared(world)
    ran_twice(world)
    jobs = {}

    def ask():
        jobs['update'] = world.json('update', 'ds', '--detach')['id']
        jobs['rollback'] = world.json('rollback', 'ds', '--detach')['id']

    busy(world, ask)
    assert world.settle(jobs['rollback'])['state'] == 'JOB_STATE_CONFIRMED'
    assert job_of(world, jobs['update'])['state'] == 'superseded'


def drawn(world, job):
    """The numbers that a job drew, each with its state and the commitment to its seed, newest last."""
    return rows(world, 'SELECT g.number, g.state, v.seed_commit FROM generations g JOIN variants v ON v.id = g.variant '
                'WHERE g.job = %d ORDER BY g.id' % job)


def drew_again(world, job, first, past):
    """A job whose first number another went past was carried out, by a number above that and a seed of its own."""
    told = world.settle(job)
    assert told['state'] in ('JOB_STATE_CONFIRMED', 'JOB_STATE_PREPARED'), told
    was, now = drawn(world, job)
    order = next(o for o in reversed(world.peer.orders) if o.action in (UPDATE, PREPARE))
    assert was[0] == first[0] < past < now[0] == order.generation, (was, past, now)
    assert world.json('show', 'ds', str(was[0]))['state'] == 'never ran'
    assert not any(was[2]) or was[2] != now[2], 'a seed is used twice'
    assert was[0] not in [o.generation for o in world.peer.orders if o.service == 'ds'], 'a number is used twice'


def test_overtaken(world):
    """What a job drew is drawn again when another of its service went first: held with its number, or of less weight."""
    prepared(world)
    ran_twice(world)
    three = world.release_id(world.kits[2]).hex()
    for layout in ('host', 'machine'):
        for words in (('rerandomize', 'ds'), ('update', 'ds', '--release', three, '--prepare-only'), ('rollback', 'ds')):
            with world.peer.lock:
                world.peer.faults['rate_admit'] = 1 << 20
            job = world.json(*words, '--layout', layout, '--detach')
            job = job['jobs'][0]['id'] if 'jobs' in job else job['id']
            world.until(lambda j=job: job_of(world, j)['state'] == 'staged' and drawn(world, j))
            first, = drawn(world, job)
            world.luctl('job', 'hold', str(job))
            with world.peer.lock:
                world.peer.faults['rate_admit'] = 0
            past = world.json('rerandomize', 'ds')['jobs'][0]['generation']
            world.luctl('job', 'resume', str(job))
            drew_again(world, job, first, past)
    jobs = {}

    def ask():
        jobs['old'] = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
        world.until(lambda: is_ready(world, jobs['old']))
        jobs['new'] = world.json('update', 'ds', '--release', running, '--detach')['id']

    running = world.peer.services['ds']['release_id'].hex()
    busy(world, ask)
    past = world.settle(jobs['new'])
    assert past['state'] == 'JOB_STATE_CONFIRMED', past
    drew_again(world, jobs['old'], drawn(world, jobs['old'])[0], past['generation'])


def left_behind(world, layout, newer, is_undone):
    """lud killed and back: a new layout of ds, its order recorded, stands behind a job of more weight; both, and the draw."""
    world.kill()
    world.start(die_at='order.end')
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')
    with world.peer.lock:
        world.peer.faults['rate_admit'] = 1 << 20
    old = world.json('rerandomize', 'ds', '--layout', layout, '--detach')['jobs'][0]['id']
    world.until(lambda: job_of(world, old)['state'] == 'staged' and drawn(world, old))
    first, = drawn(world, old)
    new = world.json(*newer, '--detach')['id']
    world.until(lambda: job_of(world, new)['waits_for'] == 'its turn')
    with world.peer.lock:
        world.peer.faults.update(rate_admit=0, roll_back=is_undone)
    world.wait_dead()
    assert rows(world, 'SELECT 1 FROM orders WHERE job = %d' % old), 'it ended before the order was recorded'
    world.start()
    return old, world.settle(new), first


def test_overtaken_later(world):
    """The same of one whose order was recorded when lud ended, and that finds a job of more weight after it."""
    prepared(world)
    newer = ('update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    for layout, is_undone in (('host', False), ('machine', False), ('machine', True)):
        old, past, first = left_behind(world, layout, newer, is_undone)
        assert past['state'] == ('JOB_STATE_ROLLED_BACK' if is_undone else 'JOB_STATE_CONFIRMED'), past
        drew_again(world, old, first, past['generation'])


def test_order_overtaken(world):
    """An order that one of another service came after is made again, by a number that was never sent, and no layout."""
    prepared(world)
    newer = ('update', 'tty', '--layout', 'machine', '--release', world.peer.services['tty']['release_id'].hex())
    for is_undone in (False, True):
        old, past, first = left_behind(world, 'machine', newer, is_undone)
        told = world.settle(old)
        assert told['state'] == 'JOB_STATE_CONFIRMED' and int(told['ended_us']) > int(past['ended_us']), told
        assert [row[0] for row in drawn(world, old)] == [first[0]]
        numbers = [txn for txn, in rows(world, 'SELECT txn FROM orders WHERE job = %d AND action = 1 ORDER BY txn' % old)]
        assert numbers[0] not in world.peer.runs and numbers[-1] in world.peer.runs, (numbers, world.peer.runs)


def test_scheduled(world):
    """What a timer asks for never queues: it is skipped, and counted, while the machine has other jobs."""
    prepared(world)

    def ask():
        for n in (1, 2):
            jobs = world.json('rerandomize', '--all', '--scheduled')['jobs']
            assert {j['state'] for j in jobs} == {'skipped'} and len(jobs) == 3, jobs
            assert 'is busy' in jobs[0]['cause']['message'], jobs
            assert world.json('status')['skipped'] == n
        assert 'skipped 2 times' in world.luctl('status')

    busy(world, ask)
    jobs = world.json('rerandomize', 'ds', 'tty', '--scheduled')['jobs']
    assert [j['state'] for j in jobs] == ['confirmed'] * 2 and all(j['scheduled'] for j in jobs), jobs
    assert world.json('status')['skipped'] == 2
    world.kill()
    world.start()
    assert world.json('status')['skipped'] == 2


harness.main(globals(), 4)
