#!/usr/bin/env python3
"""Services crash outside an update, the driver and the agent included: each starts afresh behind the same endpoint,
the record has the event, the load goes on, lud finds its way back, and the next update works.

The service chaos (osd/suites/chaos) is part of the machine and lets it happen, while lud is attached.
"""
import collections

import cases
import lab

# How often chaos ends each service; see its script. A host that stalls may add a missed heartbeat.
EXPECTED = {'assist': 6, 'tty': 1, 'virtio_console': 2, 'agent': 2, 'ds': 1}


def figures(world, name):
    try:
        return world.metrics(name)
    except (lab.Failed, ValueError):
        return {}  # no answer while the agent starts again


def case_storm(world, rng):
    """Every service has its misfortune; lud is never told to do anything about it."""
    before = {name: world.service(name)['endpoint'] for name in EXPECTED}
    pid = world.lud.pid
    lab.until('chaos to be over', lab.DEADLINE,
              lambda: figures(world, 'chaos').get('done', 0) == sum(EXPECTED.values()))
    world.settled()
    assert world.lud.poll() is None and world.lud.pid == pid
    for name, times in EXPECTED.items():
        service = world.service(name)
        assert service['restarts'] >= times and service['endpoint'] == before[name], (before[name], service)
        assert service['state'] == 'running' and service['generation'] == 1, service
        # It was booted in a layout of the host's, and runs in one that nobody outside knows.
        now = world.check_truth(name)
        assert now['machine_made'] and now['made'] and now['commitment'] and now['sealed'], now
        assert not next(g for g in world.history(name) if g['state'] == 'running')['known_outside'], name


def case_record(world, rng):
    """Each crash and each fresh start is in the record, with its cause, in order and without a gap."""
    events = world.events()
    numbers = [e['seq'] for e in events]
    assert numbers == sorted(set(numbers)), numbers
    crashed, restarted = collections.Counter(), collections.Counter()
    for event in events:
        change = event.get('change', {})
        if change.get('kind') == 'CHANGE_CRASHED':
            crashed[change['service']] += 1
            assert change['cause']['message'], change
        elif change.get('kind') == 'CHANGE_RESTARTED':
            restarted[change['service']] += 1
    for name, times in EXPECTED.items():
        assert restarted[name] >= times, (name, restarted)
    assert crashed['assist'] >= EXPECTED['assist'], crashed


def case_load(world, rng):
    """The witness goes on, and saw no wrong answer: what DS lost with its state it was told of."""
    load = world.wait_load()
    assert load['errors'] == 0, load


def case_next_update(world, rng):
    """Everything that can be updated still can."""
    for name in ('ds', 'tty', 'agent', 'assist'):
        answer = world.luctl('rerandomize', name, as_json=True)
        assert answer.code == 0 and answer.json['jobs'][0]['state'] == 'committed', answer.out + answer.err
        world.check_truth(name)
    case_load(world, rng)


class ChaosLab(lab.Lab):
    """RS is the test build: the one that ships ends a service only when it is ordered to."""

    def __init__(self, build, **options):
        super().__init__(build, services=lab.SERVICES + ' chaos', **options)

    def kit_source(self, name):
        return super().kit_source('rs_test' if name == 'rs' else name)


CASES = [('every service crashes', case_storm), ('record', case_record), ('load', case_load),
         ('next update', case_next_update)]

if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=ChaosLab)
