#!/usr/bin/env python3
"""Services on several CPUs: under load each crashes, is updated, moved and taken back, in an order that the seed draws."""
import os

import cases
import lab
import test_crash

UPDATABLE = lab.shipped.updatable(lab.SERVICES.split())


def well(world):
    """The load's records, and how often DS has started afresh: on a host that stalls it may have lost them."""
    load = world.wait_load()
    assert load['errors'] == 0, load
    return load['keys'], world.service('ds')['restarts']


def is_kept(before, after):
    return before[0] == after[0] or before[1] != after[1]


def case_cpus(world, rng):
    """The machine found as many as it was to have."""
    with open(os.path.join(world.machine_dir, 'debug.log'), encoding='utf-8', errors='replace') as f:
        assert f' interrupt lines, {lab.CPUS} CPUs\n' in f.read()


def moved(world, *words):
    """A job of one service that is confirmed."""
    answer = world.luctl(*words, as_json=True)
    assert answer.code == 0, (words, answer.code, answer.out, answer.err)
    job = answer.json['jobs'][0] if 'jobs' in answer.json else answer.json
    assert job['state'] == 'confirmed', (words, job)


def round_of(world, name, rng):
    """An update, a new layout and the way back, each by one of the two roads."""
    before = world.check_truth(name)
    roads = rng.sample([('--layout', 'machine'), lab.HOST], k=2)
    moved(world, 'update', name, '--release', before['release_id'][:12], *roads[0])
    moved(world, 'rerandomize', name, *roads[1])
    moved(world, 'rollback', name, '--to', str(before['generation']))
    after = world.check_truth(name)
    assert after['endpoint'] == before['endpoint'] and int(after['generation']) > int(before['generation']), (before, after)


def case_updates(world, rng):
    """Every service that can be updated, with the state of all."""
    before = well(world)
    for name in rng.sample(UPDATABLE, k=len(UPDATABLE)):
        round_of(world, name, rng)
    assert is_kept(before, well(world)), before


def case_types(world, rng):
    """DS to a release whose records are others, and back."""
    start, before = well(world), world.check_truth('ds')
    world.add_release('ds-2')
    for command, is_same in ('update', False), ('rollback', True):
        moved(world, command, 'ds')
        assert (world.check_truth('ds')['release_id'] == before['release_id']) == is_same
        assert is_kept(start, well(world)), start


def case_crash(world, rng):
    """A release that crashes when it has the state gives it back."""
    before = world.check_truth('assist')
    world.add_release('assist-crash')
    answer = world.luctl('update', 'assist', as_json=True)
    assert answer.code == 5 and answer.json['state'] == 'rolled_back', answer.out + answer.err
    after = world.check_truth('assist')
    assert (after['release_id'], after['generation']) == (before['release_id'], before['generation']), (before, after)
    well(world)


def cases_of(args):
    rounds = [(f'updates, round {n}', case_updates) for n in range(1, args.rounds + 1)]
    return [('all CPUs run', case_cpus), ('every service crashes', test_crash.case_storm), *rounds,
            ('another type of records', case_types), ('a crash on the way', case_crash)]


if __name__ == '__main__':
    cases.run(__doc__, cases_of, extra=[('rounds', 1, 'how often each service is updated')], world_type=test_crash.ChaosLab)
