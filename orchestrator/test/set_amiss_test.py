#!/usr/bin/env python3
"""Sets of services that people, crashes and other jobs come between: what stands, what goes back, and what is left alone.

Usage: set_amiss_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import sqlite3

import harness
from harness import record, refused_call
from sets import is_over, ordered, policy, prepare, runs, shown, states, the_set

# The order in which most of these sets go.
ORDER = 'update: {mode: check, order: [agent, tty, ds]}'


def second_fails(world, services=('agent', 'ds')):
    """A set whose first service is done and whose second is at work: it will be rolled back when the peer says so."""
    world.peer.faults.update({'hold_result_%s' % services[1]: 1, 'roll_back_%s_1' % services[1]: 1})
    world.luctl('update', *services, '--detach')
    world.until(lambda: world.peer.withheld)
    return the_set(world)['id']


def until_seen(world, service, state):
    """lud knows that the service is in this state."""
    world.until(lambda: state in [s['service']['state'] for s in world.json('status')['services']
                                 if s['service']['name'] == service])


def waits_for(world, job):
    return shown(world, job).get('waits_for', '')


def begins_anew(world, job, waits):
    """lud takes a set up that waits to go back: it has no more time than before, and nobody goes first."""
    world.start()
    world.until(lambda: len([s for s in shown(world, job)['steps'] if s['name'] == 'set']) == 2)
    world.until(lambda: 'agent does not run' in waits_for(world, job))
    again = shown(world, job)
    assert again['deadline_us'] == waits['deadline_us'] and len(again['children']) == 2, (waits, again)


def awaits_back(world):
    """A set that waits for a service that is down, to go back; as it is shown."""
    prepare(world)
    job = second_fails(world)
    world.peer.stop('agent')
    until_seen(world, 'agent', 'down')
    world.peer.release()
    world.until(lambda: 'agent does not run' in waits_for(world, job))
    waits = shown(world, job)
    assert waits['deadline_us'] and waits['state'] == 'JOB_STATE_ORDERED', waits
    return job, waits


def test_back_waits(world):
    """A way back waits while its service is down, with a reason and a deadline, over a restart of lud too; then it is gone."""
    job, waits = awaits_back(world)
    world.kill()
    begins_anew(world, job, waits)
    world.peer.start_afresh('agent')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}, done


def test_back_waits_start(world):
    """The same where a start of the machine is open, which goes before all others."""
    job, waits = awaits_back(world)
    world.kill()
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db, db:
        db.execute('INSERT INTO jobs(machine, service, kind, state, step, identity, created_us) '
                   "SELECT machine, '', 5, 10, 1, identity, created_us FROM jobs WHERE id = ?", (job,))
    begins_anew(world, job, waits)


def test_back_in_vain(world):
    """A service that stays down until the deadline stays where it is, and is named; the others go back."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('  wait_timeout: "2s"\n')
    prepare(world, ('ds', 'tty', 'agent'))
    policy(world, ORDER)
    world.peer.faults.update(hold_result_ds=1, roll_back_ds_1=1)
    world.luctl('update', 'agent', 'tty', 'ds', '--detach')
    world.until(lambda: world.peer.withheld)
    world.peer.stop('tty')
    until_seen(world, 'tty', 'down')
    world.peer.release()
    job, deadlines = the_set(world)['id'], set()

    def settled():
        now = shown(world, job)
        deadlines.update([now['deadline_us']] if 'tty does not run' in now.get('waits_for', '') else [])
        return now['state'] == 'JOB_STATE_FAILED'
    world.until(settled)
    done = world.settle(job)
    assert 'runs on: tty;' in done['hint'] and len(deadlines) <= 1, (done, deadlines)
    assert runs(world) == {'ds': 1, 'tty': 2, 'agent': 1}, done


def in_between(world):
    """A set whose first service is done, and whose second is held and will be rolled back. The set."""
    prepare(world)
    policy(world, ORDER)
    world.peer.faults.update(hold_result_agent=1, roll_back_ds_1=1)
    world.luctl('update', 'agent', 'ds', '--detach')
    world.until(lambda: world.peer.withheld)
    world.luctl('hold', 'ds')
    world.peer.release()
    world.until(lambda: states(the_set(world)) == [('agent', 'update', 'confirmed'), ('ds', 'update', 'held')])
    return the_set(world)['id']


