#!/usr/bin/env python3
"""What policies do by themselves with layouts: when their time comes, once, whatever becomes of lud and its clock.

Usage: timer_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import sqlite3
import time

import harness
import wire
from harness import record

HOUR = 3600
DAY = 24 * HOUR
SLOW = 1200  # what a slow host may need for a test, which no jump of a clock is


def policy(world, text, name='p', match='machines: ["*"]'):
    """A policy, applied."""
    path = os.path.join(world.dir, name + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: %s\nmatch: {%s}\n%s\n' % (name, match, text))
    return world.luctl('policy', 'apply', path, errors=True)


def jobs(world, by='policy'):
    """Jobs that a policy asked for, oldest first."""
    return [j for j in reversed(world.json('jobs')['jobs']) if j.get('way') == by]


def settled(world, n):
    """So many jobs of policies are there, and over."""
    def over():
        found = jobs(world)
        return len(found) >= n and all(j['ended_us'] for j in found)
    world.until(over)
    found = jobs(world)
    assert len(found) == n, found
    return found


def timer(world, what='*'):
    with contextlib.closing(sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)) as db:
        db.row_factory = sqlite3.Row
        return db.execute('SELECT %s FROM timers' % what).fetchone()


def away(world, seconds, **start):
    """lud is not there for so long."""
    world.kill()
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        db.execute('UPDATE timers SET created_us = created_us - ?1, due_us = due_us - ?1, look_us = max(look_us - ?1, 1),'
                   ' last_us = max(last_us - ?1, 0)', (seconds * 1000000,))
    world.start(**start)
    world.until(lambda: not world.lud or world.lud.poll() is not None or is_up(world))


def is_up(world):
    with contextlib.suppress(OSError, AssertionError):
        return world.json('machine', 'list')['machines'][0]['state'] == 'up'
    return False


def starts(world):
    """When the policy's next layouts begin, from now in seconds; None: nobody knows."""
    item, = world.json('next', 'm')['items']
    return int(item['start_us']) / 1e6 - world.now() if int(item['start_us']) else None


def quiet(world, seconds=5):
    """Nothing more is asked for within some looks of lud's."""
    n, end = len(jobs(world)), time.monotonic() + seconds
    while time.monotonic() < end:
        assert len(jobs(world)) == n, jobs(world)
        time.sleep(0.2)


def test_every(world):
    """The first time comes with the policy, the next one after `every`, and what was missed comes once."""
    world.prepare()
    told = policy(world, 'rerandomize: {every: 1h, jitter: 10min, triggers: [crash, probing]}')
    assert 'probing' in told and 'does not act on rerandomize ' not in told, told
    # Its part of the jitter is the same each time.
    part = int(timer(world)['due_us']) - int(timer(world)['created_us'])
    assert 0 <= part < 600e6, part
    away(world, 601)
    job, = settled(world, 1)
    assert job['identity'] == 'policy p version 1' and job['scheduled'] and job['state'] == 'confirmed', job
    assert job['service'] == 'ds' and job['reason'] == 'its time has come' and job['layout'] == 'host', job
    row = timer(world)
    assert row['due_us'] == row['last_us'] + HOUR * 1000000 + part and row['round'] == 1, dict(row)
    assert abs(starts(world) - HOUR - part / 1e6) < 120, starts(world)
    told = world.luctl('next')
    assert 'rerandomize' in told and ' p ' in told, told
    assert 'fresh layouts' in world.luctl('status')
    away(world, HOUR - 300)
    quiet(world)
    away(world, 5 * DAY)
    assert settled(world, 2)[1]['state'] == 'confirmed'
    quiet(world, 3)
    assert abs(starts(world) - HOUR - part / 1e6) < 120
    # A record with what policies asked for is whole, and can be copied.
    assert 'nothing is wrong' in world.luctl('db', 'check')
    world.luctl('db', 'backup', os.path.join(world.dir, 'copy.db'))
    # Another `every` counts from the last time on, and a policy that is gone asks for nothing.
    policy(world, 'rerandomize: {every: 2h}')
    assert abs(starts(world) - 2 * HOUR) < 120
    world.luctl('policy', 'remove', 'p')
    assert world.json('next')['items'] == [] and timer(world) is None
    assert 'nothing happens by itself' in world.luctl('next')
    # Applied again it begins anew, by requests that were never there.
    policy(world, 'rerandomize: {every: 2h}')
    settled(world, 3)


