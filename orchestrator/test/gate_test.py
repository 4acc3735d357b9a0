#!/usr/bin/env python3
"""Holds, windows and overrides: what keeps a job from going on, who says so, and what passes it.

Usage: gate_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import os
import subprocess
import time

import harness


def policy(world, text, name='p'):
    """A policy for every machine, applied."""
    path = os.path.join(world.dir, name + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: %s\nmatch: {machines: ["*"]}\n%s\n' % (name, text))
    world.luctl('policy', 'apply', path)


def at(seconds):
    """A calendar expression of one instant, so many seconds from now."""
    return time.strftime('"%Y-%m-%d %H:%M:%S"', time.gmtime(time.time() + seconds))


def deny(seconds, length='1h'):
    return 'windows: {deny: [{start: %s, length: %s}]}' % (at(seconds), length)


def gates(world, *args):
    """(change, gate): why it is shut, or '' of one that is open."""
    return {(g['change'], g['gate']): '' if g.get('open') else g['why'] for g in
            world.json('explain', *args)['gates']}


def test_holds(world):
    """What is held is listed with who and why, until it is taken away or over; only who holds, or may override, does."""
    world.prepare()
    assert 'nothing is held' in world.luctl('holds')
    world.luctl('hold', '--reason', 'the disk is full')
    world.luctl('hold', 'ds', '--until', str(int(time.time()) + 3600))
    world.luctl('hold', '--all')
    holds = world.json('holds')['holds']
    assert [(h['machine'], h['service'], bool(int(h['until_us']))) for h in holds] == [
        ('m', '', False), ('m', 'ds', True), ('', '', False)], holds
    assert holds[0]['identity'].startswith('root (uid 0') or os.getuid()
    assert holds[0]['reason'] == 'the disk is full' and holds[0]['role'] == 'admin', holds
    world.kill()
    world.start()
    assert world.json('holds')['holds'] == holds
    assert 'no service' in world.luctl('hold', 'dds', code=3)
    assert 'over already' in world.luctl('hold', '--until', str(int(time.time()) - 5), code=2)
    world.luctl('hold', '--all', '-m', 'm', code=2)
    assert 'exactly that' in world.luctl('unhold', 'rs', code=3)
    world.luctl('unhold', '--all', '--reason', 'done')
    world.luctl('unhold')
    assert [h['service'] for h in world.json('holds')['holds']] == ['ds']
    world.luctl('unhold', 'ds')
    # One whose time is over holds nothing, with nobody there to see it.
    world.luctl('hold', '--until', str(int(time.time()) + 8))
    assert world.json('holds')['holds']
    world.until(lambda: not world.json('holds').get('holds'))


def begun(world, *command):
    """The job of a command that does not wait."""
    world.luctl(*command, '--detach')
    return world.newest_job()


def state(world, job):
    with world.control() as control:
        return control.call(job_show={'job': job})


def is_put_off(world, job, how):
    return state(world, job)['state'] == 'JOB_STATE_' + how


def test_held_jobs(world):
    """A job that is held waits, over a restart too, with the reason; it goes on when it is let go of, and runs once."""
    world.prepare()
    for hold in ([], ['ds'], ['--all']):
        world.luctl('hold', *hold, '--reason', 'not now')
        runs = len(world.peer.runs)
        job = begun(world, 'rerandomize', 'ds')
        world.until(lambda job=job: is_put_off(world, job, 'HELD'))
        assert 'not now' in state(world, job)['waits_for'], state(world, job)
        assert gates(world, str(job))['rerandomize', 'hold']
        world.kill()
        world.start()
        world.until(lambda: world.json('status')['machine']['state'] == 'up')
        assert is_put_off(world, job, 'HELD') and len(world.peer.runs) == runs
        world.luctl('unhold', *hold)
        assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == runs + 1
    # Whoever waits for it hears why.
    world.luctl('hold', '--reason', 'so there')
    waits = subprocess.Popen([world.program('ctl/luctl'), 'rerandomize', 'ds'], stderr=subprocess.PIPE, text=True,
                             env={**os.environ, 'SAMSARA_SOCKET': world.socket})
    world.until(lambda: 'so there' in waits.stderr.readline())
    world.luctl('unhold')
    waits.communicate(timeout=100)
    assert waits.returncode == 0
    # Another service is not held.
    world.luctl('hold', 'rs')
    world.luctl('rerandomize', 'ds')
    # A rollback and a restart are, too.
    world.luctl('hold', 'ds', '--until', str(int(time.time()) + 10))
    job = begun(world, 'update', 'ds')
    world.until(lambda: is_put_off(world, job, 'HELD'))
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'  # its time was over


def test_held_by_hand(world):
    """A job that a person holds is let go of by nothing but that person: no hold that is taken away, no policy."""
    world.prepare()
    world.luctl('hold', 'ds')
    job = begun(world, 'rerandomize', 'ds')
    world.until(lambda: is_put_off(world, job, 'HELD'))
    world.luctl('job', 'hold', str(job), '--reason', 'wait for me')
    world.luctl('unhold', 'ds')
    policy(world, 'priority: 5')
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    world.luctl('policy', 'remove', 'p')
    assert 'wait for me' in state(world, job)['waits_for'] and not world.peer.runs, state(world, job)
    world.luctl('job', 'release', str(job))
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'


def test_windows(world):
    """A job starts only while a window is open and its limit fits; what was sent is not cut off; rollbacks need none."""
    world.prepare(2)
    policy(world, deny(-5, '14s'))
    job = begun(world, 'update', 'ds')
    world.until(lambda: is_put_off(world, job, 'SCHEDULED'))
    assert 'policy p' in state(world, job)['waits_for'] and not world.peer.runs
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_CONFIRMED', done
    # The way back needs no window.
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex())
    policy(world, deny(-5))
    world.luctl('rollback', 'ds')
    # The window is open for 60 s, which a job of 2 minutes does not fit into.
    policy(world, 'windows: {allow: [{start: %s, length: 60s}]}\nrerandomize: {every: 1h, limit: 1s}' % at(-5))
    world.luctl('rerandomize', 'ds')
    job = begun(world, 'rerandomize', 'ds', '--timeout', '120s')
    world.until(lambda: is_put_off(world, job, 'HELD'))
    assert 'does not fit' in state(world, job)['waits_for'], state(world, job)
    world.luctl('policy', 'remove', 'p')
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'


def test_shut_while_it_runs(world):
    """A window that shuts, and a hold that comes, when the machine has the order: neither ends it."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    job = begun(world, 'rerandomize', 'ds')
    world.until(lambda: world.peer.runs)
    policy(world, deny(-5))
    world.luctl('hold', '--all')
    assert state(world, job)['state'] in ('JOB_STATE_PREPARING', 'JOB_STATE_SWITCHING'), state(world, job)
    world.peer.release()
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'


