#!/usr/bin/env python3
"""Jobs that a person holds, releases or ends: at once in every state before the order, and asked of the machine after.

Usage: hold_test.py BUILD [NAME...]
"""

import time

import harness
from harness import die, record

# Where lud dies, in a job on the host's road, before its order is sent.
BEFORE = ('pair.begin', 'pair.end', 'forge.begin', 'sign.end', 'stage.begin', 'stage.end', 'order.begin', 'order.end')


def job_of(world, number):
    return next(j for j in world.json('jobs')['jobs'] if j['id'] == number)


def left_at(world, death, n):
    """lud up, with a job at this place of its life that waits for a machine which does not answer; its number."""
    die(world, death, update={'service': 'ds', 'release': world.release_id(world.kits[-1 - n % 2]).hex()})
    world.peer.awake.clear()
    world.start()
    job, = record(world, 'SELECT max(id) FROM jobs')
    return job


def answers(world):
    world.peer.awake.set()
    world.until(lambda: world.json('machine', 'list')['machines'][0]['state'] == 'up')


def test_cancel(world):
    """A job is cancelled at once wherever it stands before its order was sent, the machine there or not."""
    world.prepare(2)
    for n, death in enumerate(BEFORE):
        job = left_at(world, death, n)
        told = world.luctl('job', 'cancel', str(job), '--reason', 'not today', errors=True)
        assert 'cancelled by root' in told and 'not today' in told, (death, told)
        got = job_of(world, job)
        assert got['state'] == 'cancelled' and got['ended_us'] and got['cause']['name'] == 'cancelled', (death, got)
        assert 'no open job' in world.luctl('job', 'cancel', str(job), code=3)
        answers(world)
        assert not world.peer.runs, death
    assert world.json('update', 'ds')['state'] == 'confirmed'
    assert 'no number of a job' in world.luctl('job', 'cancel', 'ds', code=2)


def preparing(world, death=''):
    """A job that the machine prepares, and lud to die at a place."""
    world.kill()
    world.start(die_at=death)
    world.peer.faults['hold_prepare'] = 1
    job = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: job_of(world, job)['state'] == 'preparing')
    return job


def test_cancel_ordered(world):
    """What the machine prepares it lets go of when it is asked, also by a lud that died over it."""
    world.prepare()
    for death in ('', 'cancel.did', 'cancel.end'):
        job = preparing(world, death)
        if death:
            world.luctl('job', 'cancel', str(job), code=8)
            world.wait_dead()
            world.start()
        if death != 'cancel.end':
            assert 'E_CANCELLED' in world.luctl('job', 'cancel', str(job), errors=True)
        got = world.settle(job)
        assert got['state'] == 'JOB_STATE_CANCELLED' and world.running() == 1, (death, got)
        assert got['cause']['name'] == 'E_CANCELLED' and 'cancelled by root' in got['hint'], got
        assert world.json('history', 'ds')['generations'][0]['state'] == 'rolled back'


