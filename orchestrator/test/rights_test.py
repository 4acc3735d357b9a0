#!/usr/bin/env python3
"""Rights by groups of machines: who may ask for what, on which machine, and what they see.

Usage: rights_test.py BUILD [CASE...]      (no case: all of them, several side by side)

`m` is in the group edge and runs, `p` is in the group prod and never ran. Whoever asks is a user of the host, with roles by
lud's configuration; the requests and what they need are read from control.proto, so that a new one is asked for, too.
"""

import contextlib
import importlib.util
import os
import signal
import sqlite3

import harness
import remote
from authority import Authority
from harness import control_as, refused_call

GUEST = 65534
HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL = os.path.join(os.path.dirname(os.path.dirname(HERE)), 'proto/control')
INCLUDES = {'viewer': {'viewer'}, 'operator': {'viewer', 'operator'}, 'release-manager': {'viewer', 'release-manager'},
            'override': {'viewer', 'operator', 'override'},
            'admin': {'viewer', 'operator', 'release-manager', 'override', 'admin'}}

# What makes a request fail for another reason than rights, or do nothing that others would notice.
BODIES = {
    'history': {'service': 'ds'}, 'show': {'service': 'none'}, 'update': {'service': 'none'},
    'rollback': {'service': 'none'}, 'rerandomize': {'services': ['none']}, 'restart': {'service': 'none'},
    'stage_drop': {'hash': b'x'}, 'machine_group': {'words': ['bad word']},
    'machine_label': {'words': ['bad word']}, 'policy_rollback': {'version': 999}, 'policy_remove': {'names': ['none']},
    'release_add': {'kit': '/nonexistent'}, 'release_clear': {'service': 'none', 'release': '1'},
    'release_block': {'service': 'none', 'release': '1'}, 'release_remove': {'service': 'none', 'release': '1'},
    'release_number': {'service': 'Bad Name'}, 'hold': {'services': ['none']}, 'unhold': {'services': ['none']},
    'standing': {'services': ['none']}, 'rollout_change': {'rollout': 999, 'what': 'paused'}, 'names': {'kind': 'machine'},
    'job_cancel': {}, 'policy_show': {'effective': True}, 'entropy': {'service': 'none'},
}


def table():
    """(name, role, about, local) of each request."""
    spec = importlib.util.spec_from_file_location('requests', os.path.join(CONTROL, 'requests.py'))
    requests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(requests)
    with open(os.path.join(CONTROL, 'control.proto'), encoding='ascii') as f:
        for name, comment in requests.body(f.read(), 'Request'):
            *_, role, about, local, field = requests.FORM.fullmatch(comment).groups()
            yield name, role, about, (local or '').strip('; '), field


def prepare(world):
    """Two machines, each with a job, of which the guest knows the numbers; the function that gives roles."""
    world.prepare()
    world.luctl('update', 'ds')
    jobs = {'m': world.newest_job()}
    with world.control() as control:
        control.call(machine_add={'machine': 'p'})
        control.call(machine_group={'machine': 'm', 'words': ['edge']})
        control.call(machine_group={'machine': 'p', 'words': ['prod']})
    # A machine that cannot be started here, and a job that says so.
    world.luctl('machine', 'start', 'p', code=None)
    with world.control() as control:
        jobs['p'] = control.call(job_list={'machine': 'p'})['jobs'][0]['id']
    return harness.roles(world), jobs


def is_denied(control, name, body):
    """Whether it is refused for want of a right, and in which words: that comes at once, before what is asked next is answered."""
    request = control.send(**{name: body})
    after = control.send(version={})
    error = None
    while True:
        reply = control.receive(60).get('reply', {})
        if reply.get('id') == request and 'error' in reply:
            error = reply['error']
        if reply.get('id') == after:
            break
    is_right = error is not None and error['cause']['name'] in ('role', 'local-only')
    return (error['cause']['message'] + '; ' + error['hint']) if is_right else None


def may(given, everywhere, needed, about, machine):
    """By the rules of may.c, said again: given is the role, on edge or everywhere."""
    has = needed in INCLUDES[given]
    if about == 'what is seen':
        return has
    return has and (everywhere or (about != 'everything' and machine == 'm'))


