#!/usr/bin/env python3
"""Several services updated or rolled back as one: all are planned first, they go one by one, and none stays alone.

Usage: set_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import time

import harness
from harness import LOST, die, record, refused_call
from sets import SERVICES, is_over, ordered, policy, prepare, runs, shown, states, the_set, to_first

# Nothing may begin, for ever.
DENIED = 'windows: {deny: [{start: "*-*-* *:*:00", length: 2min}]}'

# Every place where lud_test can be made to end itself in a set.
DEATHS = ['plan.set', 'ready.begin', 'ready.did', 'ready.end', 'set.begin', 'set.let', 'set.did', 'set.end']
# The same where a member fails, and those that are done go back.
DEATHS_BACK = ['set.cancel', 'set.back', 'set.asked', 'set.did', 'set.end']


def test_order(world):
    """A caller goes before what it calls, one after the other, and the answer shows the whole and its parts."""
    prepare(world)
    told = world.luctl('plan', 'update', 'ds', 'agent')
    assert 'set on m' in told and 'agent calls ds' in told and told.index('\nagent,') < told.index('\nds,'), told
    told = world.luctl('update', 'ds', 'agent')
    assert 'm: set committed (job 1)' in told and '  agent: update confirmed' in told, told
    assert ordered(world) == ['agent', 'ds'] and runs(world) == {'ds': 2, 'agent': 2}
    job = the_set(world)
    assert states(job) == [('agent', 'update', 'confirmed'), ('ds', 'update', 'confirmed')], job
    assert [s['name'] for s in job['steps']] == ['plan', 'ready', 'set'], job
    # The first is confirmed before the second is ordered, and both were signed before the first was.
    agent, ds = (shown(world, m['job']) for m in job['children'])
    times = {s['name']: s for s in ds['steps']}
    assert times['stage']['started_us'] >= agent['ended_us'] - 1000, (agent, ds)
    first = next(s for s in agent['steps'] if s['name'] == 'stage')
    assert times['sign']['ended_us'] <= first['started_us'], (agent, ds)
    # There and back again, where what is called goes first.
    to_first(world)
    assert world.json('update', 'ds', 'agent')['state'] == 'committed'
    n = len(ordered(world))
    assert world.json('rollback', 'agent', 'ds')['state'] == 'committed'
    assert ordered(world)[n:] == ['ds', 'agent'] and runs(world) == {'ds': 1, 'agent': 1}
    told = world.luctl('job', 'show', '1')
    assert 'job 1' in told and 'set' in world.luctl('jobs')
    assert [told.count('job %d' % n) for n in (2, 3)] == [1, 1], told


def test_policy_order(world):
    """update.order goes before what the kits say."""
    prepare(world)
    policy(world, 'update: {mode: check, order: [ds, agent]}')
    assert 'update.order of policy p' in world.luctl('plan', 'update', 'agent', 'ds')
    world.luctl('update', 'agent', 'ds')
    assert ordered(world) == ['ds', 'agent']


def test_refused_before(world):
    """If one would be refused, none begins: by the plan, and by the pairing of one of them."""
    prepare(world)
    world.luctl('release', 'block', 'ds', '2')
    told = world.luctl('update', 'ds', 'agent', code=4)
    assert 'is blocked' in told and record(world, 'SELECT count(*) FROM jobs') == (0,), told
    world.luctl('release', 'clear', 'ds', '2')
    world.pairing(loss=[LOST])
    told = world.luctl('plan', 'update', 'ds', 'agent', code=4, out=True)
    assert 'it would be refused' in told, told
    told = world.luctl('update', 'ds', 'agent', code=4)
    assert 'none of its 2 services was changed' in told and 'would be lost' in told, told
    assert the_set(world)['state'] == 'JOB_STATE_REFUSED' and is_over(world)
    assert not ordered(world) and not world.peer.staged, ordered(world)
    # Things that a set is not asked for.
    for words, why in ((('ds', 'ds'), 'named twice'), (('ds', 'agent', '--release', '2'), 'of one service'),
                       (('ds', 'nobody'), 'no service nobody')):
        assert why in world.luctl('update', *words, code=None, errors=True), words


def test_malformed(world):
    """What luctl does not ask for: too many services, one, or one without a name; by a plan as well as by an update."""
    prepare(world)
    for services in (['s%d' % n for n in range(17)], ['s'] * 300, ['ds']):
        update = {'update': {'services': services}}
        with world.control() as control:
            for request in (update, {'plan': update}):
                why = refused_call(control, **request)
                assert 'a set has 2 to 16 services' in why['cause']['message'], (request, why)
                assert ('by itself' if len(services) < 2 else 'fewer') in why['hint'], (request, why)
    with world.control() as control:
        for request in ({'update': {'services': ['', 'ds']}}, {'update': {'services': ['ds', '']}}, {'update': {}},
                        {'rollback': {}}, {'restart': {}}):
            assert 'no service ' in refused_call(control, **request)['cause']['message'], request
    assert record(world, 'SELECT count(*) FROM jobs') == (0,)


def test_no_way_back(world):
    """A set whose services could not go back is refused, unless a policy says that this may be."""
    prepare(world)
    world.pairing(back={'loss': [LOST]})
    told = world.luctl('update', 'ds', 'agent', code=4)
    assert 'way back would be refused, should another of its set fail' in told and not ordered(world), told
    policy(world, 'health: {soak: 1s, healthy: 30s}\nrollback: {way_back: false}')
    world.luctl('update', 'ds', 'agent', '--detach')
    assert world.settle(the_set(world)['id'])['state'] == 'JOB_STATE_COMMITTED'


def test_floor(world):
    """So is one with a release that raises the floor above what runs."""
    prepare(world, floor=2)
    assert 'raises the floor' in world.luctl('update', 'ds', 'agent', code=4) and not ordered(world)


def test_goes_back(world):
    """If the second one fails, the first one goes back, and its release is not blocked."""
    prepare(world)
    world.peer.faults['roll_back_ds_1'] = 1
    told = world.luctl('update', 'ds', 'agent', code=5)
    assert 'set rolled back' in told or 'ds is rolled back' in told, told
    job = the_set(world)
    assert job['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}, job
    assert states(job) == [('agent', 'update', 'confirmed'), ('ds', 'update', 'rolled_back'),
                           ('agent', 'rollback', 'confirmed')], job
    assert 'ds of its set is rolled back' in job['children'][2]['reason'], job
    assert record(world, "SELECT blocked_us FROM releases WHERE service = 'agent' AND counter = 2") == (0,)


def test_stays(world):
    """One that cannot go back is named, and the others go back all the same."""
    prepare(world, ('ds', 'tty', 'agent'))
    world.peer.faults.update(roll_back_ds_1=1, roll_back_tty_2=1)
    policy(world, 'update: {mode: check, order: [agent, tty, ds]}')
    world.luctl('update', 'agent', 'tty', 'ds', code=1)
    job = the_set(world)
    assert job['state'] == 'JOB_STATE_FAILED' and 'tty' in job['hint'], job
    assert runs(world) == {'agent': 1, 'tty': 2, 'ds': 1}, job


def test_cancel(world):
    """Ended before the first is ordered nothing was changed; later what was done goes back."""
    prepare(world)
    policy(world, DENIED)
    world.luctl('update', 'ds', 'agent', '--detach')
    job = the_set(world)
    world.until(lambda: the_set(world)['state'] == 'JOB_STATE_HELD')
    told = world.luctl('explain', str(job['id']))
    assert 'window' in told and 'policy p' in told, told
    assert {m['state'] for m in the_set(world)['children']} == {'JOB_STATE_PLANNED'}
    world.luctl('job', 'cancel', str(job['id']))
    world.until(lambda: is_over(world))
    assert {s for _, _, s in states(the_set(world))} == {'cancelled'} and not ordered(world)
    world.luctl('policy', 'remove', 'p')
    world.luctl('hold', 'ds')
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: the_set(world)['state'] == 'JOB_STATE_HELD')
    world.luctl('job', 'cancel', str(the_set(world)['id']))
    world.until(lambda: is_over(world))
    world.luctl('unhold', 'ds')
    # In the middle: the one that has the machine comes to its end, and goes back.
    n = len(ordered(world))
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: world.peer.withheld)
    with world.control() as control:
        control.send(job_cancel={'job': the_set(world)['id']})
        world.until(lambda: {s for v, _, s in states(the_set(world)) if v == 'ds'} == {'cancelled'})
        world.peer.release()
        world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_CANCELLED' and ordered(world)[n:] == ['agent', 'agent']
    assert runs(world) == {'ds': 1, 'agent': 1}


def test_expired(world):
    """The members of a set that is over end with it."""
    prepare(world)
    policy(world, DENIED)
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: the_set(world)['state'] == 'JOB_STATE_HELD')
    with world.control() as control:
        control.call(job_hold={'job': the_set(world)['id'], 'deadline_ms': 100})
    world.until(lambda: is_over(world))
    job = the_set(world)
    assert job['state'] == 'JOB_STATE_EXPIRED' and {s for _, _, s in states(job)} == {'cancelled'}, job


def test_expired_begun(world):
    """What is done already goes back where a set is put off until its deadline in the middle."""
    prepare(world)
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: world.peer.withheld)
    with world.control() as control:
        control.call(job_hold={'job': the_set(world)['id'], 'deadline_ms': 100})
    world.peer.release()
    world.until(lambda: is_over(world))
    job = the_set(world)
    assert job['state'] == 'JOB_STATE_CANCELLED' and 'held until its deadline: by hand (' in job['cause']['message'], job
    assert job['cause']['name'] == 'expired' and job['cause']['component'] == 'm', job
    told = world.luctl('explain', str(job['id']))
    assert 'it is over, and cancelled: m, step set: in the middle of it, it was held until its deadline: by hand' in told, told
    assert '1 of 2 services had it, and went back; ask for it again, or see that it is released in time\n' in told, told
    assert ordered(world) == ['agent', 'agent'] and runs(world) == {'ds': 1, 'agent': 1}, job


def test_put_off_begun(world):
    """Of a set that is put off in the middle it is told by whom, until when, and what follows; who ends it is told, too."""
    prepare(world)
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: world.peer.withheld)
    job = str(the_set(world)['id'])
    world.luctl('job', 'hold', job, '--reason', 'the disk is full')
    told = world.luctl('explain', job)
    assert 'held: ' in told and 'the disk is full' in told and ', until ' in told and 'goes back' not in told, told
    world.peer.release()
    world.until(lambda: 'confirmed' in [m[2] for m in states(the_set(world))])
    told = world.luctl('explain', job)
    assert 'the disk is full' in told and '; then what is done of it goes back\n' in told, told
    world.luctl('job', 'cancel', job)
    world.until(lambda: is_over(world))
    told = world.luctl('explain', job)
    assert 'it is over, and cancelled: m, step set: cancelled by ' in told and 'released in time' not in told, told


def test_waits(world):
    """Members wait for as long as their set does, whose deadline is another one."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('  wait_timeout: "5s"\n')
    prepare(world)
    policy(world, DENIED)
    world.luctl('update', 'ds', 'agent', '--detach')
    first = the_set(world)['children'][0]['job']
    deadline = shown(world, first)['deadline_us']
    world.until(lambda: shown(world, first)['deadline_us'] > deadline)
    assert 'its set' in shown(world, first)['waits_for'] and the_set(world)['state'] == 'JOB_STATE_HELD'
    world.luctl('policy', 'remove', 'p')
    world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_COMMITTED'


