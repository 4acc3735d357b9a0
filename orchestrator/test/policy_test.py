#!/usr/bin/env python3
"""What policies decide in lud: which machines they match, how they come into the record and out of it again, and what
they let happen.

Usage: policy_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import shutil

import harness
from harness import refused_call

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'policies')


def marks(world):
    machine, = world.json('machine', 'list')['machines']
    return machine.get('groups', ''), machine.get('labels', '')


def test_marks(world):
    """Groups and labels are set, taken away, kept and shown; one wrong word changes nothing."""
    world.prepare()
    world.luctl('machine', 'group', 'm', 'production', 'eu', '--reason', 'goes live')
    world.luctl('machine', 'label', 'm', 'role=appliance', 'site=a')
    assert 'goes live' in world.log()
    world.luctl('machine', 'label', 'm', 'site=b')
    world.kill()
    world.start()
    assert marks(world) == ('production,eu', 'role=appliance,site=b')
    assert 'production,eu' in world.luctl('machine', 'list') and 'role=appliance' in world.luctl('status')
    told = world.luctl('machine', 'label', 'm', 'x=1', 'role', code=2)
    assert 'not a label' in told and 'KEY=VALUE' in told, told
    assert 'not in this group' in world.luctl('machine', 'group', 'm', '--remove', 'eu', 'us', code=3)
    assert marks(world) == ('production,eu', 'role=appliance,site=b')
    world.luctl('machine', 'label', 'm', '--remove', 'site')
    world.luctl('machine', 'group', 'm', '--remove', 'production', 'eu')
    assert marks(world) == ('', 'role=appliance')


def policy(world, name, text, match='machines: ["*"]'):
    """A file with a policy; its path."""
    path = os.path.join(world.dir, name + '.yaml')
    with open(path, 'w', encoding='ascii') as f:
        f.write('kind: UpdatePolicy\nname: %s\nmatch: {%s}\n%s\n' % (name, match, text))
    return path


def versions(world):
    return [(int(v['version']), v['change'], v.get('reason', '')) for v in
            world.json('policy', 'history')['versions']]


def names(world):
    return sorted(p['name'] for p in world.json('policy', 'show').get('policies', []))


def test_apply(world):
    """Policies come into the record in versions, with who, why and their digest, and count after a restart."""
    world.prepare()
    assert 'no policy' in world.luctl('policy', 'show')
    night = policy(world, 'night', 'windows: {deny: [{start: "*-12-24 00:00", length: 3d}]}')
    told = world.luctl('policy', 'apply', night, '--reason', 'first')
    assert 'version 1: 1 policy' in told, told
    os.mkdir(night + '.d')
    with open(night + '.d/site.yaml', 'w', encoding='ascii') as f:
        f.write('priority: 7\n')
    day = policy(world, 'day', 'rerandomize: {every: 1h}', match='labels: [role=appliance]')
    diff = world.luctl('policy', 'diff', night, day)
    assert diff.splitlines()[:2] == ['policy night', '+ priority: 7'], diff
    assert 'policy day, which does not count yet' in diff and '+ rerandomize.every: 1h' in diff, diff
    world.luctl('policy', 'apply', world.dir, '--reason', 'both', code=1)  # lud.yaml is there, too, and no policy
    world.luctl('policy', 'apply', night, day)
    assert world.luctl('policy', 'diff', night, day) == ''
    world.luctl('policy', 'apply', day)  # counts already
    assert versions(world) == [(2, 'applied night day', ''), (1, 'applied night', 'first')]
    world.kill()
    world.start()
    shown = world.luctl('policy', 'show')
    assert 'version 2: 2 policies' in shown and f'priority: "7" # {night}.d/site.yaml:1' in shown, shown
    # The same version by the same digest; who did it is recorded as it is of a job.
    history = world.json('policy', 'history')['versions']
    assert len({v['digest'] for v in history}) == 2 and history[0]['role'] == 'admin', history
    assert history[0]['identity'].startswith('root (uid 0') or history[0]['uid'], history
    # What counts for a machine, with where it is from.
    assert '# rerandomize: no policy' in world.luctl('policy', 'show', '--effective').splitlines()
    world.luctl('machine', 'label', 'm', 'role=appliance')
    assert '--effective' in world.luctl('policy', 'show', '--service', 'ds', code=2)
    effective = world.luctl('policy', 'show', '--effective', '-m', 'm', '--service', 'ds')
    assert f'  every: "1h" # {day}:4' in effective.splitlines() and 'jitter: "0s" # default' in effective, effective
    assert 'windows.deny of policy night' in effective, effective


def test_bad_policy(world):
    """What has an error anywhere changes nothing: not the policies that count, nor the history."""
    world.prepare()
    good = policy(world, 'good', 'update: {mode: check}')
    world.luctl('policy', 'apply', good)
    bad = policy(world, 'bad', 'priorty: 5')
    told = world.luctl('policy', 'apply', good, bad, code=1)
    assert f'{bad}:4:1: unknown key `priorty`' in told and 'did you mean' in told, told
    # A client that checks nothing: lud does, by itself, and says where and what was expected.
    with open(bad, 'rb') as f:
        sources = [{'files': [{'name': 'x/bad.yaml', 'text': f.read()}]}]
    with world.control() as control:
        answer = refused_call(control, policy_apply={'policies': sources})
        assert 'x/bad.yaml:4:1' in str(answer) and 'did you mean' in str(answer), answer
        refused_call(control, policy_apply={'policies': [{}]})
    # Policies that contradict what counts already.
    other = policy(world, 'other', 'update: {mode: none}')
    told = world.luctl('policy', 'apply', other, code=4)
    assert 'contradicts policy `good`' in told, told
    # More than one answer could have.
    big = policy(world, 'big', 'description: x\n' + '# %s\n' % ('x' * 60000))
    assert '56 KiB' in world.luctl('policy', 'apply', big, code=4)
    assert names(world) == ['good'] and versions(world) == [(1, 'applied good', '')]


def test_policy_rollback(world):
    """Back to a version, as a new one; and policies that are removed."""
    world.prepare()
    first = policy(world, 'a', 'update: {mode: check}')
    world.luctl('policy', 'apply', first)
    policy(world, 'a', 'update: {mode: none}')
    world.luctl('policy', 'apply', first, policy(world, 'b', 'priority: 3'))
    world.luctl('policy', 'rollback', '1', '--reason', 'too early')
    assert names(world) == ['a'] and 'mode: "check"' in world.luctl('policy', 'show')
    world.luctl('policy', 'rollback', '9', code=3)
    assert 'no policy is called b' in world.luctl('policy', 'remove', 'b', code=3)
    world.luctl('policy', 'rollback', '2')
    world.luctl('policy', 'remove', 'a', 'b')
    assert names(world) == []
    assert [v[1:] for v in versions(world)] == [
        ('removed a b', ''), ('back to 2', ''), ('back to 1', 'too early'), ('applied a b', ''), ('applied a', '')]
    digests = [v['digest'] for v in world.json('policy', 'history')['versions']]
    assert digests[2] == digests[4] and digests[1] == digests[3] and len(set(digests)) == 3


def test_idle_keys(world):
    """What lud does not act on is said by name and place, and not said of what it does."""
    world.prepare()
    path = policy(world, 'p', 'update: {mode: check, consent: [{release: abcd, members: ["store.c:keys"]}]}\n'
                  'windows: {deny: [{start: "*-12-24", length: 1h}]}')
    told = world.luctl('policy', 'apply', path, errors=True)
    assert f'{path}:4:' in told and 'lud does not act on update.consent' in told, told
    assert 'match' not in told and 'windows' not in told, told
    other = policy(world, 'q', 'priority: 2\nupdate: {mode: check, sets: [{services: [ds, rs]}],'
                   ' consent: [{release: 12ab, members: [a]}]}')
    told = world.luctl('policy', 'apply', other, errors=True)
    assert 'act on update.consent' in told and 'control key' in told and '--accept-loss' in told, told
    assert 'update.sets' not in told, told
    world.luctl('policy', 'remove', 'q')
    other = policy(world, 'q', 'rerandomize: {every: 1h, triggers: [probing, crash]}')
    told = world.luctl('policy', 'apply', other, errors=True)
    assert 'no machine reports that it is probed; `crash`' in told, told
    world.luctl('policy', 'remove', 'q')
    # What is compared with the generation before has to be reported by somebody.
    world.peer.services['ds']['metrics'] = [{'name': 'per_second', 'value': 7}]
    world.until(lambda: 'per_second' in str(world.json('status')['services']))
    other = policy(world, 'q', 'health: {soak: 1s, healthy: 3s, loads: [{metric: per_second}, {metric: nobody_has_it}]}')
    told = world.luctl('policy', 'apply', other, errors=True)
    assert 'no machine that is up reports the figure `nobody_has_it`' in told and '`per_second`' not in told, told
    world.luctl('policy', 'remove', 'q')
    notes = world.json('policy', 'show')['notes']
    assert [(n['line'], 'update.consent' in n['what']) for n in notes] == [(4, True)], notes


# What of a policy that ships would make a test wait: windows, and the times of soaks and rings. A slow host has time.
SOON = 'windows: {allow: [], deny: []}\nupdate: {limit: 2min}\nhealth: {soak: 1s, healthy: 10min}\n'
RING = 'rollout: {rings: [{name: all, size: 100%, soak: 1s, healthy: 10min, deadline: 1h}]}\n'


def ships(world, name, by_hand=False, soon=SOON):
    """An update under a policy that ships is well on a machine that is: none asks for what no machine has."""
    world.prepare()
    world.luctl('machine', 'group', 'm', 'production')
    world.luctl('machine', 'label', 'm', 'role=appliance', 'exposure=hostile')
    path = os.path.join(world.dir, name + '.yaml')
    shutil.copy(os.path.join(SHIPPED, name + '.yaml'), path)
    os.mkdir(path + '.d')
    with open(path + '.d/test.yaml', 'w', encoding='ascii') as f:
        f.write(soon)
    world.luctl('policy', 'apply', path)
    world.luctl('release', 'add', world.kit('ds', 2))
    if by_hand:
        world.luctl('update', 'ds', '--no-wait')

    def updates():
        return [j for j in world.json('jobs', '--limit', '100')['jobs'] if j['kind'] == 'update']
    world.until(lambda: updates() and all(int(j['ended_us']) for j in updates()))
    job, = updates()
    assert job['state'] == 'confirmed', job
    assert 'nothing is wrong' in world.luctl('db', 'check')


def test_laptop(world):
    """A demo: what is newer is updated to."""
    ships(world, 'laptop')


def test_appliance(world):
    """One machine that must not be down, with windows and gates."""
    ships(world, 'appliance')


def test_fleet(world):
    """Rings."""
    ships(world, 'fleet', soon=SOON + RING)


def test_paranoid(world):
    """A person orders the update of what was staged."""
    ships(world, 'paranoid', by_hand=True)


def test_plan_policies(world):
    """The hash of a plan covers the policies: one that was seen before they changed is not carried out."""
    world.prepare()
    plan = world.json('plan', 'rerandomize', 'ds')['hash']
    assert world.json('plan', 'rerandomize', 'ds')['hash'] == plan
    world.luctl('policy', 'apply', policy(world, 'p', 'priority: 3'))
    assert world.json('plan', 'rerandomize', 'ds')['hash'] != plan
    assert 'not the plan that was meant' in world.luctl('rerandomize', 'ds', '--expect-plan', plan, code=4)


def test_plan_policies_of_others(world):
    """What is said of other machines changes no plan, also of a job that waits; what comes to match by a label does."""
    world.prepare(2)

    def planned():
        return world.json('plan', 'update', 'ds')['hash']

    def other(text, match='machines: [other]'):
        world.luctl('policy', 'apply', policy(world, 'o', text, match))
    world.luctl('policy', 'apply', policy(world, 'p', 'priority: 3', 'machines: [m]'))
    plan = planned()
    other('priority: 1')
    assert planned() == plan
    # A job that waits, and is paired afterwards, is not sent back either.
    world.luctl('hold', 'ds')
    job = world.json('update', 'ds', '--expect-plan', plan, '--detach')['id']
    other('priority: 2')
    world.luctl('unhold', 'ds')
    assert world.settle(job)['state'] == 'JOB_STATE_CONFIRMED'
    plan = world.json('plan', 'rerandomize', 'ds')['hash']
    other('priority: 2', 'labels: [site=north]')
    assert world.json('plan', 'rerandomize', 'ds')['hash'] == plan
    # For a service of the machine, too.
    other('priority: 2', 'machines: [m], services: [ds]')
    assert world.json('plan', 'rerandomize', 'ds')['hash'] != plan


harness.main(globals(), 2)