def cases(name, about, jobs, machine):
    """Each way of naming a machine: (body, what it is about then)."""
    body = dict(BODIES.get(name, {}))
    if about in ('job', 'job or machine'):
        yield {**body, 'job': jobs[machine]}, 'job'
    if about == 'job or machine':  # the job counts
        yield {**body, 'job': jobs[machine], 'machine': 'p' if machine == 'm' else 'm'}, 'job'
    if about.startswith(('machine', 'job or')):
        yield {**body, 'machine': machine}, 'machine'
    if about == 'machine or what is seen':
        yield body, 'what is seen'
    if about.startswith('machine unless'):
        yield {**body, about.split()[-1]: True}, 'everything'
    if about.startswith('machine if'):
        yield {**body, about.split()[-1]: False, 'machine': machine}, 'everything'
    if about in ('everything', 'what is seen'):
        if name.startswith('machine_') and name != 'machine_list':
            body['machine'] = machine
        if name in ('job_approve',):
            body['job'] = jobs[machine]
        yield body, about


def test_table(world):
    """Every request, in every role, on a machine of the group and on another one."""
    if os.getuid() != 0:
        return
    give, jobs = prepare(world)
    rows = list(table())
    assert len(rows) > 50
    for given in INCLUDES:
        for where in ('', '@edge'):
            give('user/%d' % GUEST, given + where)
            control = control_as(world, GUEST)
            for name, needed, about, _, _ in rows:
                for machine in ('m', 'p'):
                    for body, what in cases(name, about, jobs, machine):
                        expected = may(given, not where, needed, what, machine)
                        if expected and name in ('machine_stop', 'machine_remove', 'machine_time'):
                            continue  # it would be done
                        denied = is_denied(control, name, body)
                        assert (denied is None) == expected, (given + where, name, body, what, denied)
                        if denied:
                            assert 'without the role ' + needed in denied and 'have an admin give it' in denied, denied
                if control.sock.fileno() < 0 or name in ('watch', 'log_follow'):
                    control.sock.close()
                    control = control_as(world, GUEST)
            control.sock.close()


def test_refusals(world):
    """A refusal says what is missing and where; of what may not be seen it says neither that it is there nor its groups."""
    if os.getuid() != 0:
        return
    give, jobs = prepare(world)
    give('user/%d' % GUEST, 'viewer@edge')
    control = control_as(world, GUEST)

    def said(**request):
        error = refused_call(control, **request)
        assert error['class'] == 'ERROR_DENIED', error
        return error['cause']['message'].split(' may not ', 1)[1]
    assert said(update={'machine': 'm', 'service': 'ds'}) == \
        'do this without the role operator on machine m (groups: edge)'
    for machine in ('p', 'none'):
        assert said(status={'machine': machine}) == \
            'do this without the role viewer on machine %s: it is given on edge' % machine
    assert said(job_show={'job': jobs['p']}).replace(str(jobs['p']), '9999') == said(job_show={'job': 9999})
    assert said(policy_history={}) == 'do this without the role viewer on everything: it is given on edge'
    # Nor may a machine be made by asking for it.
    give('user/%d' % GUEST, 'admin@edge')
    for request in ({'machine_start': {'machine': 'new'}}, {'machine_add': {'machine': 'new'}},
                    {'machine_start': {'machine': 'new', 'attach': True, 'socket': '/none'}}):
        assert 'on machine new: it is given on edge' in said(**request), request
    # Groups are rights: who has a group does not say who is in it.
    assert 'on everything' in said(machine_group={'machine': 'm', 'words': ['prod']})
    assert [m['name'] for m in world.json('machine', 'list')['machines']] == ['m', 'p']