def test_override(world):
    """Who may, passes a gate with a reason, which stays in the history; the newest release, too, that is blocked."""
    world.prepare(2)
    policy(world, deny(-5))
    world.luctl('hold', '--all')
    job = begun(world, 'update', 'ds', '--override', 'window', '--reason', 'urgent')
    world.until(lambda: is_put_off(world, job, 'HELD'))
    world.luctl('unhold', '--all')
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    shown = world.luctl('show', 'ds', str(world.running()))
    assert 'override      window' in shown and 'urgent' in shown, shown
    world.luctl('hold', 'ds')
    world.luctl('rerandomize', 'ds', '--override', 'window,hold', '--reason', 'urgent')
    world.luctl('unhold', 'ds')
    for release in world.kits:
        world.luctl('update', 'ds', '--release', world.release_id(release).hex(), '--override', 'window', '--reason', 'x')
    world.luctl('rollback', 'ds')
    assert 'blocked' in world.luctl('update', 'ds', '--override', 'window', '--reason', 'x', code=4)
    world.luctl('update', 'ds', '--override', 'window,block', '--reason', 'it was not its fault')


def test_explain(world):
    """Gate by gate, what is in the way of each change; a plan says it, too."""
    world.prepare()
    assert set(gates(world).values()) == {''}
    world.luctl('hold', 'ds', '--reason', 'rs is next')
    assert 'holds ds: rs is next' in gates(world, '--service', 'ds')['update', 'hold']
    assert set(gates(world, '--service', 'rs').values()) == set(gates(world).values()) == {''}
    plan = world.json('plan', 'rerandomize', 'ds')['parts'][0]
    assert 'rs is next' in plan['held'] and not int(plan['held_until_us']), plan
    assert 'held' in world.luctl('plan', 'rerandomize', 'ds')
    world.luctl('unhold', 'ds')
    policy(world, deny(-5))
    shut = gates(world, '--service', 'ds')
    assert 'denied window is open (policy p)' in shut['update', 'window'], shut
    assert 'denied window' in shut['rerandomize', 'window'] and not shut['rollback', 'window'], shut
    answer = world.json('explain')
    assert world.json('explain', 'm') == world.json('explain', '--machine', 'm')
    assert 'no machine' in world.luctl('explain', 'x', code=3) and 'two machines' in world.luctl(
        'explain', 'm', '--machine', 'x', code=2)
    # A service where a machine's name is to stand: what works is said, and works.
    assert '`luctl explain --service ds`' in world.luctl('explain', 'ds', code=3)
    assert 'machine list' in world.luctl('explain', 'x', code=3)
    assert 'no service nope' in world.luctl('explain', '--service', 'nope', code=3)
    window = next(g for g in answer['gates'] if g['gate'] == 'window' and g['change'] == 'update')
    assert 3500 < int(window['next_us']) / 1e6 - time.time() < 3600, window
    text = world.luctl('explain')
    assert 'shut' in text and 'a denied window' in text, text
    lines = text.split('\n')
    update, rollback = (next(line for line in lines if line.startswith(change)) for change in ('update', 'rollback'))
    assert 'shut' in update and 'open' in rollback and lines.index(update) + 1 < len(lines), text
    # Lines of a tree where the terminal can show them, else of ASCII.
    assert '├─machine' in world.on_terminal('explain', LC_ALL='C.UTF-8')
    assert '|-machine' in world.on_terminal('explain', LC_ALL='C')
    world.peer.__exit__()
    world.until(lambda: gates(world)['update', 'machine'])


