#!/usr/bin/env python3
"""Updates, confirms and what gets lost on the way: a job comes to the end that the machine says.

Usage: update_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import json
import os
import signal
import subprocess

import harness
from harness import record


def test_update_and_back(world):
    """Update, prepare-only, rollback, rerandomize; each is told and kept."""
    world.prepare(2)
    world.luctl('update', 'ds', '--prepare-only')
    assert world.running() == 1 and len(world.peer.runs) == 1
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and world.running() == job['generation']
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])
    world.luctl('rollback', 'ds', code=3)  # release 1 never ran by our record
    world.json('update', 'ds', '--release', world.release_id(world.kits[0]).hex()[:10])
    job = world.json('rollback', 'ds')
    assert job['kind'] == 'rollback' and world.running() == job['generation']
    assert world.peer.services['ds']['release_id'] == world.release_id(world.kits[1])
    jobs = world.json('rerandomize', '--all')['jobs']
    assert sorted((j['service'], j['state']) for j in jobs) == [('ds', 'confirmed'),
                                                               ('rs', 'skipped')]
    states = [g['state'] for g in world.json('history', 'ds')['generations']]
    assert states == ['running', 'past', 'past', 'past', 'rehearsed'], states
    assert 'hello from the peer' in world.luctl('log')
    shown = world.json('show', 'ds', str(world.running()))
    assert [s['state'] for s in shown['job']['steps']] == ['done'] * 9  # a rerandomization pairs nothing
    # All of them are over: their steps are told, and no rows of the record any more.
    assert record(world, 'SELECT count(*) FROM job_steps') == (0,)
    assert len(world.peer.runs) == len(set(world.peer.runs))


def test_outcomes(world):
    """What the machine refuses or undoes comes back with its cause and its exit code."""
    world.prepare()
    world.peer.faults['refuse'] = 1
    told = world.luctl('rerandomize', 'ds', code=7)
    assert 'E_V_EXPIRED' in told and 'clock' in told, told
    world.peer.faults['roll_back'] = 1
    assert 'E_TIMEOUT' in world.luctl('update', 'ds', code=5)
    assert world.running() == 1
    world.peer.faults['overlap'] = 2
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and len(world.peer.runs) == 5
    states = [g['state'] for g in world.json('history')['generations']]
    assert states == ['running', 'refused', 'refused', 'rolled back', 'refused'], states


def test_channel_cut(world):
    """The connection is cut after any number of frames: the job ends as if it was not."""
    world.prepare()
    for n in range(1, 36, 2):
        world.peer.faults['cut_after'] = n
        runs = len(world.peer.runs)
        job = world.json('rerandomize', 'ds')['jobs'][0]
        assert job['state'] == 'confirmed' and job['generation'] == world.running(), n
        assert len(world.peer.runs) == runs + 1, n


def test_channel_damage(world):
    """Garbage between frames, answers out of order, a lost event, a lost answer."""
    world.prepare()
    for fault, n in (('garbage', 3), ('reorder', 2), ('lose_event', 2), ('die_in_run', 1)):
        world.peer.faults[fault] = n
        job = world.json('rerandomize', 'ds')['jobs'][0]
        assert job['state'] == 'confirmed' and job['generation'] == world.running(), fault


def test_forgotten(world):
    """A result the machine has forgotten is told from what runs; a reboot is no success."""
    world.prepare()
    world.peer.faults.update(forget=1, lose_event=2)
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and job['generation'] == world.running()
    world.peer.faults['reboot'] = 1
    assert 'restarted' in world.luctl('update', 'ds', code=6)


def test_confirm(world):
    """A commit is confirmed by an order of its own; a confirm that is refused undoes nothing."""
    world.prepare()
    world.luctl('update', 'ds')
    assert [o.action for o in world.peer.orders] == [harness.peer.UPDATE, harness.peer.CONFIRM]
    assert world.peer.orders[1].argument == world.peer.orders[0].txn
    assert world.peer.orders[1].txn > world.peer.orders[0].txn
    world.peer.faults['refuse_confirm'] = 1
    job = world.json('update', 'ds')
    assert job['state'] == 'committed' and 'did not confirm' in job['hint'], job
    # Numbers of lud go on where they were, whatever became of lud.
    world.kill()
    world.start()
    world.luctl('rerandomize', 'ds')
    numbers = [o.txn for o in world.peer.orders]
    assert numbers == sorted(set(numbers)) and {o.epoch for o in world.peer.orders} == {1}


def test_not_confirmed(world):
    """Only what was made, as what it was made, is confirmed: another generation or another build is not."""
    world.prepare()
    for fault in ('other_generation', 'other_build'):
        world.peer.faults[fault] = 1
        told = world.luctl('update', 'ds', code=6)
        assert 'not-confirmed' in told and 'generation %d' % world.running() in told, told
        assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 0


def test_crash_before_check(world):
    """A service that crashed right after the commit runs in another layout of the same generation and release."""
    world.prepare()
    world.peer.faults['crash'] = 1
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and not job['hint'] and world.peer.services['ds']['made'] == 1, job
    assert '%d.1' % world.running() in world.luctl('status')


def test_confirm_not_made(world):
    """What hinders the confirm on lud's side, or a machine that answers nonsense, does not unmake what runs."""
    world.prepare()
    root = world.dir + '/keys/root.signed'
    for fault in ('no_root', 'odd_confirm', 'nonsense_confirm'):
        assert world.kill(signal.SIGTERM) in (0, None)
        world.start(stop_at='confirm.begin')
        with world.control() as control:
            asked = control.send(update={'service': 'ds'})
            world.wait_stopped()
            if fault == 'no_root':
                os.rename(root, root + '.away')
            else:
                world.peer.faults[fault] = 1
            world.lud.send_signal(signal.SIGCONT)
            job = control.wait_reply(asked, 100)
        if fault == 'no_root':
            os.rename(root + '.away', root)
        assert job['state'] == 'JOB_STATE_COMMITTED' and 'confirm' in job['hint'], (fault, job)
        assert world.json('history', 'ds')['generations'][0]['state'] == 'running', fault
        assert job['generation'] == world.running()


