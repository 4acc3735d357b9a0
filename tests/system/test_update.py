#!/usr/bin/env python3
"""Updates as a person makes them: luctl, lud and a machine under load."""
import json
import os

import cases
import lab

# Frames by which the machine breathes while the load goes on.
SLACK = 64
# Two payloads of one kit differ by their pads.
PAD_BYTES = 65536
UPDATABLE = lab.shipped.updatable(lab.SERVICES.split())


def no_errors(world):
    figures = world.wait_load()
    assert figures['errors'] == 0, figures
    return figures


def case_status(world, rng):
    """All services run, and those that cannot be updated say why."""
    status = world.status()
    assert status['machine']['state'] == 'up' and not status['stale'], status['machine']
    for s in status['services']:
        service = s['service']
        assert service['can_update'] == (service['name'] in UPDATABLE), service
        assert service['can_update'] or service['why_not'], service
    text = world.luctl('status', check=True).out
    for name in world.services.split():
        assert name in text
    figures = no_errors(world)
    assert figures['keys'] > 0, figures


def staged(world, job):
    """How many bytes the machine was sent for a job."""
    steps = {s['name']: s for s in world.show(job['service'], job['generation'])['job']['steps']}
    return int(steps['stage']['detail'].split()[0])


def kit_bytes(world, name):
    """What a machine is sent of a kit, once."""
    return sum(os.path.getsize(os.path.join(world.kit(name), part)) for part in ('state', 'flat'))


def case_update(world, rng):
    """DS moves to a release whose record type differs; every record is there and right."""
    keys = world.metrics()['keys']
    before = world.service('ds')
    added = world.add_release('ds-2')
    assert added.code == 0
    answer = world.luctl('update', 'ds', *lab.HOST, check=True, as_json=True).json
    assert answer['state'] == 'confirmed' and answer['result']['objects'] > 0, answer
    after = world.check_truth()
    assert after['endpoint'] == before['endpoint']
    for key in ('release_id', 'build_id', 'base_address'):
        assert after[key] != before[key], key
    assert after['release_id'] == answer['release_id']
    assert after['last_blackout_ns'] == answer['result']['blackout_ns'] > 0, (after, answer['result'])
    assert after['longest_gap_ns'] >= after['last_blackout_ns'], after
    figures = no_errors(world)
    assert figures['keys'] == keys, figures
    world.staged_first = staged(world, answer)


def case_rollback(world, rng):
    """Back to the release before: live, to a new generation, state kept."""
    before = world.service('ds')
    first = world.show('ds', 1)
    answer = world.luctl('rollback', 'ds', *lab.HOST, check=True, as_json=True).json
    assert answer['kind'] == 'rollback' and answer['generation'] > before['generation'], answer
    after = world.check_truth()
    assert after['release_id'] == first['release_id']
    assert after['restarts'] == before['restarts'] and after['endpoint'] == before['endpoint']
    no_errors(world)
    again = world.luctl('rollback', 'ds', '--to', str(before['generation']), *lab.HOST, check=True, as_json=True).json
    assert again['release_id'] == before['release_id'], again
    # The kit, which proves a layout that the host made, was sent with the first one only.
    payload = staged(world, again)
    assert payload > 0 and abs(world.staged_first - payload - kit_bytes(world, 'ds-2')) < PAD_BYTES, payload
    no_errors(world)


def case_rerandomize(world, rng):
    """Everything that can move moves; the rest is listed as skipped."""
    before = {s['service']['name']: s['service'] for s in world.status()['services']}
    jobs = world.luctl('rerandomize', '--all', *lab.HOST, check=True, as_json=True).json['jobs']
    states = {j['service']: j['state'] for j in jobs}
    assert set(states) == set(before), states
    for name, state in states.items():
        assert state == ('confirmed' if name in UPDATABLE else 'skipped'), (name, state)
        after = world.check_truth(name)
        assert (after['base_address'] != before[name]['base_address']) == (name in UPDATABLE), name
        assert after['release_id'] == before[name]['release_id'], name
    text = world.luctl('rerandomize', 'tty', 'vm', check=True)
    assert 'tty: rerandomize confirmed' in text.out and 'vm: skipped: ' in text.out, text.out
    no_errors(world)


