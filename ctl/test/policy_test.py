#!/usr/bin/env python3
"""luctl policy as a person runs it, without lud: answers, JSON, exit codes.

usage: policy_test.py LUCTL POLICIES
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

LUCTL, POLICIES = sys.argv[1:]
# Sunday, 2026-03-29 00:00 UTC, an hour before Berlin's clock is set forward.
SUNDAY = 1774742400


def luctl(code, *args):
    done = subprocess.run([LUCTL, 'policy', *args], capture_output=True, text=True)
    assert done.returncode == code, (args, done)
    return done.stdout, done.stderr


def shipped(name):
    return os.path.join(POLICIES, name + '.yaml')


def test_check():
    files = sorted(glob.glob(os.path.join(POLICIES, '*.yaml')))
    assert len(files) == 4
    out, err = luctl(0, 'check', *files)
    assert out.count('is valid') == 4 and not err
    assert json.loads(luctl(0, 'check', '--json', *files)[0]) | {'schema': '', 'command': ''} == {
        'schema': '', 'command': '', 'valid': True, 'errors': [], 'left_out': 0}


def test_errors():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'bad.yaml')
        with open(path, 'w') as f:
            f.write('kind: UpdatePolicy\nname: x\nmatch: {machines: [a]}\npriorty: 5\nrerandomize: {every: "\\e5"}\n')
        out, err = luctl(1, 'check', path, path + '.none')
        assert not out and f'{path}:4:1: unknown key `priorty`' in err and 'did you mean `priority`' in err
        assert f'{path}:5:22: rerandomize.every' in err and 'No such file' in err and '3 errors' in err
        assert '\x1b' not in err
        answer = json.loads(luctl(1, 'check', '--json', path)[0])
        assert not answer['valid'] and [(e['line'], e['column']) for e in answer['errors']] == [(4, 1), (5, 22)]
        for verb in (['test', '-m', 'a'], ['show']):
            assert 'unknown key' in luctl(1, *verb, path)[1]


def ask(*args):
    return {a['action']: a for a in json.loads(luctl(0, 'test', '--json', *args)[0])['answers']}


def test_test():
    appliance = ['--machine', 'm', '--label', 'site=here,role=appliance', shipped('appliance')]
    # The window is from 01:00 to 05:00 on the clock, which skips an hour: until 04:00 UTC.
    answers = ask('--at', '2026-03-29 01:30 Europe/Berlin', *appliance)
    assert answers['update']['verdict'] == 'allowed' and answers['update']['until'] == SUNDAY + 4 * 3600 - 30
    assert ask('--at', str(SUNDAY + 1800), *appliance) == ask('--at', '2026-03-29T00:30:00Z', *appliance) == answers
    assert ask('--at', '2026-03-29 00:30', *appliance) == answers
    closed = ask('--at', str(SUNDAY + 4 * 3600), *appliance)['update']
    assert closed['verdict'] == 'denied' and closed['why'] == 'no window is open' and closed['next'] > SUNDAY + 20 * 3600
    assert closed['policy'] == 'appliance'
    other = ask('--at', str(SUNDAY), '--machine', 'm', '--label', 'role=other', shipped('appliance'))['update']
    assert other['verdict'] == 'not asked for' and other['policy'] is None and other['next'] is None
    # A group, and a service that no policy is about.
    fleet = ask('--at', str(SUNDAY), '--machine', 'm', '--group', 'test,production', '--service', 'ds', shipped('fleet'))
    assert fleet['rerandomize']['next'] == SUNDAY + 33 * 3600
    text = luctl(0, 'test', '--at', str(SUNDAY), *appliance)[0]
    assert '2026-03-29 03:59:30 UTC' in text and 'ACTION' in text


def test_usage():
    for at in ('daily', '', '2026-02-30', 'x', '99999999999999'):
        assert 'not one point in time' in luctl(2, 'test', '-m', 'a', '--at', at, shipped('fleet'))[1]
    assert 'name a machine' in luctl(2, 'test', shipped('fleet'))[1]
    luctl(2, 'check')
    luctl(2, 'schema', '--effective')


def test_show():
    """What is shown is a policy of the same words; only --effective has defaults."""
    plain, effective = luctl(0, 'show', shipped('paranoid'))[0], luctl(0, 'show', '--effective', shipped('paranoid'))[0]
    assert '# default' not in plain and 'way_back: "true" # default' in effective
    assert f'every: "10s" # {shipped("paranoid")}:' in plain
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'p.yaml')
        with open(path, 'w') as f:
            f.write(effective)
        os.mkdir(path + '.d')
        with open(path + '.d/site.yaml', 'w') as f:
            f.write('priority: 7\n')
        again = luctl(0, 'show', path)[0]
        assert f'priority: "7" # {path}.d/site.yaml:1' in again and 'way_back: "true"' in again
        shown = json.loads(luctl(0, 'show', '--json', path)[0])['policies']
        assert [p['name'] for p in shown] == ['paranoid'] and shown[0]['policy'] == again


def test_schema():
    keys = {k['key']: k for k in json.loads(luctl(0, 'schema', '--json')[0])['keys']}
    assert keys['rerandomize.every']['required'] and keys['windows.allow[].zone']['default'] == 'UTC'
    assert 'rollout.rings[].soak' in luctl(0, 'schema')[0]


def main():
    for name, test in sorted(globals().items()):
        if name.startswith('test_'):
            test()
            print('ok', name)


main()
