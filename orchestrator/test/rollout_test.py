#!/usr/bin/env python3
"""Rollouts: rings, pauses, approvals, error budgets, over a few machines.

Usage: rollout_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import harness
import sets
from fleet import NUMBERS, RINGS, add, amiss, fleet, rollout, run, state, told, write
from harness import record


def test_rings(world):
    """Machines of the second ring wait until the first has soaked; kill -9 changes nothing."""
    with fleet(world, 'then: next'):
        world.until(lambda: len(run(world)) == 1)
        first, = run(world)
        assert [m['machine'] for m in rollout(world)['members'] if not int(m.get('ring', 0))] == [first]
        other = next(name for name in world.peers if name != first)
        job = next(j for j in world.json('jobs', '-m', other)['jobs'])
        assert 'ring all of rollout 1' in world.luctl('explain', str(job['id']))
        world.kill()
        world.start()
        done = state(world, 'done')
        assert len(run(world)) == 3 and {m['state'] for m in done['members']} == {'well'}, done
        assert [c['what'] for c in done['changes']] == ['started', 'next ring', 'done'], done
        assert 'ring 2 of 2: done' in world.luctl('rollout', 'status')


def test_before(world):
    """What became of a release before its rollout is not held against it; a machine that runs it is well."""
    def tried():
        world.peer.faults['roll_back'] = 1
        world.luctl('update', 'ds', code=5)
        world.luctl('release', 'clear', 'ds', '2')
    with fleet(world, 'then: next', before=tried):
        done = state(world, 'done')
        assert {m['state'] for m in done['members']} == {'well'}, done
        write(world, "UPDATE rollouts SET policy = 'other'", 'DELETE FROM rollout_members WHERE machine = 1')
        world.luctl('update', 'ds', '-m', 'm', '--detach')
        again = world.json('rollout', 'status', '2')['rollouts'][0]
        assert [m['state'] for m in again['members'] if m['machine'] != 'm'] == ['well', 'well'], again


def test_pause(world):
    """At the end of a ring a person lets it go on; a pause stops it, a promotion lets all go."""
    with fleet(world, 'then: pause'):
        state(world, 'paused')
        assert len(run(world)) == 1 and 'is done' in rollout(world)['why']
        (level, text), = amiss(world)
        assert level == 'soon' and 'waits for a person (ring first is done' in text, (level, text)
        assert '--reason' in world.luctl('rollout', 'promote', '1', code=2)
        world.luctl('rollout', 'promote', '1', '--reason', 'now')
        done = state(world, 'done')
        assert len(run(world)) == 3 and done['changes'][-2]['what'] == 'promoted', done
        assert told(world, 'done') == ['started', 'paused', 'promoted', 'done'] and not amiss(world)
        world.luctl('rollout', 'pause', '1', code=4)


def test_approvals(world):
    """A ring that asks for approval is not resumed without; with it, it goes on by itself."""
    with fleet(world, 'then: pause, approvals: 1'):
        state(world, 'paused')
        assert 'approvals' in world.luctl('rollout', 'resume', '1', code=4)
        world.luctl('rollout', 'abort', '1', '--reason', 'no')

        def decided():
            # What its machines are at is looked up, and no decision.
            return {key: value for key, value in rollout(world).items() if key != 'members'}
        before = decided()
        assert 'approvals' in world.luctl('rollout', 'approve', '1', code=4) + world.luctl('rollout', 'resume', '1', code=4)
        assert decided() == before and len(run(world)) == 1, (decided(), before, run(world))


def test_denied(world):
    """A job that waits for its rollout is denied; one that goes, and one that is not there, is not."""
    with fleet(world, 'then: pause, approvals: 1', soak='50s'):
        world.until(lambda: 'soaking' in [m['state'] for m in rollout(world)['members']])
        first, = run(world)
        jobs = {name: str(world.json('jobs', '-m', name)['jobs'][0]['id']) for name in world.peers}
        waits = next(job for name, job in jobs.items() if name != first)
        assert 'does not wait for a rollout' in world.luctl('job', 'deny', jobs[first], code=4)
        assert world.json('job', 'deny', waits, '--reason', 'not there')['state'] == 'cancelled'
        assert 'no open job' in world.luctl('job', 'deny', waits, code=3)
        job = world.json('job', 'show', waits)
        assert 'denial of' in str(job) and 'not there' in str(job), job
        assert world.json('job', 'show', jobs[first])['state'] == 'soaking'


def test_approved(world):
    """An approval lets it go on by itself; but not where a person has paused it."""
    with fleet(world, 'then: pause, approvals: 1'):
        state(world, 'paused')
        world.luctl('rollout', 'pause', '1', '--reason', 'wait')
        job = next(j for j in world.json('jobs')['jobs'])
        world.luctl('job', 'approve', str(job['id']), '--reason', 'it is fine')
        world.luctl('rollout', 'status')
        assert rollout(world)['why'].endswith('wait') and len(run(world)) == 1
        world.luctl('rollout', 'resume', '1')
        done = state(world, 'done')
        assert any(c['what'] == 'approved' and c['reason'] == 'it is fine' for c in done['changes']), done


def test_approved_early(world):
    """What is approved before its ring is done is not asked again."""
    with fleet(world, 'then: pause, approvals: 1', soak='10s'):
        world.until(lambda: 'soaking' in [m['state'] for m in rollout(world)['members']])
        world.luctl('rollout', 'approve', '1')
        done = state(world, 'done')
        assert [c['what'] for c in done['changes']] == ['started', 'approved', 'next ring', 'done'], done


def test_budget(world):
    """More failures than the budget lets pass abort it: what waits ends, and the machine goes back."""
    with fleet(world, 'then: next, error_budget: 0', soak='50s'):
        world.until(lambda: 'soaking' in [m['state'] for m in rollout(world)['members']])
        first, = run(world)
        world.peers[first].crash('ds')
        aborted = state(world, 'aborted')
        # No name: whoever may see one member reads it. Members say themselves that they failed.
        assert aborted['why'] == '1 failed, and 0 may', aborted
        assert not any(first in c.get('why', '') for c in aborted['changes']), aborted
        assert [m['machine'] for m in aborted['members'] if m['state'] == 'failed'] == [first], aborted
        (level, text), = amiss(world)
        assert level == 'wrong' and 'was aborted (1 failed' in text and told(world, 'aborted'), (level, text)
        world.until(lambda: not world.json('jobs').get('open') and len(run(world)) == 1)
        jobs = [j for name in world.peers for j in world.json('jobs', '-m', name)['jobs']]
        assert sorted(j['state'] for j in jobs if j['kind'] == 'update')[:2] == ['cancelled', 'cancelled'], jobs
        assert 'was aborted' in world.luctl(
            'update', 'ds', '--release', world.release_id(world.kits[1]).hex(), code=4)
        # Whoever resumes it has all of them tried again.
        world.luctl('release', 'clear', 'ds', '2')
        world.luctl('rollout', 'resume', '1')
        assert not {'left out', 'failed'} & {m['state'] for m in rollout(world)['members']}, rollout(world)


def test_newer(world):
    """A newer release takes the place of one that is on its way, whose rollout ends; the other way round it does not."""
    with fleet(world, 'then: pause'):
        state(world, 'paused')
        world.luctl('update', 'ds', '--release', '1', '-m', 'm', '--detach')
        assert rollout(world, 2)['counter'] == 1 and rollout(world)['state'] == 'paused'
        add(world)
        assert 'rollout 3 of a newer release' in state(world, 'aborted')['why']
        state(world, 'aborted', 2)
        state(world, 'paused', 3)
        assert [text for level, text in amiss(world)] == ['waits for a person (ring first is done, and a person lets it go on)']
        world.luctl('rollout', 'promote', '3', '--reason', 'now')
        state(world, 'done', 3)


def test_within_budget(world):
    """A release that is blocked by a failure that its ring may have goes on; a person who blocks it stops it."""
    with fleet(world, 'then: next, error_budget: 1', soak='10s', size=2):
        def soaking():
            return [m['machine'] for m in rollout(world)['members'] if m['state'] == 'soaking']
        world.until(soaking)
        world.peers[soaking()[0]].crash('ds')
        done = state(world, 'done')
        assert sorted(m['state'] for m in done['members']) == ['failed', 'well', 'well'], done
        assert 'rolled back for policy p' in world.luctl('release', 'list')


def test_within_budget_later(world):
    """A machine that is asked for after such a failure is updated, too; the one that failed is not tried again."""
    with fleet(world, 'then: next, error_budget: 1', size=3, before=lambda: world.luctl('hold', '--all')):
        world.luctl('hold', '-m', 'm')
        world.peers['m1'].faults['roll_back'] = 1
        world.luctl('unhold', '--all')

        def states():
            return {m['machine']: m['state'] for m in rollout(world)['members']}
        world.until(lambda: states() == {'m': 'waiting', 'm1': 'failed', 'm2': 'well'})

        def blocked():
            return [int(r['counter']) for r in world.json('release', 'list')['releases'] if r.get('blocked_why')]
        assert blocked() == [2] and not world.peer.runs, (blocked(), world.peer.runs)
        assert 'is blocked' in world.luctl('update', 'ds', '-m', 'm1', code=4)
        world.luctl('unhold', '-m', 'm')
        state(world, 'done')
        assert states() == {'m': 'well', 'm1': 'failed', 'm2': 'well'} and len(world.peers['m1'].runs) == 1, states()
        assert blocked() == [2]


def test_left_out(world):
    """A machine whose job somebody has ended holds nobody up; where nobody of a ring has tried it, a person is asked."""
    with fleet(world, 'then: next', before=lambda: world.luctl('hold', '--all')):
        for name in world.peers:
            world.luctl('update', 'ds', '-m', name, '--detach')
        first, = [m['machine'] for m in rollout(world)['members'] if not int(m.get('ring', 0))]
        other = next(name for name in world.peers if name != first)
        for name in (other, first):
            world.luctl('job', 'cancel', str(world.json('jobs', '-m', name)['jobs'][0]['id']))
        paused = state(world, 'paused')
        assert sorted(m['state'] for m in paused['members']) == ['left out', 'left out', 'waiting'], paused
        assert 'no machine of ring first has tried it' in paused['why'], paused
        world.luctl('rollout', 'resume', '1')
        world.luctl('unhold', '--all')
        done = state(world, 'done')
        # The policy may have asked for them anew since.
        assert {m['state'] for m in done['members']} <= {'left out', 'well'}, done


def of_set(world, wanted):
    """What m is at in the rollouts of ds, which is of a set with agent, is in the end one of these; and why that is paused."""
    def found():
        return [r for r in world.json('rollout', 'status').get('rollouts', []) if r['service'] == 'ds' and
                rollout(world, r['id'])['members'][0]['state'] in ('left out', 'not known', 'failed', 'well')]
    world.until(found)
    row = rollout(world, found()[0]['id'])
    assert [m['state'] for m in row['members']] == [wanted], row
    return row


def set_begins(world):
    """A policy's set of two services, each in a rollout of two rings."""
    sets.prepare(world)
    rings = RINGS.replace('mode: apply', 'mode: apply, sets: [{services: [ds, agent]}]')
    sets.policy(world, rings % (1, '1s', 'then: next'))
    world.until(lambda: record(world, 'SELECT count(*) FROM jobs WHERE kind = 9') == (1,))
    return sets.the_set(world)['id']