def with_tty(world):
    """Prepared, with a second service; its kit."""
    kit = world.kit('tty', 1)
    world.peer.add_service('tty', world.release_id(kit))
    world.prepare()
    world.luctl('release', 'add', kit)


def test_killed(world):
    """lud ends between the time and the jobs, between two jobs, and after the last: each is made exactly once."""
    with_tty(world)
    world.luctl('hold', '--all')
    policy(world, 'rerandomize: {every: 1h}')
    assert 'holds everything' in world.json('next', 'm')['items'][0]['why']
    # What nobody knows the time of is in the list of all machines, too.
    assert [(i['machine'], i['policy']) for i in world.json('next')['items']] == [('m', 'p')]
    world.luctl('unhold', '--all')
    settled(world, 2)
    for n, place in enumerate(('timer.begin', 'timer.planned', 'timer.did'), 2):
        away(world, 2 * HOUR, die_at=place)
        world.wait_dead()
        world.start()
        found = settled(world, 2 * n)
        assert sorted(j['service'] for j in found[-2:]) == ['ds', 'tty'], found
        assert {j['state'] for j in found} == {'confirmed'}, found
        assert timer(world)['round'] == n and not timer(world)['open']
    quiet(world, 3)


def test_clock(world):
    """The clock is set by a day, either way, while lud runs and while it is away: no burst, and no day without layouts."""
    world.clock()
    world.prepare()
    policy(world, 'rerandomize: {every: 1h}')
    settled(world, 1)
    for days in (1, -1, 0):
        world.set_clock(days * DAY)
        assert HOUR - SLOW < starts(world) <= HOUR, (days, starts(world))
    for days in (-1, 1, 0):
        world.kill()
        world.set_clock(days * DAY)
        world.start()
        world.until(lambda: is_up(world))
        assert HOUR - SLOW < starts(world) <= HOUR, (days, starts(world))
    quiet(world, 3)


def booted(world, days):
    """The host is booted meanwhile, and its clock is another one."""
    world.kill()
    world.set_clock(days * DAY)
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        db.execute("UPDATE clocks SET host_boot = 'another'")
    world.start()
    world.until(lambda: is_up(world))


def test_clock_boot(world):
    """Another boot of the host: behind what the record has seen a clock was put back; ahead it is time that passed."""
    world.clock()
    world.prepare()
    policy(world, 'rerandomize: {every: 1h}')
    settled(world, 1)
    booted(world, -1)
    world.until(lambda: HOUR - SLOW < starts(world) <= HOUR + 1)
    quiet(world, 3)
    booted(world, 0)
    settled(world, 2)
    quiet(world, 3)


def test_clock_waits(world):
    """A request that waits for its machine waits no longer for a clock that is set back meanwhile."""
    world.clock()
    world.prepare()
    world.kill()
    world.peer.awake.clear()
    world.start()
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        time.sleep(0.5)
        world.set_clock(-DAY)
        with contextlib.suppress(wire.Refused):
            control.wait_reply(asked, 100)
    world.set_clock(0)
    world.peer.awake.set()