def test_seen(world):
    """Lists, counts, names, the default and what happens: of the machines of one's groups, and of no others."""
    if os.getuid() != 0:
        return
    give, jobs = prepare(world)
    give('user/%d' % GUEST, 'viewer@edge')
    with world.control() as owner:
        owner.call(machine_default={'machine': 'p'})
        owner.call(hold={'machine': 'p'})
        assert len(owner.call(machine_list={})['machines']) == 2
        assert owner.call(status={'overview': True})['machine']['name'] == 'p'
    control = control_as(world, GUEST)
    assert [m['name'] for m in control.call(machine_list={})['machines']] == ['m']
    # What is meant without a name is the only one that may be seen, whatever the default is.
    assert control.call(status={})['machine']['name'] == 'm'
    assert control.call(names={'kind': 'machine'}).get('names') == ['m']
    names = control.call(names={'kind': 'job'}).get('names')
    assert str(jobs['m']) in names and str(jobs['p']) not in names
    assert not control.call(hold_list={}).get('holds')
    assert {i['machine'] for i in control.call(next={}).get('items', [])} <= {'m'}
    overview = control.call(status={})['overview']
    assert overview['machines'] == 1 and overview['machines_well'] == 1, overview
    assert {a.get('machine') for a in overview.get('amiss', [])} <= {'m'}, overview
    assert control.call(release_show={'service': 'ds'})['runs_on'] == ['m']
    # In no group of the guest any more: nothing is there.
    with world.control() as owner:
        owner.call(machine_group={'machine': 'm', 'words': ['edge'], 'remove': True})
    assert not control.call(machine_list={}).get('machines')
    assert refused_call(control, status={'machine': 'm'})['class'] == 'ERROR_DENIED'
    assert 'no machine that you may see' in refused_call(control, status={})['cause']['message']
    # Jobs that are open stand first among names, whatever machine they are of.
    world.luctl('hold', '-m', 'm')
    world.luctl('update', 'ds', '-m', 'm', '--detach')
    with world.control() as owner:
        held = str(owner.call(job_list={'machine': 'm'})['jobs'][0]['id'])
        assert held in owner.call(names={'kind': 'job'})['names']
    assert not control.call(names={'kind': 'job'}).get('names')


def test_ahead(world):
    """That the record is older than a machine is told to who sees that machine."""
    if os.getuid() != 0:
        return
    give, _ = prepare(world)
    give('user/%d' % GUEST, 'viewer@prod')
    world.peer.services['ds']['generation'] += 5
    assert world.kill(signal.SIGTERM) == 0
    world.start()

    def text(control, **request):
        return control.call(**request)['record'].get('text', '')
    with world.control() as owner, control_as(world, GUEST) as guest:
        world.until(lambda: 'machine m runs generation' in text(owner, machine_list={}))
        for request in ({'machine_list': {}}, {'status': {'machine': 'p'}}, {'status': {'overview': True}}):
            assert not text(guest, **request), request
        with world.control() as control:
            control.call(machine_group={'machine': 'm', 'words': ['prod']})
        assert 'machine m runs' in text(guest, machine_list={})


def test_out_of_sight(world):
    """Of a machine of another group there is no job, no release, no service and no default; nor in counts."""
    if os.getuid() != 0:
        return
    give, _ = prepare(world)
    give('user/%d' % GUEST, 'viewer@prod')
    with world.control() as owner:
        owner.call(machine_add={'machine': 'q'})
        owner.call(machine_group={'machine': 'q', 'words': ['prod']})
        owner.call(machine_default={'machine': 'm'})
        owner.call(hold={'machine': 'm'})
        job = owner.call(rerandomize={'machine': 'm', 'services': ['ds'], 'detach': True})['jobs'][0]['id']
        world.until(lambda: [i.get('job') for i in owner.call(next={}).get('items', [])] == [job])
    control = control_as(world, GUEST)
    status = control.call(status={'overview': True})
    assert [m['name'] for m in status['machines']] == ['p', 'q'] and 'machine' not in status, status
    assert status['overview']['machines'] == 2 and not status['overview'].get('jobs_open'), status
    error = refused_call(control, history={'service': 'ds'})
    assert error['cause']['message'].endswith(': p, q'), error
    assert not control.call(next={}).get('items') and not control.call(names={'kind': 'service'}).get('names')
    assert not control.call(release_show={'service': 'ds'}).get('runs_on')
    give('user/%d' % GUEST, 'viewer@edge')
    overview = control.call(status={})['overview']
    assert overview['machines'] == overview['jobs_open'] == 1, overview
    assert [i['job'] for i in control.call(next={})['items']] == [job]
    assert 'ds' in control.call(names={'kind': 'service'})['names']


