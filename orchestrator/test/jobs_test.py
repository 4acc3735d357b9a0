#!/usr/bin/env python3
"""Jobs in line, plans, and requests that come again.

Usage: jobs_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import hashlib
import os
import re
import signal
import sqlite3

import harness
from harness import LOST, STEP_RUN, STEP_STAGE, child_named, record


def test_job_list(world):
    """Every job is in the record and can be asked for, those too that ended before they drew a generation."""
    world.prepare(2)
    world.pairing(loss=[LOST])
    world.luctl('update', 'ds', code=4)
    world.pairing()
    world.luctl('update', 'ds')
    world.pairing(loss=[LOST])
    world.luctl('update', 'ds', '--release', world.release_id(world.kits[0]).hex(), code=4)
    with world.control() as control:
        def jobs(**ask):
            reply = control.call(job_list=ask)
            return [j['id'] for j in reply.get('jobs', [])], reply.get('more', False)
        assert jobs() == ([3, 2, 1], False) and jobs(bare=True) == ([3, 1], False)
        assert jobs(limit=1) == ([3], True) and jobs(before=3, bare=True) == ([1], False)
        assert jobs(service='rs') == ([], False)
        last = control.call(job_list={'service': 'ds', 'limit': 1})['jobs'][0]
        assert last['state'] == 'JOB_STATE_REFUSED' and last['cause']['name'] == 'state-loss', last
        assert last['hint'] and last['identity'] and last['ended_us'] and not last.get('generation'), last


def test_queued(world):
    """Of two updates that are asked for at once, the second goes from what the first made."""
    world.prepare(2)
    first = world.release_id(world.kits[0]).hex()
    world.luctl('update', 'ds')
    back = world.json('update', 'ds', '--release', first)['generation']
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        update = control.send(update={'service': 'ds'})
        world.until(lambda: world.peer.withheld)
        rollback = control.send(rollback={'service': 'ds', 'to_generation': back})
        world.until(lambda: len(world.json('status')['open_jobs']) == 2)
        world.peer.release()
        update, rollback = control.wait_reply(update, 100), control.wait_reply(rollback, 100)
    assert update['state'] == rollback['state'] == 'JOB_STATE_CONFIRMED', (update, rollback)
    assert update['from_generation'] == back, update
    assert rollback['from_generation'] == update['generation'], (update, rollback)
    # So it is known which release was left.
    releases = {r['counter']: r.get('blocked', 0) for r in world.json('release', 'list')['releases']}
    assert releases[2] and not releases[1], releases


def test_plan(world):
    """A plan says what would be done and why it would be refused, begins nothing, and has the same hash each time."""
    world.prepare(2)
    older, newer = [world.release_id(kit).hex() for kit in world.kits]
    world.luctl('update', 'ds', '--release', older)
    world.pairing(loss=[{'what': 'variable', 'text': 'variable store.c:keys'}], back={'loss': []})
    jobs, paired = world.json('jobs')['jobs'], len(world.peer.runs)
    told = world.json('plan', 'update', 'ds', code=4)
    part, = told['parts']
    assert told['refused'] and not told['hash'], told
    assert part['from_release'] == older and part['to_release'] == newer, part
    assert part['refused']['name'] == 'state-loss' and '--accept-loss' in part['hint'], part
    assert part['pairing']['n_lost'] == 1 and not part['back'].get('n_lost'), part
    told = world.json('plan', 'update', 'ds', '--accept-loss')
    part, = told['parts']
    assert len(told['hash']) == 128 and not told['refused'] and not part.get('refused'), told
    assert part['blackout_ns'] == 1234567 and part['blackout_of'] == 1, part
    assert told['hash'] == world.json('plan', 'update', 'ds', '--accept-loss')['hash']
    # What makes another plan: each term by itself.
    hashes = {told['hash']}
    for others in (('--timeout', '4s'), ('--hold', '5ms'), ('--layout', 'machine'), ('--release', older), ('--prepare-only',),
                   ('--state', 'request-free')):
        hashes.add(world.json('plan', 'update', 'ds', '--accept-loss', *others)['hash'])
    world.pairing(loss=[])
    hashes.add(world.json('plan', 'update', 'ds', '--accept-loss')['hash'])
    hashes.add(world.json('plan', 'update', 'ds')['hash'])
    assert len(hashes) == 9, hashes
    # A person reads the same.
    shown = world.luctl('plan', 'update', 'ds')
    assert re.search(r'^update on m$', shown, re.M) and 'loses nothing' in shown and re.search(r'^plan [0-9a-f]{128}$', shown, re.M)
    assert 'about 1.23 ms, the median of the last 1' in shown, shown
    # What would be refused before a job is made is told with its reason, too.
    for command, said in ((('update', 'nobody'), 'no service nobody'), (('update', 'ds', '--release', 'ffff'), 'no release ffff'),
                          (('rollback', 'ds'), 'no earlier release'), (('rerandomize', 'ds', '--layout', 'chance'), 'chance')):
        assert said in world.luctl('plan', *command, code=4, out=True), command
    # Nothing was begun.
    assert world.json('jobs')['jobs'] == jobs and len(world.peer.runs) == paired


def test_expect_plan(world):
    """With the hash of a plan that plan is carried out, or nothing is."""
    world.prepare(2)
    older, newer = [world.release_id(kit).hex() for kit in world.kits]
    world.luctl('update', 'ds', '--release', older)
    plan = world.json('plan', 'update', 'ds')['hash']
    told = world.luctl('update', 'ds', '--expect-plan', plan, '--timeout', '4s', code=4)
    assert 'not the plan that was meant' in told and 'luctl plan' in told, told
    world.pairing(moved=[{'text': 'a to b'}])  # which is no loss: it is told, and the plan is the same
    job = world.json('update', 'ds', '--expect-plan', plan)
    assert job['state'] == 'confirmed' and job['plan'] == plan, job
    assert newer.startswith(world.json('status')['services'][0]['release'])
    # What runs is another release now.
    assert 'not the plan' in world.luctl('update', 'ds', '--expect-plan', plan, code=4)
    # Several services, of which the hash is one.
    plan = world.json('plan', 'rerandomize', '--all')['hash']
    assert plan == world.json('plan', 'rerandomize', 'ds')['hash']
    moved = world.json('rerandomize', '--all', '--expect-plan', plan)['jobs']
    assert moved[0]['state'] == 'confirmed' and moved[0]['plan'] == plan, moved
    assert 'not the plan' in world.luctl('rerandomize', 'ds', '--layout', 'machine', '--expect-plan', plan, code=4)
    for wrong in ('', 'ab', 'x' * 128, plan + '0'):
        if wrong:
            assert '128 hexadecimal digits' in world.luctl('rerandomize', 'ds', '--expect-plan', wrong, code=2)
    # What a plan was stays readable: its text, of which it is the hash, once for all jobs that have it.
    text = world.luctl('job', 'show', str(job['id']), '--plan', out=True)
    assert hashlib.blake2b(text.encode()).hexdigest() == job['plan'] and text.startswith('samsara plan 1\nmachine m\n')
    assert world.json('job', 'show', str(job['id']))['plan_text'] == text and 'plan_text' in job
    again = world.json('rerandomize', 'ds')['jobs'][0]
    assert again['plan'] == moved[0]['plan']
    assert record(world, "SELECT count(*) FROM plans WHERE hash = x'%s'" % again['plan']) == (1,)
    assert f"job show {job['id']} --plan" in world.luctl('job', 'show', str(job['id']), out=True)
    with sqlite3.connect(world.state + '/lud.db') as db:
        db.execute("UPDATE plans SET text = text || 'x' WHERE hash = ?", (bytes.fromhex(job['plan']),))
        db.execute('DELETE FROM plans WHERE hash = ?', (bytes.fromhex(again['plan']),))
    assert 'is not what its hash is of' in world.luctl('job', 'show', str(job['id']), '--plan', code=6)
    assert 'has no plan' in world.luctl('job', 'show', str(again['id']), '--plan', code=3)
    # An update that waits is planned again when its turn comes.
    world.luctl('update', 'ds', '--release', older)
    plan = world.json('plan', 'update', 'ds', '--release', older)['hash']
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        first = control.send(update={'service': 'ds', 'release': newer})
        world.until(lambda: world.peer.withheld)
        second = control.send(update={'service': 'ds', 'release': older}, expect_plan=bytes.fromhex(plan))
        world.until(lambda: len(world.json('status')['open_jobs']) == 2)
        world.peer.release()
        first, second = control.wait_reply(first, 100), control.wait_reply(second, 100)
    assert first['state'] == 'JOB_STATE_CONFIRMED', first
    assert second['state'] == 'JOB_STATE_REFUSED' and second['cause']['name'] == 'plan-changed', second
    assert newer.startswith(world.json('status')['services'][0]['release'])


def test_queued_rerandomize(world):
    """A new layout that waited while an update brought another release does not bring the old one back."""
    world.prepare(2)
    for layout in ('host', 'machine'):
        older, newer = [world.release_id(kit).hex() for kit in world.kits]
        world.luctl('update', 'ds', '--release', older)
        world.peer.faults['hold_result'] = 1
        with world.control() as control:
            update = control.send(update={'service': 'ds', 'release': newer})
            world.until(lambda: world.peer.withheld)
            move = control.send(rerandomize={'services': ['ds'], 'layout': layout})
            world.until(lambda: len(world.json('status')['open_jobs']) == 2)
            world.peer.release()
            update, move = control.wait_reply(update, 100), control.wait_reply(move, 100)['jobs'][0]
        assert update['state'] == 'JOB_STATE_CONFIRMED', update
        assert move['state'] == 'JOB_STATE_FAILED' and 'another release of ds runs' in move['cause']['message'], move
        assert newer.startswith(world.json('status')['services'][0]['release']), layout
        world.luctl('rerandomize', 'ds', '--layout', layout)
        assert newer.startswith(world.json('status')['services'][0]['release']), layout


def test_one_at_a_time(world):
    """Jobs of two services are prepared side by side, and the machine has one transaction at a time, whatever becomes
    of lud."""
    kit = world.kit('tty', 1)
    world.peer.add_service('tty', world.release_id(kit))
    world.prepare()
    world.luctl('release', 'add', kit)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    world.install('fake_luforge', good.replace('def main():\n', 'def main():\n    __import__("time").sleep(3)\n'))
    world.peer.faults['hold_result'] = 1
    with world.control() as control:
        first = control.call(update={'service': 'ds', 'detach': True})['id']
        world.until(lambda: child_named(world, 'python3'))
        worker = int(child_named(world, 'python3')['Pid'])
        os.kill(worker, signal.SIGSTOP)
        world.install('fake_luforge', good)
        second = control.call(update={'service': 'tty', 'detach': True})['id']
        world.until(lambda: world.peer.withheld)
        os.kill(worker, signal.SIGCONT)

    def waits():
        """Whether the first job has come to where it needs the machine for itself, which the second has."""
        steps = [record(world, 'SELECT step FROM jobs WHERE id = %d' % job)[0] for job in (first, second)]
        return steps == [STEP_STAGE, STEP_RUN]
    world.until(waits)
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    with world.control() as control:
        # It had its chance: what is asked now is answered after it.
        assert control.call(status={}) and waits()
    assert record(world, 'SELECT count(*) FROM job_steps WHERE job = %d AND step = %d' % (first, STEP_STAGE)) == (0,)
    assert len(world.peer.orders) == 1
    world.peer.release()
    assert [world.settle(job)['state'] for job in (first, second)] == ['JOB_STATE_CONFIRMED'] * 2
    assert [o.service for o in world.peer.orders if o.action == harness.peer.UPDATE] == ['tty', 'ds']


def test_asked(world):
    """Who asked, in which role, and why, is in the history of a job."""
    world.prepare()
    job = world.json('update', 'ds', '--reason', 'CVE-2026-1: \u00e4 "fix"')
    assert job['reason'] == 'CVE-2026-1: \u00e4 "fix"' and job['way'] == 'local' and job['role'] == 'admin', job
    assert job.get('uid', 0) == os.getuid(), job
    shown = world.luctl('show', 'ds', str(job['generation']))
    assert re.search(r'reason +CVE-2026-1: \u00e4 "fix"\n', shown) and re.search(r'role +admin, by the way local\n', shown)
    for reason in ('x' * 200, 'two\nlines', 'a\x7f'):
        assert 'in one line' in world.luctl('update', 'ds', '--reason', reason, code=2)
    assert not world.json('update', 'ds').get('reason')


def test_request_id(world):
    """A request that comes again is answered with the job of the first; one that asks for something else is refused."""
    world.prepare()
    first = world.json('rerandomize', 'ds', '--request-id', 'nightly:1')['jobs'][0]
    again = world.json('rerandomize', 'ds', '--request-id', 'nightly:1', '--reason', 'another')['jobs'][0]
    assert first['id'] == again['id'] and first['generation'] == again['generation'], (first, again)
    assert first['request_id'] == 'nightly:1' and not again.get('reason')
    told = world.luctl('update', 'ds', '--request-id', 'nightly:1', code=4)
    assert 'belongs to another request' in told, told
    assert world.json('rerandomize', 'ds', '--request-id', 'nightly:2')['jobs'][0]['id'] != first['id']
    # Without an id each request is one of its own.
    assert world.json('update', 'ds')['id'] != world.json('update', 'ds')['id']
    for wrong in ('a b', 'x' * 64, '\u00e4', '%s'):
        assert 'up to 63 letters' in world.luctl('update', 'ds', '--request-id', wrong, code=2)
    # Of a job that is open, both wait for the same end; a lud that was killed knows it, too.
    world.peer.faults['hold_result'] = 1
    with world.control() as one, world.control() as two:
        asked = one.send(update={'service': 'ds'}, request_id='open')
        world.until(lambda: world.peer.withheld)
        asked_again = two.send(update={'service': 'ds'}, request_id='open')
        world.peer.release()
        ends = [one.wait_reply(asked, 100), two.wait_reply(asked_again, 100)]
    assert ends[0]['id'] == ends[1]['id'] and ends[0]['state'] == ends[1]['state'] == 'JOB_STATE_CONFIRMED', ends
    world.kill()
    world.start()
    world.until(lambda: world.json('status')['machine']['state'] == 'up')
    known = world.json('rerandomize', 'ds', '--request-id', 'nightly:1')['jobs'][0]
    assert known['id'] == first['id'] and known['state'] == 'confirmed', known


def test_step_left(world):
    """A step that lud left by its end, and began again, is not shown as one that still goes on."""
    world.prepare(2)
    world.peer.faults['hold_result'] = 1
    job = world.json('update', 'ds', '--detach')['id']
    world.until(lambda: world.peer.withheld)

    def steps():
        return [(s['name'], s['state']) for s in world.json('job', 'show', str(job))['steps']]
    world.until(lambda: steps()[-1] == ('run', 'open'))
    world.kill()
    world.start()
    world.until(lambda: steps()[-2:] == [('run', 'left'), ('run', 'open')])
    world.peer.release()
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    assert not [s for s in steps() if s[1] == 'open'], steps()


harness.main(globals(), 2)
