#!/usr/bin/env python3
"""Where jobs stand: the states that they pass, what they wait for and until when, and that none of it is forgotten.

Usage: states_test.py BUILD [NAME...]
"""

import signal
import time

import harness
from harness import configured, die, record

# Where lud dies, and what the record has of the job then (proto/words/jobs.def).
PASSED = [('pair.begin', 9), ('pair.end', 10), ('seed.begin', 11), ('sign.end', 11), ('stage.begin', 12),
          ('order.begin', 12), ('order.end', 15), ('run.begin', 15), ('run.sent', 15), ('run.accepted', 16),
          ('run.end', 18), ('check.begin', 18), ('check.end', 19), ('confirm.begin', 19), ('confirm.end', 20)]
PASSED_MADE = [('pair.end', 10), ('stage.begin', 12), ('order.end', 15), ('run.accepted', 16)]
WAITS = (9, 10, 12)


def newest(world):
    return world.json('jobs')['jobs'][0]


def test_passed(world):
    """Each step has its state, in the same write; one that waits has its reason and deadline."""
    world.prepare(2)
    for layout, passed in (('host', PASSED), ('machine', PASSED_MADE)):
        for n, (death, state) in enumerate(passed):
            kit = world.kits[1 - n % 2]
            die(world, death, update={'service': 'ds', 'release': world.release_id(kit).hex(), 'layout': layout})
            got, since, why, until, look = record(
                world, 'SELECT state, state_us, wait_why, wait_until_us, wait_look_us FROM jobs ORDER BY id DESC')
            assert got == state, (death, got)
            assert abs(since / 1e6 - time.time()) < 60, death
            if death.endswith('.end') and state in WAITS:
                assert why == 'its turn' and time.time() < until / 1e6 < time.time() + 86401 and look == until, death
            elif death.endswith('.begin'):
                assert not why and not until and not look, (death, why)
            world.start()
            job = world.settle()
            assert job['state'] == 'JOB_STATE_CONFIRMED' and not job.get('waits_for'), (death, job)


def test_switching(world):
    """The machine's own word that it switches is kept, over a restart of lud too."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        control.send(update={'service': 'ds'})
        world.until(lambda: record(world, 'SELECT state FROM jobs') == (17,))
    world.kill()
    world.start()
    world.until(lambda: record(world, "SELECT count(*) FROM job_steps WHERE step = 5") == (2,))
    assert record(world, 'SELECT state FROM jobs') == (17,)
    world.peer.release()
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 1


def test_contradiction(world):
    """A machine that switched and then never saw the order contradicts itself: nothing is sent again."""
    world.prepare()
    world.peer.faults['switch_unseen'] = 1
    told = world.luctl('update', 'ds', code=6)
    assert 'switching' in told and 'no rule allows' in told and 'luctl status' in told, told
    assert newest(world)['state'] == 'inconsistent' and newest(world)['cause']['name'] == 'defect'
    assert 'which no rule allows' in world.log() and not world.peer.runs
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_turn(world):
    """A job that waits for its turn says so, and expires by its deadline, which a restart does not forget."""
    world.prepare()
    configured(world, '  layout: host\n  wait_timeout: "10s"\n')
    world.peer.faults['hold_result'] = 1
    first = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: world.peer.withheld)
    second = world.json('update', 'ds', '--detach')
    assert second['state'] == 'planned' and second['waits_for'] == 'its turn', second
    assert 'waits for its turn, until 20' in world.luctl('jobs')
    assert 'planned, in step plan; waits for its turn' in world.luctl('status')
    world.kill()
    world.start()
    job = world.settle(second['id'])
    assert job['state'] == 'JOB_STATE_EXPIRED' and job['ended_us'] >= int(second['deadline_us']), job
    assert 'waited for its turn' in job['cause']['message'] and 'luctl jobs' in job['hint'], job
    world.peer.release()
    assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 1


def test_away(world):
    """A job waits for a machine that does not answer until the limit of its step, and expires."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('machine:\n  answer_timeout: "20s"\n')
    world.prepare()
    world.kill()
    world.start(stop_at='forge.end')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.peer.awake.clear()
        world.lud.send_signal(signal.SIGCONT)
        world.until(lambda: 'does not answer' in newest(world)['waits_for'])
        waits = newest(world)
        assert waits['waits_for'].startswith('machine m') and waits['deadline_us'] / 1e6 < time.time() + 21, waits
        assert waits['state'] == 'forging', waits
        job = control.wait_reply(asked, 100)
    assert job['state'] == 'JOB_STATE_EXPIRED' and job['cause']['name'] == 'machine-silent', job
    world.peer.awake.set()


harness.main(globals(), 4)