def test_windows(world):
    """A set has to fit whole before a window shuts; once it has begun no window cuts it off."""
    prepare(world)
    soon = time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(time.time() + 90 * 60))
    policy(world, 'windows: {deny: [{start: "%s", length: 10min}]}' % soon)
    world.luctl('update', 'ds', 'agent', '--timeout', '1h', '--detach')
    world.until(lambda: the_set(world)['state'] in ('JOB_STATE_HELD', 'JOB_STATE_SCHEDULED'))
    assert not ordered(world)
    world.luctl('job', 'cancel', str(the_set(world)['id']))
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'ds', 'agent', '--detach')
    world.until(lambda: world.peer.withheld)
    policy(world, DENIED)
    world.kill()
    world.start()
    world.until(lambda: 'taken up again' in world.log())
    world.peer.release()
    world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_COMMITTED' and runs(world) == {'ds': 2, 'agent': 2}


def test_soaks(world):
    """Members that are watched leave the machine free; one that is not well takes the set back with it."""
    prepare(world)
    policy(world, 'health: {soak: 20s, healthy: 60s}')
    world.luctl('update', 'ds', 'agent', '--detach')
    job = the_set(world)['id']
    world.until(lambda: runs(world) == {'ds': 2, 'agent': 2} and
                {m['state'] for m in shown(world, job)['children']} == {'JOB_STATE_SOAKING'})
    assert shown(world, job)['state'] == 'JOB_STATE_ORDERED'
    world.luctl('rerandomize', 'ds')
    world.peer.crash('agent')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK', done
    world.until(lambda: is_over(world))
    assert runs(world) == {'ds': 1, 'agent': 1}, done