def test_skipped(world):
    """A time that finds the machine busy is skipped, and counted; an event waits until it is free."""
    world.prepare()
    policy(world, 'rerandomize: {every: 1h, triggers: [crash]}')
    settled(world, 1)
    world.peer.faults['hold_result'] = 1
    world.json('rerandomize', 'ds', '--detach')
    world.until(lambda: world.peer.withheld)
    away(world, 2 * HOUR)
    world.until(lambda: timer(world)['skipped'] == 1)
    item, = world.json('next', 'm')['items']
    assert 'skipped: the machine was busy' in item['why'] and int(item['skipped']) == 1, item
    assert world.json('status')['skipped'] == 1 and starts(world) > HOUR - SLOW
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        db.execute('UPDATE timers SET last_us = last_us - 120000000')
    world.peer.crash('ds')
    world.until(lambda: 'busy' in world.json('next', 'm')['items'][0]['why'])
    assert len(jobs(world)) == 1
    world.peer.release()
    found = settled(world, 2)
    assert found[1]['reason'] == 'ds crashed', found
    assert world.json('status')['skipped'] == 1


def test_put_off(world):
    """An update that a gate puts off keeps nothing from getting fresh layouts, but what a timer asked for does not pile
    up; and the list of what is next has the first of timers and jobs alike."""
    with_tty(world)
    world.luctl('release', 'add', world.kit('ds', 2))
    world.luctl('hold', 'ds', '--until', str(int(time.time()) + 600))
    world.luctl('update', 'ds', '--no-wait')
    world.until(lambda: [j for j in world.json('jobs')['jobs'] if j['state'] == 'held'])
    policy(world, 'rerandomize: {every: 1h}')
    job, = settled(world, 1)
    assert (job['service'], job['state']) == ('tty', 'confirmed'), job
    assert timer(world)['skipped'] == 0
    first, = world.json('next', '--limit', '1')['items']
    assert first['job'] == 1 and len(world.json('next')['items']) == 2, first
    # By cron, too: tty moves again; but a job of a timer that waits is one that is there.
    world.luctl('rerandomize', 'tty', '--scheduled')
    world.luctl('hold', 'tty')
    world.luctl('rerandomize', 'tty', '--scheduled', '--no-wait')
    world.until(lambda: len([j for j in world.json('jobs')['jobs'] if j['state'] == 'held']) == 2)
    assert world.json('rerandomize', 'tty', '--scheduled')['jobs'][0]['state'] == 'skipped'


def test_many(world):
    """A policy for more machines than are looked at in one go: each of them has its turn soon."""
    world.prepare()
    world.kill()
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db')) as db:
        db.execute('CREATE TEMP TABLE one AS SELECT * FROM machines')
        for n in range(2, 51):
            db.execute("UPDATE one SET id = ?1, name = 'm' || ?1, is_default = 0, wanted = 0, machine_id = NULL", (n,))
            db.execute('INSERT INTO machines SELECT * FROM one')
        db.commit()
    world.start()
    world.until(lambda: is_up(world))
    policy(world, 'rerandomize: {every: 1h}')
    world.until(lambda: len([i for i in world.json('next')['items'] if i['why'] == 'the machine is stopped']) == 49)
    assert settled(world, 1)[0]['service'] == 'ds'


def test_windows(world):
    """Its time comes while no window is open: it starts when one opens, and `next` says so."""
    world.prepare()
    opens = time.gmtime(time.time() + 14)
    start = time.strftime('%H:%M:%S', opens)
    policy(world, 'rerandomize: {every: 1h, limit: 1s}\nwindows: {allow: [{start: "%s", length: 1min}]}' % start)
    item, = world.json('next', 'm')['items']
    assert 'no window is open (policy p)' in item['why'] and 0 < starts(world) < 15, item
    assert not jobs(world)
    job, = settled(world, 1)
    assert time.strftime('%H:%M:%S', time.gmtime(int(job['created_us']) / 1e6)) >= start, job