def test_none(world):
    """While there is no machine, who has a role on a group alone cannot have one made by naming none."""
    if os.getuid() != 0:
        return
    world.start()
    harness.roles(world)('user/%d' % GUEST, 'admin@edge')
    error = refused_call(control_as(world, GUEST), machine_start={})
    assert error['class'] == 'ERROR_DENIED' and 'on a machine: it is given on edge' in error['cause']['message'], error
    with world.control() as owner:
        assert not owner.call(machine_list={}).get('machines')


def test_rollouts(world):
    """Of rollouts those that have a machine that may be seen, and of their machines those."""
    if os.getuid() != 0:
        return
    give, _ = prepare(world)
    world.kill()
    with contextlib.closing(sqlite3.connect(world.state + '/lud.db', isolation_level=None)) as db:
        ids = dict(db.execute('SELECT name, id FROM machines'))
        for number, names in ((1, 'p'), (2, 'mp')):
            db.execute('INSERT INTO rollouts (policy, service, release, state, ring, ring_us, state_us, why, created_us, is_open)'
                       " VALUES ('x', 'ds', 1, 4, 0, 1, ?1, 'w', ?1, 0)", (int(world.now() * 1000000),))
            db.executemany('INSERT INTO rollout_members (rollout, machine, ring, state) VALUES (?, ?, 0, 1)',
                           [(number, ids[name]) for name in names])
    world.start()
    give('user/%d' % GUEST, 'viewer@edge')
    control = control_as(world, GUEST)
    with world.control() as owner:
        assert [r['id'] for r in owner.call(rollout_list={})['rollouts']] == [2, 1]
        assert len(owner.call(rollout_list={'rollout': 2})['rollouts'][0]['members']) == 2
        assert 'no such rollout' in refused_call(owner, rollout_list={'rollout': 3})['cause']['message']
    assert [r['id'] for r in control.call(rollout_list={})['rollouts']] == [2]
    assert [m['machine'] for m in control.call(rollout_list={'rollout': 2})['rollouts'][0]['members']] == ['m']
    assert 'no such rollout' in refused_call(control, rollout_list={'rollout': 1})['cause']['message']


def test_less(world):
    """Who waits for what a role was needed for hears when that role is gone, whatever role is left."""
    if os.getuid() != 0:
        return
    give, _ = prepare(world)
    with world.control() as owner:
        owner.call(hold={'machine': 'm'})
    give('user/%d' % GUEST, 'operator@edge')
    control = control_as(world, GUEST)
    waits = control.send(rerandomize={'machine': 'm', 'services': ['ds']})
    world.until(lambda: control.receive(60) and control.progress)
    give('user/%d' % GUEST, 'viewer@edge')
    while 'reply' not in (message := control.receive(60)):
        pass
    assert message['reply']['id'] == waits and message['reply']['error']['cause']['name'] == 'role', message
    assert control.call(status={})['machine']['name'] == 'm'


def test_taken_away(world):
    """Groups and roles count as they are: what follows ends with the right, and what happens elsewhere is not told."""
    if os.getuid() != 0:
        return
    give, _ = prepare(world)
    give('user/%d' % GUEST, 'viewer@edge')
    control, owner = control_as(world, GUEST), world.control()
    watch = control.send(watch={})
    log = control.send(log_follow={'machine': 'm', 'follow': True})
    owner.call(hold={'machine': 'p', 'services': []})
    world.luctl('rerandomize', 'ds', '-m', 'm')
    job = owner.call(job_list={'machine': 'm'})['jobs'][0]['id']

    def events(control):
        seen = []
        while not any(e.get('job') == job and e.get('state') in ('confirmed', 'refused') for e in seen):
            message = control.receive(60)
            assert message is not None, seen
            seen += message.get('events', {}).get('events', [])
        return seen
    assert {e.get('machine') for e in events(control)} == {'m'}
    # The machine leaves the group: its log ends, and of what happens on it nothing more is told.
    owner.call(machine_group={'machine': 'm', 'words': ['edge'], 'remove': True})
    while 'reply' not in (message := control.receive(60)):
        pass
    assert message['reply']['id'] == log and message['reply']['error']['cause']['name'] == 'role', message
    owner.call(machine_group={'machine': 'p', 'words': ['edge']})
    assert control.call(status={})['machine']['name'] == 'p'
    # No role at all: the connection ends.
    give('user/%d' % GUEST, 'viewer@other')
    assert refused_call(control, status={'machine': 'p'})['class'] == 'ERROR_DENIED'
    give()
    try:
        while control.receive(60) is not None:
            pass
    except harness.wire.Ended:
        pass
    else:
        raise AssertionError('%d goes on' % watch)