def test_set_fell(world):
    """Where another service of its set failed nothing is known of a release: the rollout neither goes on nor blames anybody."""
    world.peer.faults['roll_back_agent_1'] = 1
    done = world.settle(set_begins(world))
    assert sets.states(done) == [('agent', 'update', 'rolled_back'), ('ds', 'update', 'cancelled')], done
    row = of_set(world, 'not known')
    assert row['state'] != 'done' and 'ended their jobs' not in row.get('why', ''), row


def test_set_ended(world):
    """Where somebody ended the set the machine is left out, as where they ended the job."""
    world.peer.faults['hold_result_agent'] = 1
    job = set_begins(world)
    world.until(lambda: world.peer.withheld)
    with world.control() as control:
        control.send(job_cancel={'job': job})
        world.until(lambda: sets.states(sets.shown(world, job))[1] == ('ds', 'update', 'cancelled'))
    world.peer.release()
    done = world.settle(job)
    assert done['state'] == 'JOB_STATE_CANCELLED' and sets.states(done)[1] == ('ds', 'update', 'cancelled'), done
    of_set(world, 'left out')


def test_blocked(world):
    """A release that a person blocks goes no further, and goes on when it was cleared and the rollout resumed."""
    with fleet(world, 'then: next', soak='10s'):
        world.until(lambda: 'soaking' in [m['state'] for m in rollout(world)['members']])
        world.luctl('release', 'block', 'ds', '2', '--reason', 'too slow')
        paused = state(world, 'paused')
        assert 'release 2 is blocked: by ' in paused['why'] and 'too slow' in paused['why'], paused
        other = next(name for name in world.peers if name not in run(world))
        assert 'the newest, is blocked' in world.luctl('update', 'ds', '-m', other, code=4)
        for what in ('resume', 'promote'):
            assert 'release clear' in world.luctl('rollout', what, '1', '--reason', 'x', code=4)
        assert len(run(world)) == 1 and rollout(world)['state'] == 'paused'
        world.luctl('release', 'clear', 'ds', '2')
        world.luctl('rollout', 'resume', '1')
        state(world, 'done')