def moved(world, road, *words):
    """The job of a command that moves one service, on this road, and its steps by name."""
    job = world.luctl(*words, check=True, as_json=True).json
    job = job['jobs'][0] if 'jobs' in job else job
    assert job['state'] == 'confirmed' and job['layout'] == road, job
    shown = world.show(job['service'], job['generation'])
    return job, shown, {s['name']: s for s in shown['job']['steps']}


def by_machine(world, *words, named=True):
    """The shown generation of a job whose layout the machine made, and how many bytes were staged for it."""
    job, shown, steps = moved(world, 'machine', *words, *(('--layout', 'machine') if named else ()))
    assert not {'seed', 'forge', 'sign'} & set(steps), steps
    assert shown['seed_commit'] == job['result']['commitment'] != '', shown
    assert not shown['base_address'] and not shown['build_id'], shown
    assert shown['seed_sealed'] == shown['sealed'] == job['result']['sealed'] != '', shown
    assert not shown['known_outside'] and world.check_truth(job['service'])['machine_made']
    return shown, staged(world, job)


def by_host(world, *words):
    """The shown generation of a job whose layout the host made."""
    job, shown, steps = moved(world, 'host', *words, *lab.HOST)
    assert {'seed', 'forge', 'sign'} <= set(steps), steps
    assert job['result']['layout_ns'], 'the machine did not make it again'
    assert shown['known_outside'] and shown['base_address'] and shown['seed_sealed'] and shown['envelope'], shown
    now = world.check_truth(job['service'])
    assert not now['machine_made'] and now['base_address'] == shown['base_address'], now
    return shown


def case_both_roads(world, rng):
    """Every service that can be updated moves on both roads, with its state, and by the machine where nobody says."""
    keys = world.metrics()['keys']
    for name in UPDATABLE:
        before = world.service(name)
        shown, _ = by_machine(world, 'rerandomize', name, named=False)
        assert shown['job']['steps'][0]['detail'] == 'layout by the machine: it can make it', shown
        hosted = by_host(world, 'rerandomize', name)
        by_machine(world, 'update', name, '--release', before['release_id'][:12])
        again = by_host(world, 'update', name, '--release', before['release_id'][:12])
        assert again['base_address'] != hosted['base_address'] and again['seed_commit'] != hosted['seed_commit']
        _, sent = by_machine(world, 'rollback', name, '--to', str(hosted['generation']))
        assert sent == 0, name
        after = world.check_truth(name)
        assert after['endpoint'] == before['endpoint'] and after['restarts'] == before['restarts'], after
    assert no_errors(world)['keys'] == keys


def case_machine_made(world, rng):
    """Layouts that the machine makes: state is kept, nothing is staged but a kit once, and none is like another."""
    keys, before = world.metrics()['keys'], world.service('ds')
    world.add_release('ds-2')
    listed = world.luctl('release', 'list', 'ds', check=True, as_json=True).json
    releases = [r['release_id'] for r in listed['releases']]
    world.luctl('update', 'ds', '--release', world.show('ds', 1)['release_id'][:12], *lab.HOST, check=True)
    made = [by_machine(world, 'rerandomize', 'ds') for _ in range(2)]
    assert [n for _, n in made] == [0, 0], made
    assert made[0][0]['seed_commit'] != made[1][0]['seed_commit']
    kept = world.show('ds', made[1][0]['generation'])['effect']
    assert kept['found'] == 'counted' and kept['against'] == made[0][0]['generation'], kept
    assert kept['pieces'] > 100 and not kept['kept_address'] and kept['kept_base'] * 20 < kept['pieces'], kept
    other, = set(releases) - {made[0][0]['release_id']}
    _, first = by_machine(world, 'update', 'ds', '--release', other[:12])
    _, again = by_machine(world, 'rerandomize', 'ds')
    # Its kit is here, if the host has made a layout of it before.
    assert first in (0, kit_bytes(world, 'ds-2')) and again == 0, (first, again)
    back = world.luctl('rollback', 'ds', check=True, as_json=True).json
    assert back['layout'] == 'machine' and back['release_id'] == made[0][0]['release_id'], back
    after = world.check_truth()
    assert after['machine_made'] and after['endpoint'] == before['endpoint'] and not after['made']
    assert no_errors(world)['keys'] == keys
    by_machine(world, 'rerandomize', 'assist')
    assert 'machine' in world.luctl('status', check=True).out
    # Afresh it is in another layout still, of the same generation.
    world.luctl('restart', 'assist', '--keys', world.keys, check=True)
    afresh = world.check_truth('assist')
    assert afresh['machine_made'] and afresh['made'] == 1, afresh
    assert f"{afresh['generation']}.1" in world.luctl('status', check=True).out
    world.luctl('release', 'clear', 'ds', other[:12], check=True)
    world.luctl('update', 'ds', '--release', other[:12], *lab.HOST, check=True)
    assert not world.check_truth()['machine_made']
    by_machine(world, 'rerandomize', 'assist')
    no_errors(world)