def test_cancel_late(world):
    """From the switch on nothing is let go of: it is refused here, or the machine does what it does, and that is told."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    job = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: job_of(world, job)['state'] == 'switching')
    told = world.luctl('job', 'cancel', str(job), code=4)
    assert 'switching' in told and 'rollback' in told, told
    assert 'switching' in world.luctl('job', 'hold', str(job), code=4)
    world.peer.release()
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    world.peer.faults['cancel_late'] = 1
    job = preparing(world)
    told = world.luctl('job', 'cancel', str(job), code=4)
    assert 'not cancelled any more: it is confirmed' in told, told


def test_hold(world):
    """A job is held wherever it stands before its order was sent, others go on, and it does when it is released."""
    world.prepare(2)
    for n, death in enumerate(BEFORE):
        job = left_at(world, death, n)
        told = world.luctl('job', 'hold', str(job), '--reason', 'freeze')
        assert ' held (job' in told, (death, told)
        world.kill()
        world.start()
        answers(world)
        got = job_of(world, job)
        assert got['state'] == 'held' and got['waits_for'].startswith('freeze (root'), (death, got)
        assert got['deadline_us'] / 1e6 > time.time() + 6 * 86400 and got['next_look_us'] == got['deadline_us'], got
        runs = len(world.peer.runs)
        assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed', death
        assert job_of(world, job)['state'] == 'held' and len(world.peer.runs) == runs + 1, death
        world.luctl('job', 'resume' if n % 2 else 'release', str(job))
        assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == runs + 2, death
    assert 'no open job' in world.luctl('job', 'release', str(job), code=3)


def test_released_behind(world):
    """An older job that is released while a newer one of its service has the machine waits, and neither waits for ever."""
    world.prepare()
    older = left_at(world, 'forge.end', 0)
    world.luctl('job', 'hold', str(older), '--reason', 'not yet')
    answers(world)
    told = world.luctl('job', 'approve', str(older), code=3)
    assert 'job %d (update ds) waits for no rollout: it is held, and waits for: not yet' % older in told, told
    assert 'there is no such job' in world.luctl('job', 'approve', '99', code=3)
    world.peer.faults['hold_result'] = 1
    newer = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: world.peer.withheld)
    world.luctl('job', 'release', str(older))
    world.until(lambda: job_of(world, older)['waits_for'] == 'its turn')
    world.peer.release()
    first, then = world.settle(newer), world.settle(older)
    assert first['state'] == then['state'] == 'JOB_STATE_CONFIRMED' and first['ended_us'] < then['ended_us'], then


def test_hold_ends(world):
    """Scheduled for a while a job goes on by itself; held beyond its deadline it expires; neither is forgotten."""
    world.prepare()
    for restarted in (False, True):
        job = left_at(world, 'forge.end', 0)
        asked = time.time()
        got = world.json('job', 'hold', str(job), '--for', '6s')
        assert got['state'] == 'scheduled' and got['next_look_us'] < got['deadline_us'], got
        assert 'looked at again at' in world.luctl('jobs')
        answers(world)
        if restarted:
            world.kill()
            world.start()
        got = world.settle(job)
        assert got['state'] == 'JOB_STATE_CONFIRMED', got
        run, = [int(s['started_us']) / 1e6 for s in got['steps'] if s['name'] == 'run']
        assert run >= asked + 6, got
    job = left_at(world, 'forge.end', 0)
    with world.control() as control:
        held = control.call(reason='until Monday', job_hold={'job': job, 'deadline_ms': 1000})
        assert held['state'] == 'JOB_STATE_HELD', held
    world.kill()
    world.peer.awake.set()
    world.start()
    got = world.settle(job)
    assert got['state'] == 'JOB_STATE_EXPIRED' and 'until Monday' in got['cause']['message'], got


def test_again(world):
    """What is asked for once more with its id, since the first answer was lost, is done; without one it says that it was so."""
    world.prepare(2)
    world.luctl('machine', 'add', 'spare')
    job = left_at(world, 'forge.end', 0)
    world.luctl('job', 'hold', str(job))
    world.luctl('hold', '--all')
    for words, code in ((['release', 'block', 'ds', '1'], 4), (['release', 'clear', 'ds', '1'], 3),
                        (['unhold', '--all'], 3), (['job', 'resume', str(job)], 4), (['job', 'cancel', str(job)], 3),
                        (['release', 'remove', 'ds', '2'], 3), (['machine', 'remove', 'spare'], 3)):
        for _ in range(2):
            world.luctl(*words, '--request-id', '-'.join(words[:2]).strip('-'))
        world.luctl(*words, code=code)


def test_killed(world):
    """kill -9 around each write of a hold, a release and a cancel: the job is where it was, or where it was to go."""
    world.prepare()
    for death, state in (('hold.did', 'forging'), ('hold.end', 'held'), ('release.did', 'held'),
                         ('release.end', 'forging'), ('cancel.did', 'forging')):
        job = left_at(world, 'forge.end', 0)
        verb = death.split('.', maxsplit=1)[0]
        if verb == 'release':
            world.luctl('job', 'hold', str(job))
        world.kill()
        world.start(die_at=death)
        world.luctl('job', verb, str(job), code=8)
        world.wait_dead()
        world.start()
        assert job_of(world, job)['state'] == state, (death, job_of(world, job))
        if state == 'held':
            world.luctl('job', 'release', str(job))
        answers(world)
        assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED', death


harness.main(globals(), 4)