def test_left_alone(world):
    """What somebody put there since is left alone, and is not said to have gone back."""
    job = in_between(world)
    world.set_kits['agent'].append(world.kit('agent', 3, calls=('ds',)))
    world.luctl('release', 'add', world.set_kits['agent'][2])
    world.luctl('update', 'agent')
    world.luctl('unhold', 'ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 3}, done
    assert done['hint'] == '1 of 2 services had it, and went back; left alone, since somebody updated it: agent', done


def test_taken_back(world):
    """What somebody took back since has gone back."""
    job = in_between(world)
    world.luctl('update', 'agent', '--release', '1')
    world.luctl('unhold', 'ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}, done
    assert done['hint'] == '2 of 2 services had it, and went back' and len(done['children']) == 2, done


def put_off(world):
    """A set of three that a person has put off: one is done, one at work, and will be rolled back, one waits. The set."""
    prepare(world, ('ds', 'tty', 'agent'))
    policy(world, ORDER)
    job = second_fails(world, ('agent', 'tty', 'ds'))
    with world.control() as control:
        control.call(job_hold={'job': job, 'deadline_ms': 3600000})
    world.until(lambda: shown(world, job)['state'] == 'JOB_STATE_HELD')
    return job


def until_back(world, job, state='JOB_STATE_ROLLED_BACK'):
    done = world.settle(job)
    assert done['state'] == state, done
    world.until(lambda: is_over(world))
    assert runs(world) == {'ds': 1, 'tty': 1, 'agent': 1} and ordered(world) == ['agent', 'tty', 'agent'], ordered(world)


def test_put_off(world):
    """A set that a person put off goes back when one of its services fails meanwhile, and is not put off while it does."""
    job = put_off(world)
    world.peer.stop('agent')
    until_seen(world, 'agent', 'down')
    world.peer.release()
    world.until(lambda: 'agent does not run' in waits_for(world, job))
    with world.control() as control:
        why = refused_call(control, job_hold={'job': job, 'deadline_ms': 3600000})['cause']['message']
    assert 'cannot be put off' in why, why
    world.peer.start_afresh('agent')
    until_back(world, job)


def test_put_off_killed(world):
    """The same where lud is killed before it looks."""
    job = put_off(world)
    world.kill()
    world.start(die_at='release.did')
    world.until(lambda: 'taken up again' in world.log())
    world.peer.release()
    world.wait_dead()
    world.start()
    until_back(world, job)


def test_put_off_cancelled(world):
    """One that is put off ends when somebody ends it, or one of its jobs, also where lud is killed in between."""
    job = put_off(world)
    world.peer.faults['roll_back_tty_1'] = 0
    world.kill()
    world.start(die_at='cancel.end')
    with world.control() as control:
        control.send(job_cancel={'job': job})
        world.wait_dead()
    world.start()
    world.until(lambda: 'taken up again' in world.log())
    world.peer.release()
    until_back(world, job, 'JOB_STATE_CANCELLED')


def test_put_off_soaking(world):
    """A set whose services are only watched may be put off, and goes on by what the record says then."""
    prepare(world)
    policy(world, 'health: {soak: 1h, healthy: 2h}')
    world.luctl('update', 'agent', 'ds', '--detach')
    job = the_set(world)['id']
    for again in (False, True):
        world.until(lambda: [m[2] for m in states(the_set(world))] == ['soaking'] * 2)
        world.until(lambda: shown(world, job)['state'] == 'JOB_STATE_ORDERED')
        if not again:
            world.luctl('job', 'hold', str(job))
            assert shown(world, job)['state'] == 'JOB_STATE_HELD'
            world.luctl('job', 'release', str(job))
    world.peer.crash('ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}, done


def test_superseded(world):
    """A set that has not begun is moot with one of its services; all of it ends, and says why."""
    prepare(world)
    policy(world, 'windows: {deny: [{start: "*-*-* *:*:00", length: 2min}]}')
    world.luctl('update', 'agent', 'ds', '--detach')
    job = the_set(world)['id']
    world.until(lambda: shown(world, job)['state'] == 'JOB_STATE_HELD')
    world.luctl('update', 'ds', '--release', '1', '--detach')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_SUPERSEDED' and 'goes to another release of ds' in done['cause']['message'], done
    assert [s for _, _, s in states(done)] == ['cancelled', 'superseded'] and not ordered(world), done


def begun(world):
    """A set of which the first service is at work; that of the other ran once already. The set."""
    prepare(world)
    world.luctl('update', 'ds')
    world.luctl('update', 'ds', '--release', '1')
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'agent', 'ds', '--detach')
    world.until(lambda: world.peer.withheld)
    return the_set(world)['id']


def test_followed(world):
    """One that has begun goes on, and an update of one of its services follows it, also while somebody has put it off."""
    job = begun(world)
    with world.control() as control:
        control.call(job_hold={'job': job, 'deadline_ms': 3600000})
    world.luctl('update', 'ds', '--release', '1', '--detach')
    world.peer.release()
    world.until(lambda: states(shown(world, job))[0][2] == 'confirmed')
    for restarts in (False, True):
        if restarts:
            world.kill()
            world.start()
            world.until(lambda: 'machine m is up' in world.luctl('status', code=None))
        world.luctl('rerandomize', 'agent')
        follows = shown(world, record(world, 'SELECT max(id) FROM jobs WHERE kind = 1')[0])
        assert follows['service'] == 'ds' and follows['state'] == 'JOB_STATE_PLANNED', follows
    assert shown(world, job)['state'] == 'JOB_STATE_HELD'
    world.luctl('job', 'resume', str(job))
    assert world.settle(job)['state'] == 'JOB_STATE_COMMITTED'
    world.until(lambda: is_over(world))
    assert ordered(world) == ['ds', 'ds', 'agent', 'agent', 'agent', 'ds', 'ds'] and runs(world) == {'ds': 1, 'agent': 2}


def test_rolled_back_between(world):
    """A rollback of a service that is not at work yet ends its set, which goes back."""
    job = begun(world)
    world.luctl('rollback', 'ds', '--to', str(world.running()), '--detach')
    world.peer.release()
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'another release of ds' in done['cause']['message'], done
    world.until(lambda: is_over(world))
    assert runs(world) == {'ds': 1, 'agent': 1} and ordered(world).count('agent') == 2


harness.main(globals(), 3)
