#!/usr/bin/env python3
"""Somebody who may ask, and means no good: what one user does hurts no other, and nothing is passed that was not said.

Usage: hostile_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import os
import signal

import harness
from harness import as_user, refused_call, rows, wire

GUEST = 65534


def admitted(world, role):
    """Another user is given a role."""
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write('access:\n  user/%d: %s\n' % (GUEST, role) + good)
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: 'access is changed' in world.log())


def test_holds_full(world):
    """Whoever takes every place for holds keeps nobody from holding everything; a request counts as a whole."""
    if os.getuid() != 0:
        return
    services = ['s%d' % i for i in range(100)]
    for service in services:
        world.peer.add_service(service, bytes(64))
    world.prepare()
    world.until(lambda: len(world.json('status')['services']) == 102)
    admitted(world, 'operator')

    def fill():
        with world.control() as control:
            control.call(hold={'machine': 'm', 'services': services[:60]})
            # The places that are left are fewer: none of these is held.
            error = refused_call(control, hold={'machine': 'm', 'services': services[60:70]})
            assert error['cause']['name'] == 'too-many', error
            for service in services[60:64]:
                control.call(hold={'machine': 'm', 'services': [service, service]})
            assert refused_call(control, hold={'machine': 'm'})['cause']['name'] == 'too-many'
            for _ in range(20):
                control.call(hold={'all': True})
                control.call(hold={'all': True, 'services': ['', '']})
            control.call(hold={'machine': 'm', 'services': services[:60]})
        return 0

    assert as_user(GUEST, fill) == 0
    world.luctl('hold', '--all', '--reason', 'stop')
    held = world.json('holds')['holds']
    assert len(held) == 66 and sorted(h['reason'] for h in held if not h['machine']) == ['', 'stop'], held
    assert 'nothing holds exactly that' in world.luctl('unhold', 's0', 's99', code=3)
    assert len(world.json('holds')['holds']) == 66


def test_request_id(world):
    """A request id is that of a user: nobody takes another's beforehand, or hears what became of it."""
    if os.getuid() != 0:
        return
    world.prepare(2)
    admitted(world, 'operator')

    def squat():
        with world.control() as control:
            control.call(rerandomize={'services': ['ds'], 'detach': True}, request_id='nightly')
            control.call(update={'service': 'ds', 'detach': True}, request_id='same')
        return 0

    mine = world.json('update', 'ds', '--request-id', 'same')['id']
    assert as_user(GUEST, squat) == 0
    theirs = world.json('jobs')['jobs'][0]
    assert theirs['uid'] == GUEST and theirs['request_id'] == 'same' and theirs['id'] != mine, theirs
    world.settle(theirs['id'])
    assert world.json('update', 'ds', '--request-id', 'same')['id'] == mine
    assert world.json('update', 'ds', '--request-id', 'nightly')['state'] in ('confirmed', 'refused')


def test_answers(world):
    """An id is of whoever gave it: what another one has under the same is neither told nor in the way; and what others hold is
    not taken away by asking twice."""
    if os.getuid() != 0:
        return
    world.prepare()
    admitted(world, 'operator')

    def theirs():
        with world.control() as control:
            assert control.call(request_id='x', hold={'all': True})['holds']
            for _ in range(2):
                assert refused_call(control, request_id='y', unhold={'all': True})['class'] == 'ERROR_DENIED'
        return 0
    with world.control() as control:
        assert control.call(request_id='x', release_number={'service': 'ds'})['number'] == 2
        control.call(request_id='hold', hold={'all': True})
        assert as_user(GUEST, theirs) == 0
        assert control.call(request_id='x', release_number={'service': 'ds'})['number'] == 2
    assert rows(world, 'SELECT principal, request_id FROM answers ORDER BY id') == [
        ('local/0', 'x'), ('local/0', 'hold'), ('local/%d' % GUEST, 'x')]


def source(name, text):
    return {'name': name, 'text': text.encode()}


def test_policy_files(world):
    """A drop-in more than there may be is no policy with one left out; names of files are names."""
    world.prepare()
    own = source('p.yaml', 'kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n')
    more = [source('p.yaml.d/%02d.yaml' % i, 'priority: 1\n') for i in range(64)]
    deny = source('p.yaml.d/99.yaml', 'update: {mode: none}\n')
    with world.control() as control:
        error = refused_call(control, policy_apply={'policies': [{'files': [own, *more, deny]}]})
        assert '99.yaml' in str(error) and '64' in str(error), error
        error = refused_call(control, policy_apply={'policies': [{'files': [source('p\n.yaml', 'kind: x')]}]})
        assert 'one line' in str(error), error
        control.call(policy_apply={'policies': [{'files': [own, *more]}]})


def test_plan_marks(world):
    """A plan that was seen is not carried out under other policies, also where a label brings them."""
    world.prepare()
    for kind, mark in (('label', 'role=lab'), ('group', 'eu')):
        plan = world.json('plan', 'rerandomize', 'ds')['hash']
        world.luctl('machine', kind, 'm', mark)
        assert 'not the plan that was meant' in world.luctl('rerandomize', 'ds', '--expect-plan', plan, code=4)


def test_questions(world):
    """Questions that cost a worker are answered when no job needs it: who may only ask delays nobody."""
    world.workshop('{}')
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        fake = f.read()
    world.install('fake_luforge', fake.replace("    if command == 'pair':\n", "    if command == 'pair':\n        __import__('time').sleep(1)\n"))
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('forge:\n  workers: "1"\n')
    world.prepare(2)
    with world.control() as control:
        for _ in range(20):
            control.send(release_diff={'service': 'ds', 'from': '1', 'to': '2'})
        world.until(lambda: harness.child_named(world, 'python3') or harness.child_named(world, 'fake_luforge'))
        assert world.json('update', 'ds')['state'] == 'confirmed'
        n = 0
        while (got := control.receive(timeout=0.01)) is not None:
            n += 'reply' in got
        assert n < 19, n


harness.main(globals(), 2)