def test_place(world):
    """What waits for a place of a fleet's limits is not looked at before one comes free, and then at once."""
    world.prepare()
    with harness.peer.Peer(os.path.join(world.dir, 'b.sock')) as other:
        other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        policy(world, 'limits: {machines: 1}')
        other.faults['hold_result'] = 1
        first = world.json('rerandomize', 'ds', '-m', 'b', '--detach')['jobs'][0]['id']
        world.until(lambda: other.withheld)
        policy(world, 'rerandomize: {every: 1h}', 'q', 'machines: [m]')
        world.until(lambda: timer(world) and 'machines are at work' in timer(world)['why'])
        row = tuple(timer(world))
        assert timer(world)['look_us'] / 1e6 - world.now() > 60
        quiet(world, 3)
        assert tuple(timer(world)) == row
        other.release()
        assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'
        settled(world, 1)
        # A lud that was away remembers nothing of it, and looks at all of them; so it does under another limit.
        other.faults['hold_result'] = 1
        first = world.json('rerandomize', 'ds', '-m', 'b', '--detach')['jobs'][0]['id']
        world.until(lambda: other.withheld)
        away(world, HOUR + 60)
        world.until(lambda: 'machines are at work' in timer(world)['why'])
        policy(world, 'limits: {machines: 2}')
        settled(world, 2)
        other.release()
        assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'


def test_place_share(world):
    """A machine that joins makes a share of all machines larger: what waited for its place is looked at."""
    world.prepare()
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(harness.peer.Peer(os.path.join(world.dir, name + '.sock'))) for name in 'bc']
        for other in others:
            other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', others[0].path)
        policy(world, 'limits: {machines: "67%"}')
        others[0].faults['hold_result'] = 1
        world.luctl('rerandomize', 'ds', '-m', 'b', '--detach')
        world.until(lambda: others[0].withheld)
        policy(world, 'rerandomize: {every: 1h}', 'q', 'machines: [m]')
        world.until(lambda: timer(world) and 'machines are at work' in timer(world)['why'])
        assert timer(world)['look_us'] / 1e6 - world.now() > 60
        world.luctl('machine', 'start', 'c', '--attach', others[1].path)
        settled(world, 1)
        assert others[0].withheld


def test_events(world):
    """A crash, an update and a boot ask for fresh layouts at once, where the policy says so, and not time and again."""
    world.prepare(2)
    policy(world, 'rerandomize: {every: 2s, layout: machine, triggers: [crash, after-update, boot]}')
    world.until(lambda: world.peer.standing)
    world.peer.crash('ds')
    assert settled(world, 1)[0]['reason'] == 'ds crashed'
    for _ in range(5):
        world.peer.crash('ds')
    settled(world, 2)
    world.luctl('update', 'ds')
    assert settled(world, 3)[2]['reason'] == 'ds runs another release'
    world.peer.boot_anew()
    assert settled(world, 4)[3]['reason'] == 'the machine was booted'
    policy(world, 'rerandomize: {every: 2s, layout: machine}')
    world.peer.crash('ds')
    quiet(world, 3)


def test_standing(world):
    """Below a minute the machine gets a standing order, after each boot anew; a person's goes first; without the policy
    it goes."""
    world.prepare()
    policy(world, 'rerandomize: {every: 5s, jitter: 1s, layout: machine}')
    world.until(lambda: world.peer.standing)
    assert world.peer.standing['every_ms'] == 5000 and world.peer.standing_services == ['ds']
    told = world.json('status')
    assert told['standing_by'] == 'policy p version 1' and not jobs(world), told
    assert 'wanted by policy p' in world.luctl('status')
    taken = world.peer.n_standing
    world.kill()
    world.start()
    world.peer.boot_anew()
    world.until(lambda: world.peer.n_standing > taken and world.peer.standing)
    # A person's, until it is over.
    world.luctl('rerandomize', 'ds', '--every', '20s')
    assert world.peer.standing['every_ms'] == 20000
    policy(world, 'rerandomize: {every: 6s, layout: machine}')
    assert 'the standing order of' in world.json('next', 'm')['items'][0]['why']
    assert world.peer.standing['every_ms'] == 20000
    world.luctl('rerandomize', '--every', 'off')
    world.until(lambda: world.peer.standing['every_ms'] == 6000)
    world.luctl('rerandomize', 'ds', '--every', '20s', '--for', '3s')
    assert world.peer.standing['every_ms'] == 20000
    world.until(lambda: world.peer.standing['every_ms'] == 6000)
    # Windows that are shut leave nothing to move.
    policy(world, 'windows: {deny: [{start: "*-*-* *:*:0/30", length: 31s}]}', name='freeze')
    world.until(lambda: not world.peer.standing_services)
    world.luctl('policy', 'remove', 'freeze')
    world.until(lambda: world.peer.standing_services == ['ds'])
    world.luctl('policy', 'remove', 'p')
    world.until(lambda: world.peer.standing['state'] == 'STANDING_WITHDRAWN')