def test_root_in_confirm(world):
    """A confirm that is refused for its root, which was renewed meanwhile, is no reason to make the update again."""
    world.prepare()
    assert world.kill(signal.SIGTERM) == 0
    world.start(stop_at='confirm.sent')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
        world.peer.faults['odd_confirm'] = 1
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 100)
    assert job['state'] == 'JOB_STATE_COMMITTED' and 'not confirmed' in job['hint'], job
    assert job['generation'] == world.running() and len(world.peer.runs) == 1
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_repeated_result(world):
    """The update's result said once more is not that of its confirm, which has an order of its own."""
    world.prepare()
    assert world.kill(signal.SIGTERM) in (0, None)
    world.start(stop_at='confirm.begin')
    with world.control() as control:
        asked = control.send(update={'service': 'ds'})
        world.wait_stopped()
        world.peer.repeat_result()
        world.lud.send_signal(signal.SIGCONT)
        job = control.wait_reply(asked, 100)
    assert job['state'] == 'JOB_STATE_CONFIRMED' and not job.get('hint'), job
    assert [o.action for o in world.peer.orders].count(harness.peer.CONFIRM) == 1


def test_time(world):
    """A machine ahead of us is refused before anything is signed for it; one behind is not."""
    world.prepare()
    world.peer.time_ahead = -86400
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
    assert ' s behind this host' in world.luctl('status')
    world.peer.time_ahead = 86400
    orders = len(world.peer.orders)
    told = world.luctl('update', 'ds', code=1)
    assert 'ahead' in told and 'luctl machine time m' in told, told
    assert len(world.peer.orders) == orders
    keys = ['--keys', world.dir + '/keys']
    os.rename(world.dir + '/keys/release.pem', world.dir + '/release.pem')
    assert 'luctl keys time' in world.luctl('machine', 'time', 'm', *keys, code=7)
    os.rename(world.dir + '/release.pem', world.dir + '/keys/release.pem')
    world.luctl('machine', 'time', 'm', *keys)
    assert len(world.peer.times) == 1 and world.peer.time_ahead == 0
    assert world.json('update', 'ds')['state'] == 'confirmed'
    # The same without the key where lud is: the statement is made elsewhere.
    status = world.json('status')
    made = world.luctl('keys', 'time', status['machine']['machine_id'],
                       str(status['machine']['boot_id']), str(status['time_nonce']), '--at', '5', *keys)
    path = world.dir + '/statement'
    # What was damaged on its way is not sent at all.
    for spoilt in ('', '\n', made[:7], made[:8] + '\n' + made[8:], '+' + made[1:], ' ' + made[1:], made[:-1] + '0',
                   '0x' + made, made.replace('5', 'g', 1), made.strip() * 100):
        with open(path, 'w', encoding='ascii') as f:
            f.write(spoilt)
        assert 'not a time statement' in world.luctl('machine', 'time', '--file', path, code=7), spoilt
    with open(path, 'w', encoding='ascii') as f:
        f.write(made)
    world.luctl('machine', 'time', '--file', path)
    assert world.peer.times[1] == 5


