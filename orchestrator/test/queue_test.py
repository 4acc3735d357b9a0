#!/usr/bin/env python3
"""Which of the jobs that wait for a machine goes first, and which do not wait at all.

Usage: queue_test.py BUILD [NAME...]
"""

import harness
from harness import STEP_STAGE, record


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