def alarms(world):
    return [a for a in world.json('status')['overview'].get('amiss', []) if a['kind'] == 'alarm']


def test_max_age(world):
    """A layout that is too old is an alarm, in status and in the log, until there is a new one."""
    world.prepare()
    world.luctl('update', 'ds')
    world.luctl('hold', '--reason', 'no change')
    policy(world, 'rerandomize: {every: 1h, max_age: 2h}')
    assert not alarms(world)
    world.kill()
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        db.execute('UPDATE generations SET committed_us = committed_us - 7201000000')
    world.start()
    world.until(lambda: alarms(world))
    alarm, = alarms(world)
    assert 'alarm of policy p' in alarm['text'] and 'max_age, 7200 s' in alarm['text'], alarm
    assert 'max_age' in world.luctl('status') and 'alarm of policy p: has a layout' in world.log()
    world.luctl('unhold')
    settled(world, 1)
    world.until(lambda: not alarms(world))
    assert 'alarm of policy p is over' in world.log()
    assert record(world, 'SELECT alarm_us FROM timers') == (0,)


def test_update(world):
    """A release that comes is told, staged, or updated to; one that is blocked is not, and what failed is not asked for
    time and again."""
    world.prepare()
    policy(world, 'update: {mode: check}')
    assert world.json('next', 'm')['items'] == []
    two = world.kit('ds', 2)
    world.luctl('release', 'add', two)
    world.until(lambda: world.json('next', 'm')['items'])
    item, = world.json('next', 'm')['items']
    assert item['what'] == 'there is an update: ds 1 -> 2' and item['action'] == 'update', item
    assert 'ds 1 -> 2' in world.luctl('status')
    quiet(world, 2)
    policy(world, 'update: {mode: stage}')
    job, = settled(world, 1)
    assert job['kind'] == 'prepare' and job['state'] == 'prepared', job
    assert job['identity'] == 'policy p version 2', job
    quiet(world, 3)
    assert world.json('next', 'm')['items'][0]['what'] == 'an update was staged: ds 1 -> 2'
    # Held, and killed in between: one update.
    world.luctl('hold', 'ds')
    policy(world, 'update: {mode: apply, deadline: 1d}')
    world.until(lambda: 'holds ds' in world.json('next', 'm')['items'][0]['why'])
    world.kill()
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        db.execute('UPDATE releases SET added_us = added_us - ?', ((DAY + 1) * 1000000,))
    world.start()
    world.until(lambda: is_up(world) and alarms(world))
    assert 'does not run release 2 of ds within' in alarms(world)[0]['text'], alarms(world)
    world.kill()
    world.start(die_at='timer.begin')
    world.until(lambda: is_up(world))
    world.luctl('unhold', 'ds', code=8)
    world.wait_dead()
    world.start()
    found = settled(world, 2)
    assert found[1]['kind'] == 'update' and found[1]['state'] == 'confirmed', found
    assert world.peer.services['ds']['release_id'] == world.release_id(two)
    world.until(lambda: not alarms(world))
    # One that the machine rolls back is blocked, and left alone.
    world.peer.faults['roll_back'] = 1
    world.luctl('release', 'add', world.kit('ds', 3))
    found = settled(world, 3)
    assert found[2]['state'].startswith('rolled'), found
    quiet(world, 3)
    world.until(lambda: world.json('next', 'm')['items'])
    item, = world.json('next', 'm')['items']
    assert item['what'] == 'no update' and not item['start_us'], item
    assert item['why'].startswith('release 3 of ds is blocked until `luctl release clear`: '), item
    assert 'release 3 of ds is blocked' in world.luctl('next')
    world.luctl('release', 'clear', 'ds', '3')
    world.until(lambda: [i['what'] for i in world.json('next', 'm')['items']] == ['an update: ds 2 -> 3'])
    assert 'blocked' not in world.luctl('next')