def members(world, words, code=0):
    """What a command made of a set's jobs, in the order in which they had the machine."""
    answer = world.luctl(*words, as_json=True)
    assert answer.code == code, (words, answer.code, answer.out, answer.err)
    jobs = [world.luctl('job', 'show', str(j['job']), check=True, as_json=True).json for j in world.luctl(
        'job', 'show', str(answer.json['id']), check=True, as_json=True).json['children']]
    spans = [(min((int(s['started_us']) for s in j['steps'] if s['name'] == 'stage'), default=int(j['ended_us'])),
              int(j['ended_us']), j) for j in jobs]
    spans.sort(key=lambda span: span[0])
    # One is over before the next one is sent.
    assert all(one[1] <= next_one[0] + 1000 for one, next_one in zip(spans, spans[1:])), spans
    return answer.json['state'], [(j['service'], j['kind'], j['state']) for _, _, j in spans]


def releases(world):
    return {name: world.check_truth(name)['release_id'] for name in ('ds', 'assist')}


def case_set(world, rng):
    """Two services as one: if the second crashes on its way the first goes back; else both are confirmed, in the order that
    was asked for, and go back as one."""
    path = os.path.join(world.dir, 'order.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: order\nmatch: {machines: ["*"]}\nupdate: {mode: check, order: [ds, assist]}\n')
    world.luctl('policy', 'apply', path, check=True)
    world.add_release('ds-2')
    world.add_release('assist-crash')
    world.luctl('update', 'ds', '--release', '1', check=True)
    keys, before = no_errors(world)['keys'], releases(world)
    assert members(world, ('update', 'assist', 'ds'), 5) == ('rolled_back', [
        ('ds', 'update', 'confirmed'), ('assist', 'update', 'rolled_back'), ('ds', 'rollback', 'confirmed')])
    assert releases(world) == before and no_errors(world)['keys'] == keys
    # The release that crashed is none to update to, so the newer one is.
    world.add_release('assist-same')
    assert members(world, ('update', 'assist', 'ds')) == ('committed', [
        ('ds', 'update', 'confirmed'), ('assist', 'update', 'confirmed')])
    after = releases(world)
    assert all(after[name] != before[name] for name in before) and no_errors(world)['keys'] == keys
    assert members(world, ('rollback', 'ds', 'assist')) == ('committed', [
        ('assist', 'rollback', 'confirmed'), ('ds', 'rollback', 'confirmed')])
    assert releases(world) == before and no_errors(world)['keys'] == keys
    world.luctl('policy', 'remove', 'order', check=True)


def case_prepare_only(world, rng):
    """A rehearsal says that it could be done and leaves no trace in the machine."""
    before = world.settled()
    free = world.resources()
    answer = world.luctl('update', 'ds', '--prepare-only', check=True, as_json=True).json
    assert answer['kind'] == 'prepare' and answer['state'] == 'prepared', answer
    after = world.check_truth()
    for key in ('generation', 'build_id', 'base_address', 'endpoint', 'last_blackout_ns', 'restarts'):
        assert after[key] == before[key], key
    assert world.show('ds', answer['generation'])['state'] == 'rehearsed'

    def is_as_before():
        # What came before may still have been cleared up when `free` was read: more may be free now.
        now = world.resources()
        return all(now[key] >= free[key] for key in ('slots_free', 'spaces_free')) and \
            now['grants_used'] <= free['grants_used'] and \
            now['frames_free'] + now['stage_used'] // 4096 + SLACK >= free['frames_free'] + free['stage_used'] // 4096
    lab.until('what the rehearsal took to be free again', lab.DEADLINE, is_as_before)
    no_errors(world)


