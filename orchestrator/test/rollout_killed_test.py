#!/usr/bin/env python3
"""lud is killed on both sides of each write of a rollout: what was decided counts once, and what follows from it follows.

Usage: rollout_killed_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import harness
from fleet import add, dies, fleet, history, rollout, state


def test_killed(world):
    """Each ring begins once, and each machine is updated once."""
    with fleet(world, 'then: next'):
        state(world, 'done')
        for number, death in enumerate(('started.did', 'started.end', 'next ring.did', 'next ring.end', 'done.did',
                                        'done.end'), 2):
            ran = {name: len(machine.runs) for name, machine in world.peers.items()}
            dies(world, death, lambda: add(world))
            state(world, 'done', number)
            assert history(world, number) == ['started', 'next ring', 'done'], death
            assert {name: len(machine.runs) - 1 for name, machine in world.peers.items()} == ran, death


def crash_in_soak(world, number):
    """A new release, of which the machine of the first ring crashes in its soak."""
    add(world)
    world.until(lambda: 'soaking' in [m['state'] for m in rollout(world, number)['members']])
    name, = [m['machine'] for m in rollout(world, number)['members'] if m['state'] == 'soaking']
    world.peers[name].crash('ds')


def test_abort_killed(world):
    """What waits ends after an abort, and the release is tried again when a person says so."""
    with fleet(world, 'then: next, error_budget: 0', soak='10s'):
        state(world, 'done')
        for number, death in enumerate(('aborted.did', 'aborted.end'), 2):
            dies(world, death, lambda n=number: crash_in_soak(world, n))
            state(world, 'aborted', number)
            assert history(world, number) == ['started', 'aborted'], death
            world.until(lambda: all(int(j['ended_us']) for j in world.json('jobs')['jobs']))
            states = [m['state'] for m in rollout(world, number)['members']]
            assert sorted(states) == ['failed', 'waiting', 'waiting'], states
            world.luctl('rollout', 'resume', str(number))
            world.luctl('release', 'clear', 'ds', str(number + 1))
            for name in world.peers:
                world.luctl('update', 'ds', '-m', name, '--detach')
            state(world, 'done', number)


def test_approval_killed(world):
    """An approval that was recorded counts; one that was not is given again."""
    with fleet(world, 'then: pause, approvals: 1'):
        for number, death in enumerate(('', 'paused.did', 'paused.end', 'approved.did', 'approved.end'), 1):
            if death.startswith('paused'):
                dies(world, death, lambda: add(world))
            elif death:
                add(world)
            state(world, 'paused', number)
            if death.startswith('approved'):
                dies(world, death, lambda n=str(number): world.luctl('rollout', 'approve', n, code=None))
            if death != 'approved.end':
                world.luctl('rollout', 'approve', str(number))
            state(world, 'done', number)
            assert history(world, number) == ['started', 'paused', 'approved', 'next ring', 'done'], death


harness.main(globals(), 3)