def identify(world, **roles):
    """Writes the identities file: for each user a role, and behind an @ a group where it is not on everything."""
    text = 'kind: Identities\nidentities:\n'
    for name, role in roles.items():
        role, _, group = role.partition('@')
        where = 'groups: [%s]' % group if group else 'everything: true'
        text += '  - {name: user/%s, roles: [{role: %s, %s}]}\n' % (name, role, where)
    with open(world.dir + '/identities.yaml', 'w', encoding='ascii') as f:
        f.write(text)


def prepare_remote(world, **roles):
    """As prepare(), with a listener; users that have these roles."""
    world.ca = Authority(os.path.join(world.dir, 'ca'))
    world.ca.issue('lud', 'host/lud', 'serverAuth')
    for user in roles:
        world.ca.issue(user)
    identify(world, **roles)
    remote.configure(world, requests=10000)
    return prepare(world)


def test_elsewhere(world):
    """Over TLS a role is what it is at the socket, and what is about files of lud's host nobody asks for."""
    _, jobs = prepare_remote(world, alice='admin', bob='operator@edge')
    for user, given in (('alice', 'admin'), ('bob', 'operator')):
        client = remote.connect(world, user)
        for name, needed, about, local, field in table():
            for machine in ('m', 'p'):
                for body, what in cases(name, about, jobs, machine):
                    body.update({field: True} if field else {})
                    expected = may(given, user == 'alice', needed, what, machine) and not local
                    if expected and name in ('machine_stop', 'machine_remove', 'machine_time'):
                        continue
                    denied = is_denied(client, name, body)
                    assert (denied is None) == expected, (user, name, body, what, denied)
                    if denied and user == 'alice':
                        assert 'files or processes of lud' in denied and 'on that host' in denied, denied
                    elif denied and not local:
                        assert 'without the role ' + needed in denied and 'identities file' in denied, denied
            if name in ('watch', 'log_follow'):
                client.sock.close()
                client = remote.connect(world, user)
        client.sock.close()


def test_name(world):
    """What is done by TLS is done by that name: in the record, and by its own ids and holds, not those of others."""
    prepare_remote(world, alice='operator@edge', bob='operator')
    with world.control() as owner, remote.connect(world, 'alice') as alice, remote.connect(world, 'bob') as bob:
        asked = [(asker, asker.call(rerandomize={'machine': 'm', 'services': ['ds']}, request_id='same')['jobs'][0])
                 for asker in (owner, alice, bob)]
        assert len({job['id'] for _, job in asked}) == 3, asked
        for (asker, job), (way, name) in zip(asked, (('local', ''), ('tls', 'user/alice'), ('tls', 'user/bob'))):
            shown = owner.call(job_show={'job': job['id']})
            assert shown['way'] == way and shown['identity'].startswith(name) and not shown.get('uid'), shown
            again = asker.call(rerandomize={'machine': 'm', 'services': ['ds']}, request_id='same')['jobs'][0]
            assert again['id'] == job['id'], (again, job)
        # A hold is of who made it.
        assert alice.call(hold={'machine': 'm'})['holds'][0]['identity'] == 'user/alice'
        for other in (bob, owner):
            call = {'unhold': {'machine': 'm'}}
            if other is bob:
                assert 'override' in str(refused_call(other, **call))
            else:
                assert not other.call(**call).get('holds')


