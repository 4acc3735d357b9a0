#!/usr/bin/env python3
"""Policies on a real machine under load: what they ask for comes by itself, costs the load nothing, and ends with them."""
import os
import time

import cases
import lab

EVERY = 2   # s between two layouts of a service
TURNS = 120  # s in which some turns come on any host


def apply(world, text):
    """The policy counts, in place of the one before."""
    path = os.path.join(world.dir, 'p.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write(f'kind: UpdatePolicy\nname: p\nmatch: {{machines: ["*"], services: [ds, assist]}}\n{text}\n')
    world.luctl('policy', 'apply', path, check=True)


def remove(world):
    world.luctl('policy', 'remove', 'p', check=True)


def standing(world):
    return world.status().get('standing') or {'state': 'none', 'services': []}


def jobs(world):
    """Jobs that policies asked for."""
    return [j for j in world.luctl('jobs', check=True, as_json=True).json['jobs'] if j.get('way') == 'policy']


def made(world):
    return {name: int(world.service(name)['made']) for name in ('ds', 'assist')}


def until_moved(world, more=2):
    before = made(world)
    lab.until(f'ds and assist to be moved {more} times', TURNS,
              lambda: all(now >= before[name] + more for name, now in made(world).items()))


def well(world):
    assert world.wait_load()['errors'] == 0


def case_hourly(world, rng):
    """The first time is now: a job for each service that it matches, and for no other; then it says when the next comes."""
    before = {name: world.service(name)['generation'] for name in ('ds', 'assist', 'tty')}
    apply(world, 'rerandomize: {every: 1h}')
    lab.until('a job for each service', TURNS, lambda: len(jobs(world)) == 2 and all(int(j['ended_us']) for j in jobs(world)))
    assert {(j['service'], j['kind'], j['state']) for j in jobs(world)} == {
        (name, 'rerandomize', 'confirmed') for name in ('ds', 'assist')}, jobs(world)
    after = {name: world.service(name)['generation'] for name in before}
    assert int(after['ds']) > int(before['ds']) and int(after['assist']) > int(before['assist']), (before, after)
    assert after['tty'] == before['tty'], (before, after)
    well(world)
    item, = world.luctl('next', check=True, as_json=True).json['items']
    assert 3000 < int(item['start_us']) / 1e6 - time.time() <= 3600, item
    world.check_truth()


def case_seconds(world, rng):
    """Every few seconds: the machine has a standing order by the policy, and moves them again and again."""
    count = len(jobs(world))
    apply(world, f'rerandomize: {{every: {EVERY}s, jitter: 500ms, layout: machine}}')
    lab.until('a standing order', TURNS, lambda: standing(world)['state'] == 'running')
    until_moved(world, 3)
    well(world)
    assert len(jobs(world)) == count and world.check_truth()['machine_made']
    assert 'policy p version' in str(standing(world)) + world.luctl('status', check=True).out


def case_lud_dies(world, rng):
    """It goes on without lud, and a lud that comes back neither gives the order again nor takes it away."""
    number = standing(world)['number']
    before = made(world)
    world.lud_kill()
    world.lud_start()
    world.wait_up()
    lab.until('ds to have been moved', TURNS, lambda: made(world)['ds'] > before['ds'])
    assert standing(world)['state'] == 'running' and standing(world)['number'] == number, standing(world)
    well(world)


def case_removed(world, rng):
    """With the policy it ends: nothing moves any more."""
    remove(world)
    lab.until('the order to be withdrawn', TURNS, lambda: standing(world)['state'] != 'running')
    world.settled()  # one that was on its way is over
    before = made(world)
    time.sleep(3 * EVERY)
    assert made(world) == before, (before, made(world))
    well(world)
    world.check_truth()


def case_update(world, rng):
    """A release that is added is updated to, without anybody asking; the history says which policy it was."""
    apply(world, 'update: {mode: apply, limit: 20s}')
    count = len(jobs(world))
    world.add_release('ds-2')
    lab.until('the update', TURNS, lambda: len(jobs(world)) > count and all(int(j['ended_us']) for j in jobs(world)))
    newest = max(jobs(world), key=lambda j: int(j['id']))
    assert newest['kind'] == 'update' and newest['state'] == 'confirmed' and newest['service'] == 'ds', newest
    assert newest['identity'].startswith('policy p version'), newest
    assert 'policy p version' in world.luctl('history', 'ds', check=True).out
    well(world)
    world.check_truth()
    remove(world)


def rollout(world):
    return world.luctl('rollout', 'status', '1', check=True, as_json=True).json['rollouts'][0]


def case_soak(world, rng):
    """A release that does not pass a gate after its update: the machine goes back by itself, the release is blocked and its
    rollout ends, all without anybody. No update of a real machine stands still for so short a time."""
    before = world.check_truth('assist')
    apply(world, 'update: {mode: apply, limit: 20s}\n'
                 'rollout: {rings: [{name: all, size: 100%, soak: 5min, healthy: 10min, deadline: 1h}]}\n'
                 'health: {blackout: 10us}')
    world.add_release('assist-same')
    lab.until('the rollout to end', lab.DEADLINE, lambda: rollout(world)['state'] != 'running')
    over = rollout(world)
    assert over['state'] == 'aborted' and '1 failed, and 0 may' in over['why'], over
    lab.until('its jobs to end', TURNS, lambda: all(int(j['ended_us']) for j in jobs(world)))
    update = max((j for j in jobs(world) if j['service'] == 'assist' and j['kind'] == 'update'), key=lambda j: int(j['id']))
    assert update['state'] == 'rolled_back' and update['cause']['step'] == 'soak', update
    assert 'stood still for' in update['cause']['message'], update
    after = world.check_truth('assist')
    assert after['release_id'] == before['release_id'] and int(after['generation']) > int(before['generation']), after
    refused = world.luctl('update', 'assist')
    assert refused.code == 4 and 'blocked' in refused.err, refused.err
    assert 'was aborted' in str(world.status()['overview']['amiss']), world.status()['overview']
    well(world)
    remove(world)


def job(world, number):
    return world.luctl('job', 'show', str(number), check=True, as_json=True).json


def case_crash_soaking(world, rng):
    """What a person updated is watched, too: it crashes after its commit, in the middle of its work, and the machine goes back
    to the release before by itself and blocks the one that crashed."""
    before = world.check_truth('assist')
    apply(world, 'health: {soak: 1min, healthy: 10min}')  # a look every six seconds
    world.add_release('assist-late')
    number = world.luctl('update', 'assist', '--detach', check=True, as_json=True).json['id']
    # On a host that stalls it may have missed its heartbeats already, and is no better for that.
    lab.until('the soak to be looked at', lab.DEADLINE,
              lambda: 'well so far' in job(world, number)['waits_for'] or int(job(world, number)['ended_us']))

    def has_crashed():
        return world.service('assist')['restarts'] > before['restarts'] or not world.luctl('rerandomize', 'assist')
    lab.until('assist to crash', lab.DEADLINE, has_crashed)
    lab.until('the update to have gone back', lab.DEADLINE, lambda: int(job(world, number)['ended_us']))
    over = job(world, number)
    assert over['state'] == 'rolled_back' and over['cause']['step'] == 'soak', over
    assert over['release_id'] != before['release_id'] and 'started afresh' in over['cause']['message'], over
    after = world.check_truth('assist')
    assert after['release_id'] == before['release_id'] and after['restarts'] > before['restarts'], (before, after)
    back, = (j for j in world.luctl('jobs', check=True, as_json=True).json['jobs'] if int(j['parent']) == int(number))
    assert back['kind'] == 'rollback' and back['state'] == 'confirmed' and back['way'] == 'lud', back
    assert back['identity'].startswith('policy p version') and 'started afresh' in back['reason'], back
    refused = world.luctl('update', 'assist')
    assert refused.code == 4 and 'blocked' in refused.err, refused.err
    well(world)
    remove(world)


CASES = [('every hour', case_hourly), ('every few seconds', case_seconds), ('lud dies', case_lud_dies),
         ('removed', case_removed), ('update', case_update), ('soak', case_soak),
         ('crash while it soaks', case_crash_soaking)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