def test_standing_held(world):
    """A service that is held is taken out of the standing order, and comes back."""
    world.prepare()
    world.peer.add_service('aa', world.release_id(world.kits[0]))
    world.luctl('status')
    world.luctl('rerandomize', 'ds', 'aa', '--every', '20s')
    assert world.peer.standing_services == ['aa', 'ds']
    world.luctl('hold', 'ds')
    world.until(lambda: world.peer.standing_services == ['aa'])
    assert not world.json('status')['standing_kept']
    world.luctl('hold', '--all', '--reason', 'an audit')
    world.until(lambda: world.peer.standing['state'] == 'STANDING_WITHDRAWN')
    world.until(lambda: 'kept back since ' in world.luctl('status'))
    told = next(line for line in world.luctl('status').split('\n') if line.startswith('standing order'))
    assert 'wanted by root' in told and ' holds everything: an audit; nothing moves' in told, told
    held = next(h for h in world.json('holds')['holds'] if not h['service'])
    status = world.json('status')
    assert status['standing_kept_us'] == held['created_us'] and 'an audit' in status['standing_kept'], (status, held)
    world.luctl('unhold', '--all')
    world.luctl('unhold', 'ds')
    world.until(lambda: world.peer.standing_services == ['aa', 'ds'])


def test_standing_windows(world):
    """A window that will shut is a quiet time of the standing order; one that is shut takes the services out of it."""
    world.prepare()
    world.luctl('rerandomize', 'ds', '--every', '20s', '--quiet', '03:00-04:00')
    assert world.peer.standing_quiet == [(10800, 14400)]
    policy(world, deny(7200, '30min'))
    world.until(lambda: len(world.peer.standing_quiet) == 2)
    start, end = world.peer.standing_quiet[1]
    expected = (time.time() + 7200) % 86400
    # It begins earlier by the limit of a move, and is a half hour long.
    assert (start - expected + 60) % 86400 < 120 and 1800 <= (end - start) % 86400 <= 1805, (start, end, expected)
    # More than there is room for: those nearest to each other are one.
    policy(world, 'windows: {deny: [%s]}' % ', '.join(
        '{start: %s, length: 10s}' % at(600 + 600 * i) for i in range(12)))
    world.until(lambda: len(world.peer.standing_quiet) == 8)
    policy(world, deny(-5))
    world.until(lambda: world.peer.standing['state'] == 'STANDING_WITHDRAWN')
    world.luctl('policy', 'remove', 'p')
    world.until(lambda: world.peer.standing_services == ['ds'] and world.peer.standing_quiet == [(10800, 14400)])