def test_place(world):
    """A set whose members are only watched leaves its place of a fleet's limits to another machine's job."""
    prepare(world)
    with harness.peer.Peer(os.path.join(world.dir, 'b.sock')) as other:
        other.add_service('ds', world.release_id(world.set_kits['ds'][0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        policy(world, 'health: {soak: 1h, healthy: 2h}\nlimits: {machines: 1}')
        world.peer.faults['hold_result'] = 1
        world.luctl('update', 'ds', 'agent', '-m', 'm', '--detach')
        job = the_set(world)['id']
        world.until(lambda: world.peer.withheld)
        other.faults['hold_result'] = 1  # so that no end of a job has the others looked at
        waits = [world.json('rerandomize', 'ds', '-m', 'b', '--detach')['jobs'][0]['id'] for _ in range(12)]
        world.until(lambda: all(shown(world, one)['state'] == 'JOB_STATE_HELD' for one in waits))
        world.peer.release()
        world.until(lambda: {m['state'] for m in shown(world, job)['children']} == {'JOB_STATE_SOAKING'})
        world.until(lambda: other.withheld and all(shown(world, one)['state'] != 'JOB_STATE_HELD' for one in waits))
        assert shown(world, job)['state'] == 'JOB_STATE_ORDERED'


def test_runs_on(world):
    """A member that is not well, and that its policy does not take back, is named: the set did not go back whole."""
    prepare(world)
    policy(world, 'health: {soak: 60s, healthy: 120s}\nrollback: {automatic: false}')
    world.luctl('update', 'ds', 'agent', '--detach')
    job = the_set(world)['id']
    world.until(lambda: runs(world) == {'ds': 2, 'agent': 2} and
                {m['state'] for m in shown(world, job)['children']} == {'JOB_STATE_SOAKING'})
    world.peer.crash('agent')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_FAILED' and 'runs on: agent' in done['hint'], done
    assert runs(world) == {'ds': 1, 'agent': 2}, done


def test_held_restarted(world):
    """A member that is held keeps a set from going on, and not from going back; after a restart of lud neither."""
    prepare(world, ('ds', 'tty', 'agent'))
    policy(world, 'health: {soak: 60s, healthy: 120s}\nupdate: {mode: check, order: [agent, tty, ds]}')
    world.peer.faults['hold_result'] = 1
    world.luctl('update', 'ds', 'tty', 'agent', '--detach')
    job = the_set(world)['id']
    world.until(lambda: world.peer.withheld)
    world.luctl('hold', 'ds')
    world.peer.release()
    wanted = [('agent', 'update', 'soaking'), ('tty', 'update', 'soaking'), ('ds', 'update', 'held')]
    world.until(lambda: states(shown(world, job)) == wanted)
    world.kill()
    world.start()
    world.until(lambda: 'machine m is up' in world.luctl('status', code=None) and states(shown(world, job)) == wanted)
    world.peer.crash('agent')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK', the_set(world)
    world.until(lambda: is_over(world))
    assert runs(world) == {'ds': 1, 'tty': 1, 'agent': 1} and 'ds' not in ordered(world), ordered(world)
    world.luctl('unhold', 'ds')


def test_expected(world):
    """--expect-plan is of the whole set."""
    prepare(world)
    plan = world.json('plan', 'update', 'ds', 'agent')['hash']
    assert world.json('plan', 'update', 'agent', 'ds')['hash'] == plan
    told = world.luctl('update', 'ds', 'agent', '--expect-plan', world.json('plan', 'update', 'ds')['hash'], code=4)
    assert 'not the plan that was meant' in told and not ordered(world), told
    world.until(lambda: is_over(world))
    assert world.json('update', 'ds', 'agent', '--expect-plan', plan)['state'] == 'committed'
    assert bytes(the_set(world)['plan']).hex() == plan


def test_request_id(world):
    """A request that comes again is answered with the set that it had made."""
    prepare(world)
    first = world.json('update', 'ds', 'agent', '--request-id', 'x')
    assert world.json('update', 'ds', 'agent', '--request-id', 'x')['id'] == first['id']
    assert len(ordered(world)) == 2


def test_policy(world):
    """A policy's set goes as one; where the newer release of one is blocked, the others stay, too."""
    prepare(world, ('ds', 'tty', 'agent'))
    world.luctl('release', 'block', 'ds', '2')
    told = policy(world, 'update: {mode: apply, limit: 4s, sets: [{services: [ds, agent]}]}')
    assert 'update.sets' not in told, told
    world.until(lambda: runs(world)['tty'] == 2 and is_over(world))
    assert ordered(world) == ['tty'] and 'agent' not in world.luctl('next'), world.luctl('next')
    world.luctl('release', 'clear', 'ds', '2')
    world.until(lambda: runs(world) == {'ds': 2, 'tty': 2, 'agent': 2} and is_over(world))
    job = the_set(world)
    assert job['state'] == 'JOB_STATE_COMMITTED' and job['identity'].startswith('policy p'), job
    assert ordered(world) == ['tty', 'agent', 'ds'] and [s for s, _, _ in states(job)] == ['agent', 'ds'], job


def test_policy_held(world):
    """A member that is held keeps its set, and nothing else."""
    prepare(world, ('ds', 'tty', 'agent'))
    world.luctl('hold', 'ds')
    policy(world, 'update: {mode: apply, limit: 4s, sets: [{services: [ds, agent]}]}')
    world.until(lambda: runs(world)['tty'] == 2 and is_over(world))
    assert runs(world) == {'ds': 1, 'tty': 2, 'agent': 1} and ordered(world) == ['tty']
    world.luctl('unhold', 'ds')
    world.until(lambda: runs(world) == {'ds': 2, 'tty': 2, 'agent': 2} and is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_COMMITTED'


def test_policy_failed(world):
    """A set of a policy that went back is not tried again in parts: the release that failed is blocked."""
    prepare(world)
    world.peer.faults['roll_back_ds_1'] = 1
    policy(world, 'update: {mode: apply, limit: 4s, sets: [{services: [ds, agent]}]}')
    world.until(lambda: len(ordered(world)) == 3 and is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}
    assert 'agent' not in world.luctl('next') and ordered(world) == ['agent', 'ds', 'agent']


def ask(services):
    return {'update': {'services': list(services)}}


def killed_once(world, n, death):
    """kill -9 at this point of a set, there or back by turns: every service goes once."""
    there = runs(world) == {'ds': 1, 'agent': 1}
    begun = len(ordered(world))
    die(world, death, **{'update' if there else 'rollback': {'services': list(SERVICES)}})
    world.start()
    world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_COMMITTED', (death, the_set(world))
    assert record(world, 'SELECT count(*) FROM jobs WHERE kind = 9') == (n,), death
    assert runs(world) == ({'ds': 2, 'agent': 2} if there else {'ds': 1, 'agent': 1}), death
    assert ordered(world)[begun:] == (['agent', 'ds'] if there else ['ds', 'agent']), (death, ordered(world)[begun:])
    for service in () if there else SERVICES:
        world.luctl('release', 'clear', service, '2')


def test_killed(world):
    """kill -9 at every step of a set."""
    prepare(world)
    to_first(world)
    for n, death in enumerate(DEATHS, 1):
        killed_once(world, n, death)


def test_killed_member(world):
    """The same where lud ends in the middle of a member."""
    prepare(world)
    to_first(world)
    for n, death in enumerate(('pair.end', 'run.accepted', 'check.end', 'confirm.end'), 1):
        killed_once(world, n, death)


def test_killed_back(world):
    """kill -9 at every step of the way back: what was done goes back once, and nothing is left."""
    prepare(world, ('ds', 'tty', 'agent'))
    policy(world, 'update: {mode: check, order: [agent, ds, tty]}')
    for death in DEATHS_BACK:
        n = len(ordered(world))
        world.peer.faults['roll_back_ds_%d' % (1 + world.peer.n_updates('ds'))] = 1
        die(world, death, **ask(('ds', 'tty', 'agent')))
        world.start()
        world.until(lambda: is_over(world))
        job = the_set(world)
        assert job['state'] == 'JOB_STATE_ROLLED_BACK', (death, job)
        assert runs(world) == {'ds': 1, 'tty': 1, 'agent': 1}, death
        assert ordered(world)[n:] == ['agent', 'ds', 'agent'], (death, ordered(world)[n:])
        world.luctl('release', 'clear', 'ds', '2')


def test_machine_goes(world):
    """A machine that goes away in the middle ends the set and all of its jobs."""
    prepare(world)
    world.peer.faults['reboot'] = 1
    world.luctl('update', 'ds', 'agent', code=None)
    world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_INCONSISTENT' and ordered(world) == ['agent'], the_set(world)


def test_machine_stopped(world):
    """A set that one of its services owes a way back waits for the machine with it; then all of it goes back."""
    prepare(world)
    policy(world, 'health: {soak: 1h, healthy: 2h}')
    world.luctl('update', *SERVICES, '--detach')
    world.until(lambda: [m['state'] for m in the_set(world)['children']] == ['JOB_STATE_SOAKING'] * 2)
    world.peer.stop('ds')
    world.until(lambda: any('ds does not run' in shown(world, m['job']).get('waits_for', '')
                            for m in the_set(world)['children']))
    world.luctl('machine', 'stop', 'm')
    world.until(lambda: any('does not answer' in shown(world, m['job']).get('waits_for', '')
                            for m in the_set(world)['children']))
    assert not the_set(world).get('ended_us'), the_set(world)
    world.peer.services['ds']['state'] = 'SERVICE_RUNNING'
    world.luctl('machine', 'start', 'm')
    world.until(lambda: is_over(world))
    assert the_set(world)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world) == {'ds': 1, 'agent': 1}, the_set(world)


harness.main(globals(), 3)