def test_control(world):
    """What destroys needs the person's key, over the very order; lud does not have it."""
    world.prepare()
    keys = ['--keys', world.dir + '/keys']
    world.luctl('keys', 'init', '--keys', world.dir + '/foreign')
    assert 'control key' in world.luctl('restart', 'ds', '--keys', world.dir, code=7)
    assert world.peer.orders == []
    job = world.json('restart', 'ds', *keys)
    assert job['state'] == 'committed' and job['kind'] == 'restart', job
    assert world.peer.orders[-1].action == harness.peer.RESTART
    assert world.peer.orders[-1].n_signatures == 2
    # A machine that speaks of layouts where none was ordered is believed the refusal, and no more.
    world.peer.faults['overlap_of_none'] = 1
    assert 'E_V_OVERLAP' in world.luctl('restart', 'ds', *keys, code=4)
    role, = (key for key in world.json('keys', 'list', *keys)['keys'] if key['role'] == 'control')
    with open(world.dir + '/keys/root.signed', 'rb') as f:
        root = f.read()
    named = root[root.index(bytes.fromhex(role['id'])):][:16]
    for key_id in (bytes(16), named):
        with world.control() as control:
            control.send(restart={'service': 'ds'})
            while not any('proposal' in p for p in control.progress):
                assert control.receive() is not None
            job = control.progress[-1]['job']
            for signature in ({'key_id': bytes(3), 'signature': bytes(64)}, {'key_id': key_id, 'signature': bytes(64)}):
                try:
                    world.control().call(job_sign={'job': job, **signature})
                    raise AssertionError('a signature that is none was taken')
                except harness.wire.Refused as e:
                    assert 'control key' in str(e) or 'signature' in str(e), e
        assert world.settle(job)['state'] == 'JOB_STATE_FAILED'
    assert 'control key' in world.luctl('restart', 'ds', '--keys', world.dir + '/foreign', code=7)
    assert len(world.peer.orders) == 2


def test_next_root(world):
    """A renewed root: the signer takes it up, numbers begin in a new epoch, and floors are stated again under it."""
    world.prepare()
    world.luctl('update', 'ds')
    assert len(world.peer.statements) == 1
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys', '--replace', 'order')
    assert world.json('update', 'ds')['state'] == 'confirmed'
    assert [o.epoch for o in world.peer.orders] == [1, 1, 2, 2]
    assert world.peer.orders[2].txn == 1
    assert len(world.peer.statements) == 2


def test_statement_again(world):
    """A statement that was lost is sent again; so it is when the machine learns of a newer root right before an
    order, of an update or of its confirm."""
    world.peer.faults['lose_statement'] = 1
    world.prepare()
    world.luctl('update', 'ds')
    assert len(world.peer.statements) == 1
    for action in (harness.peer.UPDATE, harness.peer.CONFIRM):
        n = len(world.peer.orders), len(world.peer.statements)
        world.peer.faults['unstated_%d' % action] = 1
        assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
        assert (len(world.peer.orders), len(world.peer.statements)) == (n[0] + 2, n[1] + 1)
        assert world.peer.orders[-1].action == harness.peer.CONFIRM


def test_rate(world):
    """A machine that has too many signatures to check is asked again, whatever was to be checked."""
    world.prepare()
    late = ['rate_admit', 'rate_order_%d' % harness.peer.UPDATE, 'rate_order_%d' % harness.peer.CONFIRM]
    world.peer.faults.update({name: 2 for name in late})
    job = world.json('update', 'ds')
    assert job['state'] == 'confirmed' and not job['hint'], job
    assert [world.peer.faults[name] for name in late] == [0, 0, 0]
    assert world.peer.orders[-1].action == harness.peer.CONFIRM and len(world.peer.runs) == 1


def test_root_before_confirm(world):
    """Numbers of an old epoch mean other orders in the new one: no confirm, and a statement instead."""
    world.prepare()
    world.peer.faults['hold_result'] = 1
    luctl = subprocess.Popen([world.program('ctl/luctl'), 'update', 'ds', '--socket', world.socket, '--json'],
                             stdout=subprocess.PIPE, text=True)
    world.until(lambda: world.peer.withheld)
    n_statements = len(world.peer.statements)
    world.luctl('keys', 'renew', '--keys', world.dir + '/keys')
    world.peer.release()
    job = json.loads(luctl.communicate(timeout=100)[0])
    assert job['state'] == 'committed' and 'renewed' in job['hint'], job
    assert [o.epoch for o in world.peer.orders] == [1]
    world.until(lambda: len(world.peer.statements) > n_statements)


def test_old_machine(world):
    """A machine that speaks none of our versions is told apart from one that is silent."""
    world.peer.versions = (3, 4)
    world.start()
    assert 'version' in world.luctl('machine', 'start', 'm', '--attach', world.peer.path, code=8)


harness.main(globals(), 2)
