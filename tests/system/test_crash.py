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


def crashes(world, *args):
    """As people ask for them, newest first."""
    return world.luctl('crashes', *args, as_json=True, check=True).json['crashes']


def restarts(world):
    """The service of each fresh start that the record has."""
    restarted = 3  # of machine.ServiceChangeKind
    return [name for name, in world.record('SELECT service FROM changes WHERE kind = ?', restarted)]


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
    """Each crash and each fresh start is in the record, with its cause, in order; and people can read it."""
    for table in ('events', 'changes'):
        numbers = [seq for seq, in world.record(f'SELECT seq FROM {table} ORDER BY id')]
        assert numbers == sorted(set(numbers)), (table, numbers)
    restarted = collections.Counter(restarts(world))
    told = crashes(world, '--limit', '1000')
    assert all(c['message'] and c['generation'] == 1 and not c['gave_up'] for c in told), told
    assert [c['id'] for c in told] == sorted((c['id'] for c in told), reverse=True), told
    for name, times in EXPECTED.items():
        assert restarted[name] >= times, (name, restarted)
    crashed = [c for c in told if c['service'] == 'assist']
    assert len(crashed) >= EXPECTED['assist'] and all(0 < c['back_ns'] < 60e9 for c in crashed), crashed
    assert crashes(world, 'assist') == crashed[:20]


def case_load(world, rng):
    """The witness goes on, and saw no wrong answer: what DS lost with its state it was told of."""
    load = world.wait_load()
    assert load['errors'] == 0, load


def state(world, name):
    try:
        return world.service(name)['state']
    except lab.Failed:
        return ''


def case_given_up(world, rng):
    """A service that crashes too often stays down; what is asked of it names the remedy, which works as it stands, and
    the record has what runs then."""
    world.luctl('rerandomize', 'tty', *lab.HOST, check=True)
    before = world.check_truth('tty')
    assert not before['machine_made'], before
    world.luctl('restart', 'chaos', '--keys', world.keys, check=True)
    # Until it has seen that tty is down, chaos would end what the restart below starts.
    lab.until('tty to be given up', lab.DEADLINE, lambda: state(world, 'tty') == 'down' and
              figures(world, 'chaos').get('done', 0) > sum(EXPECTED.values()))
    for command in (('rollback', 'tty'), ('rerandomize', 'tty'), ('update', 'tty')):
        refused = world.luctl(*command)
        assert refused.code == 4 and 'tty is down' in refused.err, (command, refused.code, refused.err)
        assert '`luctl restart tty`' in refused.err, refused.err
    assert crashes(world, 'tty')[0]['gave_up']
    seen = restarts(world).count('tty')
    world.luctl('restart', 'tty', '--keys', world.keys, check=True)
    lab.until('tty to be told of as started', lab.DEADLINE, lambda: restarts(world).count('tty') > seen)

    def is_known():
        row = next(g for g in world.history('tty') if g['state'] == 'running')
        return row['made'] and not row['known_outside']
    lab.until('the record to have the new layout', 5, is_known)
    after = world.check_truth('tty')
    assert after['generation'] == before['generation'] and after['restarts'] > before['restarts'], after
    world.luctl('rollback', 'tty', '--to', '1', check=True)
    world.check_truth('tty')


def case_next_update(world, rng):
    """Everything that can be updated still can."""
    for name in ('ds', 'tty', 'agent', 'assist'):
        answer = world.luctl('rerandomize', name, as_json=True)
        assert answer.code == 0 and answer.json['jobs'][0]['state'] == 'confirmed', answer.out + answer.err
        world.check_truth(name)
    case_load(world, rng)


class ChaosLab(lab.Lab):
    """RS is the test build: the one that ships ends a service only when it is ordered to."""

    def __init__(self, build, **options):
        super().__init__(build, services=lab.SERVICES + ' chaos', **options)

    def kit_source(self, name):
        return super().kit_source('rs_test' if name == 'rs' else name)


CASES = [('every service crashes', case_storm), ('record', case_record), ('load', case_load), ('a service is given up', case_given_up),
         ('next update', case_next_update)]

if __name__ == '__main__':
    cases.run(__doc__, CASES, world_type=ChaosLab)