def test_blocked_meanwhile(world):
    """A job does not go to a release that was blocked since it was asked for; one that names it afterwards does."""
    world.prepare(3)
    world.luctl('hold', 'ds', '--reason', 'x')
    job = world.json('update', 'ds', '--detach')['id']
    world.luctl('release', 'block', 'ds', '3', '--reason', 'it crashes')
    world.luctl('unhold', 'ds')
    blocked = 'release 3 was blocked meanwhile: by '
    world.until(lambda: blocked in world.json('job', 'show', str(job)).get('waits_for', ''))
    assert blocked in world.luctl('explain', str(job)) and not world.peer.runs
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    assert blocked in world.json('job', 'show', str(job)).get('waits_for', '') and not world.peer.runs
    world.luctl('release', 'clear', 'ds', '3')
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and len(world.peer.runs) == 1
    world.luctl('release', 'block', 'ds', '2')
    assert world.json('update', 'ds', '--release', '2')['state'] == 'confirmed'


def test_limits(world):
    """No more machines are at work at a time than a policy says; the next one goes on when one is done; a way back needs
    no place, and an override passes."""
    tty = world.kit('tty', 1)
    world.peer.add_service('tty', world.release_id(tty))
    world.prepare()
    world.luctl('release', 'add', tty)
    world.luctl('update', 'ds')
    others = {}
    with contextlib.ExitStack() as stack:
        for name in 'bc':
            others[name] = stack.enter_context(harness.peer.Peer(os.path.join(world.dir, name + '.sock')))
            others[name].add_service('ds', world.release_id(world.kits[0]))
            world.luctl('machine', 'start', name, '--attach', others[name].path)
        policy(world, 'limits: {machines: 1}')
        world.peer.faults['hold_result'] = 1
        first = begun(world, 'rerandomize', 'ds', '-m', 'm')
        world.until(lambda: len(world.peer.runs) == 2)
        jobs = {name: world.json('rerandomize', 'ds', '-m', name, '--detach')['jobs'][0]['id'] for name in 'bc'}
        world.until(lambda: all(is_put_off(world, job, 'HELD') for job in jobs.values()))
        told = state(world, jobs['b'])['waits_for']
        assert told == '1 of 1 machines are at work (policy p)', told
        # A machine is one, with two jobs at work, too.
        second = begun(world, 'rerandomize', 'tty', '-m', 'm')
        world.until(lambda: state(world, second)['state'] == 'JOB_STATE_FORGING')
        assert gates(world, '-m', 'b')['update', 'limit'] == told
        world.luctl('job', 'cancel', str(second))
        assert gates(world, '-m', 'b')['update', 'limit'] == told and not gates(world, '-m', 'b')['rollback', 'limit']
        assert not gates(world, '-m', 'm')['update', 'limit']  # it has its place
        assert not others['b'].runs and not others['c'].runs
        # The machines that it matches count, by share: of three two make a place for one more, and of none always one.
        policy(world, 'limits: {machines: "1%"}')
        assert told == gates(world, '-m', 'b')['update', 'limit']
        urgent = world.json('rerandomize', 'ds', '-m', 'c', '--override', 'window', '--reason', 'urgent', '--no-wait')
        assert world.settle(urgent['jobs'][0]['id'])['state'] == 'JOB_STATE_CONFIRMED'  # c has a place until then
        world.until(lambda: len(others['c'].runs) == 1 and is_put_off(world, jobs['c'], 'HELD'))
        others['b'].faults['hold_result'] = 1
        policy(world, 'limits: {machines: "67%"}')
        world.until(lambda: others['b'].runs)
        assert is_put_off(world, jobs['c'], 'HELD') and '2 of 2' in state(world, jobs['c'])['waits_for']
        world.kill()
        world.start()
        world.until(lambda: [m['state'] for m in world.json('machine', 'list')['machines']] == ['up'] * 3)
        assert is_put_off(world, jobs['c'], 'HELD') and len(others['c'].runs) == 1
        others['b'].release()
        assert world.settle(jobs['b'])['state'] == world.settle(jobs['c'])['state'] == 'JOB_STATE_CONFIRMED'
        assert len(world.peer.runs) == 2
        world.peer.release()
        assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'


