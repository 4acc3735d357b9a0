#!/usr/bin/env python3
"""Health gates, soaks, and the way back that policies go by themselves.

Usage: health_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import signal
import sqlite3
import struct
import threading
import time

import harness
from harness import LOST, die, record

SOAK = 'health: {soak: 1s, healthy: 30s}'


def policy(world, text, name='p'):
    """A policy for every machine, applied."""
    path = os.path.join(world.dir, name + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: %s\nmatch: {machines: ["*"]}\n%s\n' % (name, text))
    return world.luctl('policy', 'apply', path, errors=True)


def job_of(world, job):
    with world.control() as control:
        return control.call(job_show={'job': job})


def update(world, *args):
    """The job of an update of ds that nobody waits for."""
    world.luctl('update', 'ds', '--detach', *args)
    return world.newest_job()


def soaking(world, job):
    """The job once it soaks, and was looked at."""
    world.until(lambda: job_of(world, job)['state'] == 'JOB_STATE_SOAKING' and job_of(world, job).get('waits_for'))
    return job_of(world, job)


def runs(world, n):
    """Whether ds runs the release of this number."""
    return world.peer.services['ds']['release_id'] == world.release_id(world.kits[n - 1])


def confirms(world):
    return sum(order.action == 3 for order in world.peer.orders)


def children(world, job):
    return [j for j in world.json('jobs')['jobs'] if int(j['parent']) == job]


def test_soak(world):
    """An update is confirmed when it was well for as long as the policy says; until then its machine has other work."""
    world.prepare(2)
    told = policy(world, 'health: {soak: 10s, healthy: 60s, heartbeat: {}, blackout: 20ms}')
    assert 'health' not in told, told
    begun = time.monotonic()
    job = update(world)
    now = soaking(world, job)
    assert 'well so far' in now['waits_for'], now
    assert time.time() < now['next_look_us'] / 1e6 + 30 and now['next_look_us'] <= now['deadline_us'], now
    assert 'well so far' in world.luctl('status')
    assert not confirms(world) and not record(world, 'SELECT max(floor) FROM services')[0]
    # The machine is free: another layout of the same release is made, and the soak goes on.
    world.luctl('rerandomize', 'ds')
    assert job_of(world, job)['state'] == 'JOB_STATE_SOAKING' and not confirms(world)
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_CONFIRMED' and time.monotonic() - begun > 10, done
    assert [s['name'] for s in done['steps']][-3:] == ['check', 'soak', 'confirm'] and confirms(world) == 1
    # What no policy has watched is confirmed at once.
    world.luctl('policy', 'remove', 'p')
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    assert [s['name'] for s in world.settle()['steps']][-2:] == ['check', 'confirm']


def watched(world, heartbeat='{missed: 1}'):
    """The job of an update that raises the floor, and is watched until the peer tells of signs of life."""
    world.prepare(2)
    world.luctl('release', 'add', world.kit('ds', 3, floor=3))
    world.peer.knows_pings = False
    policy(world, 'health: {soak: 1s, healthy: 1h, heartbeat: %s, probes: [{service: rs, message: ping}]}' % heartbeat)
    job = update(world)
    soaking(world, job)
    return job


def is_bare(world, job, layout):
    """Whether a layout was made that is not confirmed, and brought no floor, since an update is watched."""
    assert layout['state'] == 'JOB_STATE_COMMITTED' and 'job %d confirms both' % job in layout['hint'], layout
    assert job_of(world, job)['state'] == 'JOB_STATE_SOAKING' and not confirms(world)
    return not record(world, 'SELECT max(floor) FROM services')[0]


def of_policy(world):
    """The job that a policy has asked for, once it is over."""
    def found():
        return [j for j in world.json('jobs')['jobs'] if j['way'] == 'policy' and j['ended_us']]
    world.until(found)
    return job_of(world, found()[0]['id'])


def test_layouts(world):
    """New layouts neither end what is watched nor confirm it, whoever asks for them; then what runs is confirmed."""
    job = watched(world)
    for words in ([], ['--layout', 'machine'], ['--scheduled']):
        world.luctl('rerandomize', 'ds', *words)
        assert is_bare(world, job, world.settle()), words
    policy(world, 'rerandomize: {every: 1d}', 'layouts')
    assert is_bare(world, job, of_policy(world))
    # What the machine has started afresh is of the same order, and so is what lud finds when it comes back.
    world.peer.crash('ds')
    for death in ('run.end', 'check.did', 'check.begin'):
        n_runs = len(world.peer.runs)
        die(world, death, rerandomize={'services': ['ds']})
        world.start()
        assert is_bare(world, job, world.settle()) and len(world.peer.runs) == n_runs + 1, death
    # A standing order moves it: of that layout no order says anything.
    with world.peer.lock:
        world.peer._made_afresh(world.peer.services['ds'])
    world.peer.knows_pings = True
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and confirms(world) == 1
    assert world.peer.orders[-1].argument == world.peer.runs[-1]
    assert record(world, 'SELECT max(floor) FROM services') == (3,)
    world.luctl('rerandomize', 'ds')
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and confirms(world) == 2


def test_layout_way_back(world):
    """A new layout of what is watched keeps the way back open."""
    job = watched(world, '{}')
    world.luctl('rerandomize', 'ds')
    assert is_bare(world, job, world.settle())
    world.peer.crash('ds')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1)


def test_layout_of_failed(world):
    """A new layout of a release that was not well and runs on raises no floor: a person can go back, and an update confirms it."""
    world.prepare(2)
    world.luctl('rerandomize', 'ds')
    good, begun = str(world.running()), confirms(world)
    world.luctl('release', 'add', world.kit('ds', 3, floor=3))
    policy(world, 'health: {soak: 30s, healthy: 60s}\nrollback: {automatic: false}')
    job = update(world)
    soaking(world, job)
    world.peer.crash('ds')
    assert world.settle(job)['state'] == 'JOB_STATE_FAILED'
    for words in ([], ['--layout', 'machine'], ['--scheduled']):
        world.luctl('rerandomize', 'ds', *words)
        done = world.settle()
        assert done['state'] == 'JOB_STATE_COMMITTED' and 'the way back stays open' in done['hint'], done
        assert confirms(world) == begun and record(world, 'SELECT max(floor) FROM services') == (0,), words
    bad = str(world.running())
    world.luctl('rollback', 'ds', '--to', good)
    assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and runs(world, 1)
    world.luctl('policy', 'remove', 'p')
    # Nor does one raise it who goes there again by a rollback; an update does.
    for words, floor in ((['rollback', 'ds', '--to', bad], 0), (['update', 'ds', '--release', '3'], 3)):
        world.luctl(*words)
        assert not runs(world, 1) and record(world, 'SELECT max(floor) FROM services') == (floor,), words


def test_slow_disk(world):
    """A soak waits for the disk before it begins, and the machine is its job's until then."""
    world.prepare(2)
    agent = world.kit('agent', 1)
    world.peer.add_service('agent', world.release_id(agent))
    world.luctl('release', 'add', agent)
    policy(world, 'health: {soak: 5s, healthy: 60s}')
    world.kill()
    world.start(faults={'LIST': os.path.join(world.dir, 'calls'), 'DELAY': 300})
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    job = update(world)
    world.luctl('rerandomize', 'agent', '--detach')
    with world.control() as control:
        world.until(lambda: any(j['id'] == job and j['state'] == 'JOB_STATE_SOAKING'
                                for j in control.call(status={}).get('open_jobs', [])))
    world.luctl('hold', 'rs')  # whatever waits is looked at
    assert [world.settle(n)['state'] for n in (job, job + 1)] == ['JOB_STATE_CONFIRMED'] * 2