def test_many(world):
    """However many rollouts wait for people, others go on; of a long history the newest is shown."""
    with fleet(world, 'then: pause'):
        state(world, 'paused')
        write(world, "INSERT INTO rollouts(id, policy, service, release, state, ring, ring_us, state_us, why, created_us,"
              " is_open) SELECT id + 100, policy, service, release, state, ring, ring_us, state_us, why, created_us, is_open"
              " FROM rollouts",
              NUMBERS % 70 + "INSERT INTO rollouts(id, policy, service, release, state, ring, ring_us, state_us, why,"
              " created_us, is_open) SELECT i + 1, policy || i, service, release, state, ring, ring_us, state_us, why,"
              " created_us, is_open FROM rollouts, n WHERE rollouts.id = 1",
              "UPDATE rollout_rings SET rollout = 101", "UPDATE rollout_members SET rollout = 101",
              "UPDATE rollout_changes SET rollout = 101",
              NUMBERS % 300 + "INSERT INTO rollout_changes(rollout, ring, what, at_us, identity, way, role, uid, reason)"
              " SELECT 101, 0, 3, 1, 'n' || i, 1, 0, 0, '' FROM n")
        world.luctl('rollout', 'promote', '101', '--reason', 'now')
        world.until(lambda: world.json('rollout', 'status', '101')['rollouts'][0]['state'] == 'done')
        changes = world.json('rollout', 'status', '101')['rollouts'][0]['changes']
        assert len(changes) == 256 and [c['what'] for c in changes[-2:]] == ['promoted', 'done'], changes
        assert changes[-3]['identity'] == 'n300' and len(run(world)) == 3


harness.main(globals(), 2)
