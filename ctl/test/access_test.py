#!/usr/bin/env python3
"""luctl access check as a person runs it, without lud: answers, JSON, exit codes.

usage: access_test.py LUCTL
"""
import json
import os
import subprocess
import sys
import tempfile

GOOD = '''kind: Identities
identities:
  - name: user/alice
    description: "on \\e[1mcall"
    roles:
      - {role: operator, groups: [edge, lab]}
      - {role: viewer, everything: true}
  - {name: user/bob, roles: []}
'''


def luctl(code, *args):
    done = subprocess.run([sys.argv[1], 'access', 'check', *args], capture_output=True, text=True, check=False)
    assert done.returncode == code, (args, done)
    return done.stdout, done.stderr


def main():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, 'identities.yaml')

        def write(text, mode=0o644):
            with open(path, 'w', encoding='ascii') as f:
                f.write(text)
            os.chmod(path, mode)
        write(GOOD.replace('\\e[1m', ''))
        rows = [line.split() for line in luctl(0, path)[0].splitlines()]
        assert [row[:3] for row in rows[1:]] == [['user/alice', 'operator', 'edge'], ['user/alice', 'operator', 'lab'],
                                                ['user/alice', 'viewer', 'everything'], ['user/bob', '-', '-']], rows
        answer = json.loads(luctl(0, '--json', path)[0])
        assert answer['valid'] and answer['errors'] == [] and answer['left_out'] == 0
        assert answer['identities'][0]['roles'] == [{'role': 'operator', 'group': 'edge'}, {'role': 'operator', 'group': 'lab'},
                                                    {'role': 'viewer', 'group': None}]
        # What is wrong, all of it, where, and nothing of the rest.
        write(GOOD + '  - {name: user/alice, rols: [], roles: [{role: root, everything: true}]}\n')
        out, err = luctl(1, path)
        assert not out and '\x1b' not in err and 'samsara-identities(5)' in err, err
        for said in (':4:18: identities[].description', ':9:24: unknown key `rols`', 'did you mean `roles`',
                     ':9:49: identities[].roles[].role: `root`', ':9:12: `user/alice` is given twice'):
            assert said in err, (said, err)
        assert not json.loads(luctl(1, '--json', path)[0])['valid']
        write(GOOD.replace('\\e[1m', ''), 0o666)
        assert 'others than its owner' in luctl(1, path)[1]
        assert 'cannot be read' in luctl(1, path + '.none')[1]
        luctl(2)


main()
print('ok')
