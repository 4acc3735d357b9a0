#!/usr/bin/env python3
"""Somebody sets the clock of the host, by a day or a year, while lud runs and while it is away: what waits for so long
waits no longer and no shorter for it, and what is named by the clock follows it.

Usage: clock_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import subprocess
import time

import harness
from harness import record

HOUR = 3600
DAY = 24 * HOUR
SLOW = 1200  # what a slow host may need for a test, which no jump of a clock is
JUMPS = (DAY, -DAY, 400 * DAY, 0)


def policy(world, text):
    path = os.path.join(world.dir, 'p.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n%s\n' % text)
    world.luctl('policy', 'apply', path)


def set_clock(world, ahead, away=False):
    """The machine's goes along: one that is behind refuses what is signed, and that is tested elsewhere."""
    if away:
        world.kill()
    world.set_clock(ahead)
    world.peer.time_ahead = ahead
    if away:
        world.start()


def each_jump(world):
    """Every jump in a lud that runs, then every one while it is away."""
    for away in (False, True):
        for ahead in JUMPS:
            set_clock(world, ahead, away)
            yield '%s by %d days' % ('away' if away else 'running', ahead // DAY)


def left(world, us):
    """Seconds until then, by the clock that lud sees."""
    return int(us) / 1e6 - world.now()


def job_of(world, job):
    return world.json('job', 'show', str(job))


def is_up(world):
    return world.json('machine', 'list')['machines'][0]['state'] == 'up'


def test_waits(world):
    """Jobs that a person, a hold or another job keeps waiting keep deadline and next look, and none ends."""
    world.clock()
    world.prepare()
    world.peer.faults['hold_result'] = 1
    first = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: world.peer.withheld)
    turn = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    put_off = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    world.luctl('job', 'hold', str(put_off), '--for', '1h')
    held = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    world.luctl('job', 'hold', str(held))
    world.until(lambda: job_of(world, turn)['waits_for'] == 'its turn')
    for what in each_jump(world):
        got = [(job_of(world, n)['state'], job_of(world, n).get('cause')) for n in (put_off, held)]
        assert [state for state, _ in got] == ['scheduled', 'held'], (what, got)
        assert HOUR - SLOW < left(world, job_of(world, put_off)['next_look_us']) <= HOUR, what
        assert 7 * DAY - SLOW < left(world, job_of(world, held)['deadline_us']) <= 7 * DAY, what
        assert DAY - SLOW < left(world, job_of(world, turn)['deadline_us']) <= DAY, what
        assert -SLOW < left(world, job_of(world, put_off)['created_us']) <= 1, what
        created, = record(world, 'SELECT max(started_us) FROM job_steps WHERE job = %d' % first)
        assert -SLOW < left(world, created) <= 1, what
    world.peer.release()
    assert world.settle(turn)['state'] == 'JOB_STATE_CONFIRMED'
    world.luctl('job', 'release', str(held))
    assert world.settle(held)['state'] == 'JOB_STATE_CONFIRMED'


def test_ends(world):
    """A job that is put off for some seconds goes on after them, and one with a deadline ends there, whatever the clock says."""
    world.clock()
    world.prepare()
    world.peer.faults['hold_result'] = 1
    first = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: world.peer.withheld)
    for days in (1, -1):
        put_off = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
        begun = time.monotonic()
        world.luctl('job', 'hold', str(put_off), '--for', '6s')
        expires = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
        with world.control() as control:
            control.call(reason='late', job_hold={'job': expires, 'deadline_ms': 7000})
        set_clock(world, days * DAY)
        while time.monotonic() < begun + 5 and job_of(world, put_off)['state'] == 'scheduled':
            ended = job_of(world, expires)['ended_us']
            assert not ended or time.monotonic() > begun + 7, days
            time.sleep(0.1)
        assert time.monotonic() >= begun + 5, (days, job_of(world, put_off))
        world.until(lambda n=put_off: job_of(world, n)['state'] != 'scheduled')
        ended = world.settle(expires)
        assert ended['state'] == 'JOB_STATE_EXPIRED' and 'late' in ended['cause']['message'], (days, ended)
        world.luctl('job', 'cancel', str(put_off))
        set_clock(world, 0)
    world.peer.release()
    assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'