def case_states(world, rng):
    """A quiescent state is asked for by its name."""
    before = world.service('ds')
    for state in ('work-free', 'request-free'):
        assert world.luctl('update', 'ds', '--state', state, *lab.HOST, as_json=True).json['state'] == 'confirmed'
    refused = world.luctl('update', 'ds', '--state', 'no-such-state')
    assert refused.code == 2 and 'no-such-state' in refused.err, refused.err
    late = world.luctl('update', 'ds', '--state', 'unreachable', '--timeout', '10s', *lab.HOST, as_json=True)
    assert late.code == 5 and late.json['cause']['name'] == 'E_TIMEOUT', late.out
    assert late.json['cause']['step'] == 'prepare' and late.json['hint'], late.out
    after = world.check_truth()
    assert after['generation'] > before['generation'] and after['restarts'] == before['restarts']
    no_errors(world)


def case_history(world, rng):
    """Every generation is in the history and can be shown."""
    rows = world.history('ds')
    numbers = [g['generation'] for g in rows]
    assert numbers == sorted(numbers, reverse=True) and len(set(numbers)) == len(numbers), numbers
    assert {g['service'] for g in world.history()} >= set(UPDATABLE)
    assert all(world.history(name) for name in world.services.split())
    shown = world.show('ds', numbers[0])
    steps = [s['name'] for s in shown['job']['steps']]
    assert steps[:3] == ['plan', 'pair', 'seed'] and shown['envelope'] and shown['seed_commit'], shown
    committed = next(g for g in rows if g['state'] == 'running')
    text = world.luctl('show', f'ds:{committed["generation"]}', check=True).out
    for word in ('blackout', 'transferred', 'build id', 'seed commit', 'transfer'):
        assert word in text, text
    undone = next(g for g in rows if g['state'] == 'rolled back')
    assert 'E_TIMEOUT' in world.luctl('show', 'ds', str(undone['generation']), check=True).out


def case_json(world, rng):
    """--json gives JSON and nothing else, for every command."""
    commands = [('status',), ('history',), ('history', 'ds', '--limit', '2'), ('show', 'ds', '1'),
                ('machine', 'list'), ('release', 'list'), ('release', 'list', 'ds'), ('version',),
                ('update', 'tty'), ('rerandomize', 'tty'), ('rollback', 'tty', '--to', '1'),
                ('release', 'add', world.kit('ds'))]
    for command in commands:
        answer = world.luctl(*command, as_json=True)
        assert answer.code == 0 and answer.json is not None, (command, answer.code, answer.err)
    lines = [json.loads(line) for line in world.luctl('log', check=True, as_json=True).out.splitlines()]
    assert any(line['service'] == 'rs' and 'services up' in line['text'] for line in lines), lines
    keys = world.luctl('keys', 'list', '--keys', world.keys, offline=True, check=True, as_json=True).json
    assert {k['role'] for k in keys['keys']} == {'root', 'release', 'variant', 'order', 'control', 'audit'}


def case_exit_codes(world, rng):
    """Each way to fail has its exit code, and says what failed and what to do."""
    for code, command in ((2, ('update',)), (2, ('nonsense',)), (2, ('update', 'ds', '--timeout', 'soon')),
                          (2, ('rerandomize', 'ds', '--all')), (3, ('update', 'nobody')),
                          (3, ('update', 'ds', '--release', 'ffff0000')), (3, ('show', 'ds', '99999')),
                          (3, ('rollback', 'ds', '--to', '99999')), (4, ('machine', 'start')),
                          (4, ('update', 'vm'))):
        answer = world.luctl(*command)
        assert answer.code == code and answer.err.startswith(('luctl: ', 'usage: ')), (command, answer.code, answer.err)
    lost = world.luctl('status', '--socket', world.socket + '.not', offline=True)
    assert lost.code == 8 and 'start lud' in lost.err, lost.err
    keyless = world.luctl('keys', 'list', '--keys', world.dir + '/no-keys', offline=True)
    assert keyless.code == 7, (keyless.code, keyless.err)


CASES = [('status', case_status), ('update under load', case_update), ('rollback', case_rollback),
         ('rerandomize all', case_rerandomize), ('layouts by the machine', case_machine_made),
         ('both roads', case_both_roads),
         ('prepare only', case_prepare_only), ('states by name', case_states),
         ('history and show', case_history), ('json', case_json), ('exit codes', case_exit_codes), ('set', case_set)]

if __name__ == '__main__':
    cases.run(__doc__, CASES)