def test_update_held(world):
    """Of two services one is held: the other gets its update staged, and this one when it may; neither does so twice."""
    with_tty(world)
    world.luctl('hold', 'tty')
    world.luctl('release', 'add', world.kit('ds', 2), world.kit('tty', 2))
    policy(world, 'update: {mode: stage}')
    assert settled(world, 1)[0]['service'] == 'ds'
    world.until(lambda: 'holds tty' in world.json('next', 'm')['items'][0]['why'])
    world.luctl('unhold', 'tty')
    assert [j['service'] for j in settled(world, 2)] == ['ds', 'tty']
    world.until(lambda: world.json('next', 'm')['items'][0]['what'].startswith('an update was staged'))
    world.luctl('hold', 'ds')
    world.luctl('unhold', 'ds')
    # Only one that is held has something to do: no round is for nothing.
    world.luctl('hold', 'tty')
    policy(world, 'update: {mode: apply}')
    assert settled(world, 3)[2]['service'] == 'ds'
    world.until(lambda: 'holds tty' in world.json('next', 'm')['items'][0]['why'])
    n = timer(world)['round']
    quiet(world, 2)
    assert timer(world)['round'] == n
    world.luctl('unhold', 'tty')
    assert [(j['service'], j['state']) for j in settled(world, 4)[2:]] == [('ds', 'confirmed'), ('tty', 'confirmed')]


def test_update_clock(world):
    """The clock is set while one of two services is held: what was asked for is not asked for again when that is over."""
    world.clock()
    with_tty(world)
    world.luctl('release', 'add', world.kit('ds', 2), world.kit('tty', 2))
    n = 0
    for mode in ('stage', 'apply'):
        for days in (400, -400, 0):
            world.luctl('hold', 'tty')
            world.peer.faults['refuse'] = 2  # both are still due then
            policy(world, 'update: {mode: %s}' % mode)
            assert settled(world, n + 1)[n]['service'] == 'ds'
            world.until(lambda: 'holds tty' in world.json('next', 'm')['items'][0]['why'])
            world.set_clock(days * DAY)
            world.luctl('unhold', 'tty')
            assert [j['service'] for j in settled(world, n + 2)[n:]] == ['ds', 'tty'], (mode, days)
            n += 2
            # Another timer, which knows nothing of that.
            world.luctl('policy', 'remove', 'p')
            world.until(lambda: not timer(world))


def test_update_replaced(world):
    """lud ends in a round, and the policy only checks when the machine is back: nothing is asked for."""
    world.prepare()
    world.luctl('hold', 'ds')
    world.luctl('release', 'add', world.kit('ds', 2))
    policy(world, 'update: {mode: apply}')
    world.until(lambda: 'holds ds' in world.json('next', 'm')['items'][0]['why'])
    world.kill()
    world.start(die_at='timer.begin')
    world.until(lambda: is_up(world))
    world.luctl('unhold', 'ds', code=8)
    world.wait_dead()
    assert timer(world)['open'] and not record(world, 'SELECT count(*) FROM jobs')[0]
    world.peer.awake.clear()
    world.start()
    policy(world, 'update: {mode: check}')
    world.peer.awake.set()
    world.until(lambda: is_up(world) and not timer(world)['open'])
    assert not jobs(world) and world.json('next', 'm')['items'][0]['what'] == 'there is an update: ds 1 -> 2'


harness.main(globals(), 4)