def test_holds(world):
    """A hold until a time is over when the clock says so, and holds again when the clock is put back before it."""
    world.clock()
    world.prepare()
    world.luctl('hold', '--until', str(int(time.time()) + 12 * HOUR))
    policy(world, 'rerandomize: {every: 1h}')
    job = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: job_of(world, job)['state'] in ('held', 'scheduled'))
    set_clock(world, -DAY)
    assert left(world, world.json('holds')['holds'][0]['until_us']) > 35 * HOUR
    assert left(world, job_of(world, job)['next_look_us']) > 35 * HOUR
    world.peer.faults['hold_result'] = 1
    set_clock(world, DAY)
    assert world.json('holds')['holds'] == []
    world.until(lambda: world.peer.withheld)
    set_clock(world, 0)
    hold, = world.json('holds')['holds']
    assert 11 * HOUR < left(world, hold['until_us']) <= 12 * HOUR
    world.peer.release()
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    held = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    world.until(lambda: job_of(world, held)['state'] in ('held', 'scheduled'))
    # One whose end nobody knows holds for a week, and no shorter for a year that did not pass.
    world.luctl('unhold')
    assert world.settle(held)['state'] == 'JOB_STATE_CONFIRMED'
    world.luctl('hold')
    held = world.json('rerandomize', 'ds', '--detach')['jobs'][0]['id']
    for what in each_jump(world):
        got = job_of(world, held)
        assert got['state'] == 'held' and 7 * DAY - SLOW < left(world, got['deadline_us']) <= 7 * DAY, (what, got)


def test_blocked(world):
    """Whether a release was blocked before or after it was asked for does not depend on the clock."""
    world.clock()
    world.prepare(2)
    world.luctl('hold', 'ds')
    for is_open, release in ((True, '1'), (False, '2')):
        block = ('release', 'block', 'ds', release, '--reason', 'old')
        if is_open:
            world.luctl(*block)
        job = world.json('update', 'ds', '--release', release, '--detach')['id']
        if not is_open:
            world.luctl(*block)
        for what in each_jump(world):
            gate, = (g for g in world.json('explain', str(job))['gates'] if g['gate'] == 'block')
            assert gate['open'] == is_open, (what, gate)


def test_silent(world):
    """Since when a machine is silent, and how old what it said is, is what passed; also in the record."""
    world.clock()
    world.prepare()
    world.luctl('status')
    world.peer.awake.clear()
    world.until(lambda: world.json('status')['machine']['state'] == 'silent')
    for what in each_jump(world):
        status = world.json('status')
        assert status['age_ms'] < HOUR * 1000, (what, status['age_ms'])
        assert -HOUR < left(world, status['as_of_us']) <= 0, (what, status['as_of_us'])
        assert -HOUR < left(world, status['machine']['since'] * 1000000) <= 1, (what, status['machine'])
        if what.startswith('running'):
            assert status['source'] == 'memory' and -HOUR < left(world, status['machine']['heard_us']) <= 0, (what, status)
            row, = (a for a in status['overview']['amiss'] if 'is silent' in a['text'])
            assert -HOUR < left(world, row['since_us']) <= 0, (what, row)


def test_standing(world):
    """A standing order that is on its way while the clock is set has the end in the record that was wanted."""
    world.clock()
    world.prepare()
    for ahead in (DAY, -DAY):
        world.peer.faults['hold_standing'] = 1
        with subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds', '--every', '20s', '--for', '1h',
                               '--socket', world.socket], stdout=subprocess.DEVNULL) as luctl:
            world.until(lambda: world.peer.unanswered)
            set_clock(world, ahead)
            world.peer.answer()
            luctl.wait(60)
        world.until(lambda: record(world, 'SELECT given FROM standings') == (1,))
        until, = record(world, 'SELECT until_us FROM standings')
        assert HOUR - 120 < left(world, until) <= HOUR, (ahead, until)


def test_watched(world):
    """What is watched, a rollout's ring, a standing order and the age of a layout count what passed."""
    world.clock()
    world.prepare(2)
    policy(world, 'rerandomize: {every: 6h, max_age: 12h}\nhealth: {soak: 1h, healthy: 2h}\n'
                  'rollout: {rings: [{name: all, size: 100%, soak: 1h, healthy: 2h, deadline: 3h}]}\n'
                  'update: {mode: apply, deadline: 12h}')
    world.until(lambda: [j for j in world.json('jobs')['jobs'] if j['kind'] == 'update' and j['waits_for']])
    job = next(j['id'] for j in world.json('jobs')['jobs'] if j['kind'] == 'update')
    world.until(lambda: job_of(world, job)['state'] == 'soaking')
    world.luctl('rerandomize', 'ds', '--every', '20s', '--for', '1h')
    for what in each_jump(world):
        world.until(lambda: is_up(world))
        got = job_of(world, job)
        assert got['state'] == 'soaking' and 2 * HOUR - SLOW < left(world, got['deadline_us']) <= 2 * HOUR, (what, got)
        rollout, = world.json('rollout', 'status')['rollouts']
        assert rollout['state'] == 'running', (what, rollout)
        ring, = record(world, 'SELECT ring_us FROM rollouts')
        assert -SLOW < left(world, ring) <= 1, what
        until, = record(world, 'SELECT until_us FROM standings')
        assert HOUR - SLOW < left(world, until) <= HOUR, what
        added, = record(world, 'SELECT max(added_us) FROM releases')
        assert -SLOW < left(world, added) <= 1, what
        amiss = world.json('status')['overview'].get('amiss', [])
        assert not [a for a in amiss if a['kind'] == 'alarm'], (what, amiss)


harness.main(globals(), 4)