def test_crash(world):
    """One that crashes after its update goes back by itself: windows do not count, and the release is blocked."""
    world.prepare(2)
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    policy(world, 'windows: {deny: [{start: "*-*-* *:*:00", length: 2min}]}', 'freeze')
    world.peer.crash('ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1), done
    assert 'started afresh' in done['cause']['message'] and done['cause']['step'] == 'soak', done
    back, = children(world, job)
    assert back['kind'] == 'rollback' and back['identity'].startswith('policy p version 2'), back
    assert 'started afresh' in back['reason'] and back['way'] == 'lud', back
    assert not [o for o in world.peer.orders if o.action == 3 and o.argument == world.peer.orders[0].txn]
    told = world.luctl('update', 'ds', code=4)
    assert 'blocked' in told and 'started afresh' in told, told
    world.luctl('policy', 'remove', 'freeze')
    world.luctl('release', 'clear', 'ds', '2')
    world.luctl('update', 'ds', '--detach')


def test_crash_seen(world):
    """What befalls the service is looked at when the machine says so, and not at the next look."""
    world.prepare(2)
    policy(world, 'health: {soak: 300s, healthy: 1h, heartbeat: {missed: 9}}')
    job = update(world)
    early = []
    for _ in range(3):  # a host that stands still for half a minute comes to the next look first
        look = soaking(world, job)['next_look_us']
        world.peer.crash('ds')
        world.until(lambda: job_of(world, job)['next_look_us'] != look)
        early.append(job_of(world, job)['next_look_us'] < look + 30e6)
        if early[-1]:
            break
    assert any(early), early


def test_told_faster(world):
    """A machine that tells more of the service than it answers is judged all the same, by what it answers."""
    world.prepare(2)
    policy(world, 'health: {soak: 2s, healthy: 1h}')
    job = update(world)
    soaking(world, job)
    answer = world.peer._on_status

    def late(request, body):
        """Something befalls the service whenever its status is asked for, and only later comes that."""
        world.peer._event(change={'service': 'ds', 'kind': 'CHANGE_CRASHED'})
        threading.Timer(0.5, answer_now, (request, body)).start()

    def answer_now(request, body):
        with world.peer.lock, contextlib.suppress(OSError):
            answer(request, body)
    world.peer._on_status = late
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'


def test_exit(world):
    """Whoever waits for such an update hears that it was rolled back."""
    world.prepare(2)
    policy(world, 'health: {soak: 1s, healthy: 60s, blackout: 1ms}')
    told = world.luctl('update', 'ds', code=5)
    assert 'stood still for 1.23457 ms' in told and 'health failed' in told, told


def test_let_pass(world):
    """So many restarts as the policy lets pass are no fault; one more is."""
    world.prepare(2)
    policy(world, 'health: {soak: 12s, healthy: 60s, heartbeat: {missed: 1}}')
    job = update(world)
    soaking(world, job)
    world.peer.crash('ds')
    time.sleep(1)
    assert job_of(world, job)['state'] == 'JOB_STATE_SOAKING'
    world.peer.crash('ds')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK'


def test_loads(world):
    """A figure of the load is compared with what it was, by value or by how fast it rises; an unknown one holds."""
    world.prepare(2)
    other = world.peer.services['rs']
    other['metrics'] = [{'name': 'per_second', 'value': 1000}]
    policy(world, 'health: {soak: 5s, healthy: 60s, loads: [{metric: per_second, least: 90%}]}')
    world.until(lambda: world.json('status') and not world.json('plan', 'update', 'ds')['parts'][0]['warning'])
    job = update(world)
    soaking(world, job)
    other['metrics'] = []
    world.until(lambda: 'does not tell per_second' in job_of(world, job)['waits_for'])
    time.sleep(6)
    row, = [row for row in world.json('status')['overview']['amiss'] if row['kind'] == 'rollout']
    assert 'is not known to be well after its update (the machine does not tell per_second)' in row['text'], row
    assert 'luctl job show %d' % job in row['remedy'] and row['machine'] == 'm', row
    assert job_of(world, job)['state'] == 'JOB_STATE_SOAKING'
    other['metrics'] = [{'name': 'per_second', 'value': 900}]
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    other['metrics'] = [{'name': 'per_second', 'value': 1000}]
    job = update(world, '--release', world.release_id(world.kits[0]).hex())
    soaking(world, job)
    other['metrics'] = [{'name': 'per_second', 'value': 899}]
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'per_second is 899 and was 1000' in done['cause']['message']


def test_rates(world):
    """A counter that rises as fast as before is well; one that stands still is not."""
    world.prepare(3)
    other = world.peer.services['rs']
    other['metrics'] = [{'name': 'done', 'value': 0}]
    speed = [1000]

    def count(request, body, answer=world.peer._on_status):
        count.value += speed[0] * (time.monotonic() - count.at)
        count.at = time.monotonic()
        other['metrics'] = [{'name': 'done', 'value': int(count.value)}]
        answer(request, body)
    count.value, count.at = 0, time.monotonic()
    world.peer._on_status = count
    world.luctl('status')
    policy(world, 'health: {soak: 8s, healthy: 60s, loads: [{metric: done, as: rate, least: 50%}]}')
    job = update(world, '--release', world.release_id(world.kits[1]).hex())
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    job = update(world)
    soaking(world, job)
    speed[0] = 100
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'done is' in done['cause']['message'], done


def test_silent(world):
    """A machine that is not heard holds: it never passes, and has failed when its time is over."""
    world.prepare(2)
    policy(world, 'health: {soak: 5s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    world.peer.awake.clear()
    time.sleep(6)
    assert job_of(world, job)['state'] == 'JOB_STATE_SOAKING'
    world.peer.awake.set()
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'


def test_unknown(world):
    """What is not known in time has failed, and the machine, which answers, goes back."""
    world.prepare(2)
    policy(world, 'health: {soak: 1s, healthy: 3s, loads: [{metric: nobody_has_it}]}')
    told = world.luctl('plan', 'update', 'ds')
    assert 'no service of m reports the figure `nobody_has_it`' in told and '\nplan ' in told, told
    assert not world.json('plan', 'rerandomize', 'ds')['parts'][0]['warning']
    job = update(world)
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'does not tell nobody_has_it' in done['cause']['message'], done
    assert runs(world, 1)


PROBES = ('health: {soak: 1s, healthy: 30s, probes: [{service: rs, message: ping},'
          ' {service: ds, message: ping, within: 300ms}]}')


def probed(world, text=PROBES):
    """How an update ends that is probed, and what is told of it."""
    policy(world, text)
    done = world.settle(update(world))
    return done['state'], (done.get('cause') or {}).get('message', '')


def test_probes(world):
    """A service that gives signs of life in time is well."""
    world.prepare(2)
    told = policy(world, PROBES)
    assert 'no effect' not in told, told
    assert probed(world)[0] == 'JOB_STATE_CONFIRMED'


def test_probe_slow(world):
    """One that takes too long is not, though it answers."""
    world.prepare(2)
    world.peer.pong_took = {'ds': 300_000_001}
    state, why = probed(world)
    assert state == 'JOB_STATE_ROLLED_BACK' and 'ds owed a sign of life for 300 ms; 300 ms are allowed' in why, (state, why)


def test_probe_mute(world):
    """One that owes an answer has failed when its time is over."""
    world.prepare(2)
    world.peer.mute = {'ds'}
    state, why = probed(world)
    assert state == 'JOB_STATE_ROLLED_BACK' and 'ds has owed a sign of life for' in why, (state, why)


def test_probe_unknown(world):
    """A machine that does not tell, and a service that is not there, pass nothing."""
    world.prepare(2)
    world.peer.knows_pings = False
    state, why = probed(world, PROBES.replace('30s', '3s'))
    assert state == 'JOB_STATE_ROLLED_BACK' and 'rs has given no sign of life yet' in why, (state, why)
    world.luctl('release', 'clear', 'ds', '2')
    world.peer.knows_pings = True
    state, why = probed(world, 'health: {soak: 1s, healthy: 3s, probes: [{service: nobody, message: ping}]}')
    assert state == 'JOB_STATE_ROLLED_BACK' and 'no service nobody' in why, (state, why)


def test_by_hand(world):
    """Where a policy does not go back, or does not block, it is left to people."""
    world.prepare(2)
    world.luctl('rerandomize', 'ds')
    policy(world, 'health: {soak: 30s, healthy: 60s}\nrollback: {automatic: false}')
    job = update(world)
    soaking(world, job)
    world.peer.crash('ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_FAILED' and 'luctl rollback ds' in done['hint'] and runs(world, 2), done
    assert 'automatic: false' in done['hint'], done
    assert not children(world, job) and 'not well: ' in world.luctl('release', 'list')
    # Not on which machine: whoever reads it may not see that one. The job beside it says so.
    assert 'not well on' not in world.luctl('release', 'list')
    world.luctl('rollback', 'ds')
    world.luctl('release', 'clear', 'ds', '2')
    policy(world, 'health: {soak: 30s, healthy: 60s}\nrollback: {block: false}')
    job = update(world)
    soaking(world, job)
    world.peer.crash('ds')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1)
    assert 'rolled back' not in world.luctl('release', 'list')


def test_policy_removed(world):
    """Where the policy is gone before the service fails, nothing goes back, and the job does not name what it said."""
    world.prepare(2)
    world.luctl('rerandomize', 'ds')
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    world.luctl('policy', 'remove', 'p')
    world.peer.crash('ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_FAILED' and not children(world, job) and runs(world, 2), done
    assert 'since no policy has it go back any more' in done['hint'] and 'automatic' not in done['hint'], done


def test_way_back_fails(world):
    """A way back that fails is said, with what is left to do, and is not tried again."""
    world.prepare(2)
    world.luctl('rerandomize', 'ds')
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    for fault in ('refuse', 'roll_back'):
        job = update(world)
        soaking(world, job)
        world.peer.faults[fault] = 1
        world.peer.crash('ds')
        done = world.settle(job)
        assert done['state'] == 'JOB_STATE_FAILED' and runs(world, 2), done
        assert len(children(world, job)) == 1 and 'luctl job show %d' % children(world, job)[0]['id'] in done['hint'], done
        assert 'health failed' in done['cause']['message'], done
        world.kill()
        world.start()
        assert len(children(world, job)) == 1
        world.until(lambda: world.json('status')['machine']['state'] == 'up')
        world.luctl('rollback', 'ds')
        world.luctl('release', 'clear', 'ds', '2')


def given_up(world):
    """The job of an update whose service the machine gave up, once it waits for that to go back."""
    world.prepare(2)
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    world.peer.stop('ds')
    world.until(lambda: 'the way back: ds does not run' in job_of(world, job).get('waits_for', ''))
    return job


def test_way_back_waits(world):
    """A way back waits while its service is down, until a deadline that a restart of lud does not move; then it is gone."""
    job = given_up(world)
    waits = job_of(world, job)
    assert waits['deadline_us'] > time.time() * 1e6 + 3600e6 and not children(world, job), waits
    world.kill()
    world.start()
    world.until(lambda: len([s for s in job_of(world, job)['steps'] if s['name'] == 'soak']) == 2)
    world.until(lambda: 'ds does not run' in job_of(world, job).get('waits_for', ''))
    again = job_of(world, job)
    assert again['deadline_us'] == waits['deadline_us'] and again['state'] == 'JOB_STATE_SOAKING', (waits, again)
    world.peer.start_afresh('ds')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1)
    assert len(children(world, job)) == 1


def test_way_back_in_vain(world):
    """One that cannot be asked for until then is said, with what it waited for."""
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('  wait_timeout: "2s"\n')
    done = world.settle(given_up(world))
    assert done['state'] == 'JOB_STATE_FAILED' and 'waited for the way back: ds does not run' in done['hint'], done
    assert 'health failed' in done['cause']['message'] and not children(world, done['id']) and runs(world, 2), done


def test_way_back_deadline_while_away(world):
    """Where the deadline passes while lud is away, the machine has a while to be heard; that it was waited for in vain is not said."""
    job = given_up(world)
    world.kill()
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'))) as db, db:
        db.execute('UPDATE jobs SET wait_until_us = ? WHERE id = ?', (int(time.time() * 1e6), job))
    world.peer.services['ds']['state'] = 'SERVICE_RUNNING'
    world.peer.awake.clear()
    world.start()
    world.until(lambda: 'does not answer' in job_of(world, job).get('waits_for', ''))
    world.peer.awake.set()
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1)


def awaits_machine(world, job):
    """The job still owes its way back, and waits for the machine; as it is shown."""
    world.until(lambda: 'the way back: machine m does not answer' in job_of(world, job).get('waits_for', ''))
    waits = job_of(world, job)
    assert waits['state'] == 'JOB_STATE_SOAKING' and waits['deadline_us'] > time.time() * 1e6 + 3600e6, waits
    return waits


def test_way_back_machine_stopped(world):
    """A machine that is stopped meanwhile has its way back when it is there again, over a restart of lud too."""
    job = given_up(world)
    world.luctl('machine', 'stop', 'm')
    waits = awaits_machine(world, job)
    world.kill()
    world.start()
    world.until(lambda: len([s for s in job_of(world, job)['steps'] if s['name'] == 'soak']) == 2)
    assert awaits_machine(world, job)['deadline_us'] == waits['deadline_us']
    world.peer.services['ds']['state'] = 'SERVICE_RUNNING'
    world.luctl('machine', 'start', 'm')
    assert world.settle(job)['state'] == 'JOB_STATE_ROLLED_BACK' and runs(world, 1)
    assert len(children(world, job)) == 1


def test_way_back_begun_machine_stopped(world):
    """Where the machine goes in the middle of the way back, what runs when it is there again says whether that was gone."""
    world.prepare(2)
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    world.peer.faults['hold_result'] = 1
    world.peer.crash('ds')
    world.until(lambda: world.peer.withheld)
    world.luctl('machine', 'stop', 'm', '--force')
    awaits_machine(world, job)
    back, = children(world, job)
    assert back['state'] == 'inconsistent', back
    world.luctl('machine', 'start', 'm')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'runs again already' in done['hint'] and runs(world, 1), done


def test_way_back_machine_removed(world):
    """A machine that does not come again ends what waits for it, and it is said that it was not well."""
    job = given_up(world)
    world.luctl('machine', 'stop', 'm')
    awaits_machine(world, job)
    world.luctl('machine', 'remove', 'm')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_FAILED' and 'health failed' in done['cause']['message'], done
    assert 'did not go back: the machine was removed' in done['hint'], done


def comes_back_as(world, kit):
    """The job of an update once its service, that was given up, runs again, and runs this."""
    job = given_up(world)
    world.peer.services['ds']['release_id'] = world.release_id(kit())
    world.peer.start_afresh('ds')
    done = world.settle(job)
    assert not children(world, job), done
    return done


def test_way_back_moot(world):
    """What runs again already what was before is not taken back once more."""
    done = comes_back_as(world, lambda: world.kits[0])
    assert done['state'] == 'JOB_STATE_ROLLED_BACK' and 'runs again already' in done['hint'], done


def test_way_back_left_alone(world):
    """Nor does lud take back what somebody else has put there since."""
    def newer():
        kit = world.kit('ds', 9)
        world.luctl('release', 'add', kit)
        return kit
    done = comes_back_as(world, newer)
    assert done['state'] == 'JOB_STATE_FAILED' and 'left alone' in done['hint'], done


def test_no_way_back(world):
    """An update whose way back would lose state is refused beforehand, unless the policy goes without."""
    world.prepare(2)
    world.pairing(back={'loss': [LOST]})
    policy(world, SOAK)
    plan = world.json('plan', 'update', 'ds', code=4)
    assert plan['refused'] and 'way back' in plan['parts'][0]['refused']['message'], plan
    told = world.luctl('update', 'ds', code=4)
    assert 'its way back would be refused' in told and 'way_back: false' in told, told
    assert not world.peer.runs
    policy(world, SOAK + '\nrollback: {way_back: false}')
    assert not world.json('plan', 'update', 'ds').get('refused')
    world.luctl('update', 'ds')


def test_others(world):
    """Somebody goes to another release, or the machine is started anew: nobody will know, and that is said."""
    world.prepare(3)
    world.luctl('rerandomize', 'ds')
    policy(world, 'health: {soak: 30s, healthy: 60s}')
    job = update(world)
    soaking(world, job)
    world.luctl('rollback', 'ds')
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_COMMITTED' and 'something else' in done['hint'], done
    assert 'rolled back for' in world.luctl('release', 'list')
    job = update(world, '--release', world.release_id(world.kits[1]).hex())
    soaking(world, job)
    world.peer.boot_anew()
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_COMMITTED' and 'started anew' in done['hint'], done
    assert not children(world, job)


def test_killed(world):
    """kill -9 at every step of a soak, and of the way back: it goes back once."""
    world.prepare(3)
    policy(world, SOAK)
    for n, death in enumerate(('check.did', 'check.end', 'soak.begin', 'soak.did', 'soak.end', 'confirm.begin')):
        runs_before = len(world.peer.runs)
        die(world, death, update={'service': 'ds', 'release': world.release_id(world.kits[1 - n % 2]).hex()})
        world.start()
        assert world.settle()['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == runs_before + 1, death
    policy(world, 'health: {soak: 1s, healthy: 30s, blackout: 1ms}')
    world.luctl('policy', 'apply', os.path.join(world.dir, 'p.yaml'))
    for death in ('soak.judged', 'soak.failed', 'soak.planned', 'soak.did', 'soak.end'):
        runs_before = len(world.peer.runs)
        die(world, death, update={'service': 'ds', 'release': world.release_id(world.kits[2]).hex()})
        world.start()
        job = next(int(j['id']) for j in world.json('jobs')['jobs'] if j['kind'] == 'update')
        done = world.settle(job)
        assert done['state'] == 'JOB_STATE_ROLLED_BACK', (death, done)
        assert len(world.peer.runs) == runs_before + 2 and len(children(world, job)) == 1, death


def test_clock(world):
    """A clock that is a day ahead, or behind, neither shortens a soak nor fails it."""
    world.prepare(2)
    policy(world, 'health: {soak: 10s, healthy: 60s}')
    for n, days in enumerate((1, -1)):
        job = update(world, '--release', world.release_id(world.kits[1 - n]).hex())
        soaking(world, job)
        world.kill(signal.SIGTERM)
        world.peer.time_ahead = days * 86400  # else it would refuse what is signed
        with open(world.dir + '/clock', 'wb') as f:
            f.write(struct.pack('<q', days * 86400))
        world.start(inside=('env', 'LD_PRELOAD=' + world.program('tests/system/libclock_shift.so'),
                            'SAMSARA_TEST_CLOCK=%s/clock' % world.dir))
        now = soaking(world, job)
        assert now['state'] == 'JOB_STATE_SOAKING'
        assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
        world.kill(signal.SIGTERM)
        world.peer.time_ahead = 0
        world.start()
        world.until(lambda: world.json('status')['machine']['state'] == 'up')


harness.main(globals(), 3)