def test_limits_unheard(world):
    """A machine that never answered has no share in a limit; when it answers, whoever waits for a place is looked at."""
    world.prepare()
    world.luctl('update', 'ds')
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(harness.peer.Peer(os.path.join(world.dir, 'b.sock')))
        other.add_service('ds', world.release_id(world.kits[0]))
        world.luctl('machine', 'start', 'b', '--attach', other.path)
        policy(world, 'limits: {machines: "67%"}')
        world.peer.faults['hold_result'] = 1
        first = begun(world, 'rerandomize', 'ds', '-m', 'm')
        world.until(lambda: len(world.peer.runs) == 2)
        job = world.json('rerandomize', 'ds', '-m', 'b', '--detach')['jobs'][0]['id']
        world.until(lambda: is_put_off(world, job, 'HELD'))
        # Of three it would be two; a machine that is only meant to be there is none of them.
        path = os.path.join(world.dir, 'c.sock')
        assert 'does not answer' in world.luctl('machine', 'start', 'c', '--attach', path, code=8)
        world.luctl('machine', 'add', 'next')
        for again in (False, True):
            assert gates(world, '-m', 'b')['update', 'limit'] == '1 of 1 machines are at work (policy p)', again
            if not again:
                world.kill()
                world.start()
                world.until(lambda: [m['state'] for m in world.json('machine', 'list')['machines']].count('up') == 2)
        assert not other.runs and is_put_off(world, job, 'HELD')
        late = stack.enter_context(harness.peer.Peer(path))
        late.add_service('ds', world.release_id(world.kits[0]))
        assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED' and len(other.runs) == 1
        world.peer.release()
        assert world.settle(first)['state'] == 'JOB_STATE_CONFIRMED'


def test_override_words(world):
    """An override says what it passes and why, and is for jobs."""
    world.prepare()
    assert '--reason' in world.luctl('rerandomize', 'ds', '--override', 'window', code=2)
    world.luctl('rerandomize', 'ds', '--override', 'door', '--reason', 'x', code=2)
    told = world.luctl('rerandomize', 'ds', '--every', '20s', '--override', 'hold', '--reason', 'x', code=2)
    assert 'nothing that could be passed' in told, told


harness.main(globals(), 2)
