#!/usr/bin/env python3
"""Requests that come again with their id: each is carried out once and answered as often as it comes, also by a lud that
was killed between what it did and its answer.

Usage: again_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib

import harness
from fleet import fleet, rollout, state
from harness import record, refused, refused_call, rows, wire

# What requests change in the record. States of jobs move by themselves.
CHANGES = [
    'SELECT count(*), max(id) FROM policy_versions',
    'SELECT id, ended_us > 0 FROM holds ORDER BY id',
    "SELECT id, blocked_us, path = '' FROM releases ORDER BY id",
    'SELECT service, given FROM numbers ORDER BY id',
    'SELECT name, removed_us, is_default, groups, labels, wanted FROM machines ORDER BY id',
    'SELECT id, cancel, by_hand FROM jobs ORDER BY id',
    'SELECT count(*) FROM rollout_changes',
    'SELECT every_ms, created_us FROM standings',
]
POLICY = 'kind: UpdatePolicy\nname: %s\nmatch: {machines: ["*"]}\n'


def changes(world):
    return [rows(world, query) for query in CHANGES]


def gist(answer):
    """What an answer says that does not change by itself."""
    if 'jobs' in answer:
        return [job['id'] for job in answer['jobs'] if 'id' in job]
    if 'machines' in answer:
        return [(machine['name'], machine.get('groups'), machine.get('is_default')) for machine in answer['machines']]
    return answer.get('id', answer)


def twice(world, name, killed=False, **request):
    """Has it carried out under an id, perhaps by a lud that is killed before it answers; what it answers when asked again. It
    changed something once."""
    before = changes(world)
    if killed:
        harness.die(world, 'answer.did', request_id=name, **request)
        world.start()
        world.until(lambda: world.json('status', '-m', 'm')['machine']['state'] == 'up')
    else:
        with world.control() as control:
            first = control.call(request_id=name, **request)
    after = changes(world)
    assert after != before, (name, after)
    with world.control() as control:
        again = control.call(request_id=name, **request)
        assert gist(again) == gist(control.call(**{'request_id': name, 'reason': 'another', **request})), again
        assert refused_call(control, request_id=name, machine_add={'machine': 'other'})['cause']['name'] == 'request-id'
    assert changes(world) == after, (name, after, changes(world))
    assert killed or gist(again) == gist(first), (name, first, again)
    return again


def policies(world, killed):
    """Policies, and what is held."""
    def policy(name):
        return {'policies': [{'files': [{'name': name, 'text': (POLICY % name).encode()}]}]}
    ask = lambda name, **request: twice(world, name, killed, **request)
    assert ask('apply', policy_apply=policy('p'))['version']['version'] == 1
    assert ask('apply.2', policy_apply=policy('q'))['version']['n_policies'] == 2
    assert ask('remove', policy_remove={'names': ['p']})['version']['n_policies'] == 1
    assert ask('back', policy_rollback={'version': 2})['version']['version'] == 4
    assert ask('hold', hold={'all': True})['holds']
    assert not ask('unhold', unhold={'all': True}).get('holds')


def releases(world, killed):
    """Releases and their numbers."""
    ask = lambda name, **request: twice(world, name, killed, **request)
    one = {'service': 'ds', 'release': '2'}
    first = ask('number', release_number={'service': 'ds'})['number']
    assert ask('number.2', release_number={'service': 'ds'})['number'] == first + 1
    ask('block', release_block=one)
    ask('clear', release_clear=one)
    ask('remove', release_remove=one)
    assert ask('add', release_add={'kit': world.kits[1]})['releases'][0]['counter'] == 2


def machines(world, killed):
    """Machines: made known, marked, the one that is meant, what they move by themselves, taken off the list."""
    ask = lambda name, **request: twice(world, name, killed, **request)
    ask('add', machine_add={'machine': 'spare'})
    ask('default', machine_default={'machine': 'spare'})
    ask('group', machine_group={'machine': 'spare', 'words': ['a', 'b']})
    ask('label', machine_label={'machine': 'spare', 'words': ['k=v']})
    ask('unlabel', machine_label={'machine': 'spare', 'words': ['k'], 'remove': True})
    ask('gone', machine_remove={'machine': 'spare'})


def jobs(world, killed):
    """Jobs are made once, and put off, let go on and ended once."""
    ask = lambda name, **request: twice(world, name, killed, **request)
    world.luctl('hold', 'ds', '-m', 'm')
    job = ask('update', update={'service': 'ds', 'detach': True})['id']
    ask('hold', job_hold={'job': job})
    ask('release', job_release={'job': job})
    assert ask('cancel', job_cancel={'job': job})['state'] == 'JOB_STATE_CANCELLED'
    world.luctl('unhold', 'ds', '-m', 'm')
    ask('rerandomize', rerandomize={'services': ['ds']})
    assert ask('both', rerandomize={'all': True})['jobs']


PARTS = {'policies': policies, 'releases': releases, 'machines': machines, 'jobs': jobs}


def part(world, name, killed):
    world.prepare(2)
    PARTS[name](world, killed)


def test_policies(world):
    part(world, 'policies', False)


def test_policies_killed(world):
    part(world, 'policies', True)


def test_releases(world):
    part(world, 'releases', False)


def test_releases_killed(world):
    part(world, 'releases', True)


def test_machines(world):
    part(world, 'machines', False)


def test_machines_killed(world):
    part(world, 'machines', True)


def test_jobs(world):
    part(world, 'jobs', False)


def test_jobs_killed(world):
    part(world, 'jobs', True)


@contextlib.contextmanager
def waiting(world):
    """A rollout that is paused at the end of its first ring; one of the jobs that wait for it."""
    with fleet(world, 'then: pause, approvals: 2'):
        state(world, 'paused')
        waits = [job['id'] for name in world.peers for job in world.json('jobs', '-m', name)['jobs'] if job['state'] == 'held']
        yield waits[0]


def rollouts(world, killed):
    """Decisions about a rollout."""
    with waiting(world) as job:
        # One of two persons: nothing goes on by itself.
        approved = twice(world, 'approve', killed, job_approve={'job': job})
        assert [c['what'] for c in approved['rollouts'][0]['changes']].count('approved') == 1, approved
        denied = twice(world, 'deny', killed, job_deny={'job': job})
        assert denied['state'] == 'JOB_STATE_CANCELLED', denied
        twice(world, 'abort', killed, rollout_change={'rollout': 1, 'what': 'aborted'}, reason='no')


def test_rollouts(world):
    rollouts(world, False)


def test_rollouts_killed(world):
    rollouts(world, True)


def stands_still(world, job, name, is_done):
    """Asked while no job can be written, and again when it can."""
    request = {'request_id': name, name: {'job': job}}
    with world.control() as control, refused(world, 'UPDATE ON jobs'):
        # The second time it stands still, or was taken up again.
        assert [refused_call(control, **request)['cause']['name'] for _ in range(2)] == ['stalled'] * 2, name
        assert not is_done(), name

    def done():
        with world.control() as control:
            try:
                control.call(**request)
            except wire.Refused as error:
                assert error.error['cause']['name'] == 'stalled', error
                return False
            return True
    world.until(done)
    assert is_done() and done(), name


def test_stalled(world):
    """What could not be written was not done: whoever asks again has it done then, once."""
    world.prepare()
    world.luctl('hold', 'ds')
    job = world.json('update', 'ds', '--no-wait')['id']

    def has(what):
        return bool(record(world, 'SELECT %s FROM jobs WHERE id = %d' % (what, job))[0])
    stands_still(world, job, 'job_hold', lambda: has('by_hand'))
    stands_still(world, job, 'job_release', lambda: not has('by_hand'))
    stands_still(world, job, 'job_cancel', lambda: has("cancel <> ''"))


def test_refused(world):
    """A refusal is not kept, since nothing was done; that something was so already is, whatever becomes of it."""
    world.prepare()
    name = {'machine': 'spare'}
    with world.control() as control:
        assert refused_call(control, request_id='gone', machine_remove=name)['class'] == 'ERROR_NOT_FOUND'
        control.call(request_id='add', machine_add=name)
        control.call(request_id='there', machine_add=name)
        control.call(request_id='gone', machine_remove=name)
        for asked in ('add', 'there'):
            told = control.call(request_id=asked, machine_add=name)
            assert [m['name'] for m in told['machines']] == ['m'], (asked, told)
        control.call(request_id='anew', machine_add=name)
        assert len(control.call(request_id='gone', machine_remove=name)['machines']) == 2


def test_under_way(world):
    """What another connection is still carrying out is not begun twice, and is not known once that has gone."""
    world.prepare(2)
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    world.install('fake_luforge', good.replace('def main():\n', 'def main():\n    __import__("time").sleep(1000)\n'))
    add = {'kit': world.kits[1]}

    with world.control() as two:
        with world.control() as one:
            one.send(request_id='add', release_add=add)
            world.until(lambda: harness.child_named(world, 'python3') or harness.child_named(world, 'fake_luforge'))
            assert refused_call(two, request_id='add', release_add=add)['cause']['name'] == 'in-progress'
            assert refused_call(two, request_id='add', release_add={'kit': world.kits[0]})['cause']['name'] == 'request-id'
        world.install('fake_luforge', good)

        def added():
            try:
                return two.call(request_id='add', release_add=add)['releases'][0]['counter']
            except wire.Refused as error:
                assert error.error['cause']['name'] == 'in-progress', error
        assert world.until(added) == 2


harness.main(globals(), 4)