def test_override(world):
    """A role of one group's machines passes no gate of another's, and ends no hold of others there."""
    prepare_remote(world, alice='operator')
    with open(world.dir + '/identities.yaml', 'w', encoding='ascii') as f:
        f.write('kind: Identities\nidentities:\n  - name: user/alice\n'
                '    roles: [{role: operator, everything: true}, {role: override, groups: [prod]}]\n')
    remote.reload(world)
    with world.control() as owner:
        for machine in ('m', 'p'):
            owner.call(hold={'machine': machine})
    with remote.connect(world, 'alice') as alice:
        for machine, is_refused in (('m', True), ('p', False)):
            error = refused_call(alice, update={'machine': machine, 'service': 'none'}, override=1, reason='now')
            assert ('without the role override on machine m' in error['cause']['message']) == is_refused, error
        assert 'override' in str(refused_call(alice, unhold={'machine': 'm'}))
        assert [h['machine'] for h in alice.call(unhold={'machine': 'p'})['holds']] == ['m']


def test_file_again(world):
    """A role that the file gives no more is gone with the reload; a file with an error changes nothing, and says so."""
    prepare_remote(world, alice='operator@edge', bob='viewer@prod')
    with remote.connect(world, 'alice') as alice, remote.connect(world, 'bob') as bob:
        assert alice.call(status={})['machine']['name'] == 'm' and bob.call(status={})['machine']['name'] == 'p'
        log = alice.send(log_follow={'machine': 'm', 'follow': True})
        identify(world, alice='viewer@prod', bob='operator@edge')
        remote.reload(world)
        while 'reply' not in (message := alice.receive(60)):
            pass
        assert message['reply']['id'] == log and message['reply']['error']['cause']['name'] == 'role', message
        assert alice.call(status={})['machine']['name'] == 'p' and bob.call(status={})['machine']['name'] == 'm'
        with open(world.dir + '/identities.yaml', 'a', encoding='ascii') as f:
            f.write('  - {name: user/alice, roles: []}\n')
        remote.reload(world)
        assert 'is given twice, first in line 3' in world.log() and 'identities.yaml:5:12' in world.log()
        assert alice.call(status={})['machine']['name'] == 'p'


def test_list(world):
    """Who may do what, by what, from a file that counts; what it has become since then is said beside it."""
    give, _ = prepare_remote(world, alice='operator@edge', bob='viewer')
    give('group/ops', 'viewer@edge,lab')
    listed = world.json('access', 'list')
    found = {(e['source'], e['name']): [(r['role'], r['group']) for r in e['roles']] for e in listed['entries']}
    assert found == {('access', 'group/ops'): [('viewer', 'edge'), ('viewer', 'lab')], ('owner', 'user/0'): [('admin', '')],
                     ('owner', 'user/%d' % os.getuid()): [('admin', '')], ('identities', 'user/bob'): [('viewer', '')],
                     ('identities', 'user/alice'): [('operator', 'edge')]}, found
    assert (listed['file'], listed['changed'], listed['wrong']) == (world.dir + '/identities.yaml', False, ''), listed
    # In pages it is the same.
    cursor, paged = (), []
    while True:
        page = world.json('access', 'list', '--limit', '1', *cursor)
        paged += page['entries']
        if not page['next']:
            break
        cursor = ('--after', page['next'])
    assert paged == listed['entries'], paged

    def told(is_changed, *words):
        said = world.json('access', 'list')
        assert (said['changed'], said['read_us'], said['entries']) == (is_changed, *listed_now), said
        text = ' '.join(world.luctl('access', 'list').split())
        assert all(word in text for word in words), text
    listed_now = listed['read_us'], listed['entries']
    told(False, 'user/alice operator edge identities', 'identities.yaml, read at ')
    identify(world, alice='viewer@edge')
    told(True, 'something else by now: `systemctl reload lud`', 'user/alice operator edge')
    with open(world.dir + '/identities.yaml', 'a', encoding='ascii') as f:
        f.write('  - {name: user/alice, roles: []}\n')
    told(False, 'as it is now it cannot be used: ', 'identities.yaml:4:12: `user/alice` is given twice')
    identify(world, alice='viewer@edge')
    remote.reload(world)
    again = world.json('access', 'list')
    listed_now = again['read_us'], again['entries']
    assert again['read_us'] != listed['read_us'] and len(again['entries']) == len(listed['entries']) - 1, again
    told(False, 'user/alice viewer edge')


if __name__ == '__main__':
    harness.main(globals(), 4)
