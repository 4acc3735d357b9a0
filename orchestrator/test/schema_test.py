#!/usr/bin/env python3
"""Every command of luctl with --json, when it succeeds and when it fails: what it prints is what `luctl schema` says.

Usage: schema_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import json
import os
import re
import signal
import subprocess

import harness
import luctl_json
import peer
import tls

with open(os.path.join(harness.HERE, '../../ctl/cmdline/commands.def'), encoding='ascii') as table:
    VERBS = {name: int(least) for name, least in re.findall(r'^VERB\("([a-z ]+)", \w+, (\d+),', table.read(), re.M)}
BUILDS = {'release new', 'dev'}  # need a source tree: tests/system/test_release_new.py

POLICY = 'kind: UpdatePolicy\nname: p\nmatch: {machines: ["*"]}\n'
RINGS = '''update: {mode: apply}
rollout:
  rings:
    - {name: first, size: 1, soak: 50s, healthy: 60s, deadline: 60s, then: pause, approvals: 1}
    - {name: all, size: 100%, soak: 1s, healthy: 30s, deadline: 60s}
'''


def objects(text):
    """One behind the other."""
    found = []
    while text := text.lstrip():
        one, end = json.JSONDecoder().raw_decode(text)
        found, text = [*found, one], text[end:]
    return found


class Asked:
    """Commands, their answers checked, and which of them have succeeded."""

    def __init__(self, world):
        self.world, self.keys = world, ['--keys', world.dir + '/keys']
        self.schema = luctl_json.Schema(world.program('ctl/luctl'))
        self.done = set()

    def ask(self, *words, code=0):
        """The answer; of a command that prints lines the last one."""
        at = words.index('--') if '--' in words else len(words)
        lines = objects(self.world.luctl(*words[:at], '--json', *words[at:], code=code, out=True))
        for line in lines:
            self.schema.check(line, line.get('error', {}).get('exit', 0) if code is None else code)
        if 'error' not in lines[-1]:
            self.done.add(lines[-1]['command'])
        return lines[-1]

    def file(self, name, text):
        path = os.path.join(self.world.dir, name)
        with open(path, 'w', encoding='ascii') as f:
            f.write(text)
        return path


def offline(asked):
    world = asked.world
    asked.ask('schema')
    asked.ask('completion', 'zsh')
    asked.ask('policy', 'schema')
    asked.ask('policy', 'check', asked.file('p.yaml', POLICY))
    asked.ask('policy', 'check', asked.file('bad.yaml', 'kind: UpdatePolicy\nname: {}\n'), code=1)
    asked.ask('access', 'check', asked.file('who.yaml', 'kind: Identities\nidentities: [{name: user/a, roles: '
                                            '[{role: viewer, groups: [g]}, {role: admin, everything: true}]}]\n'))
    asked.ask('access', 'check', world.dir + '/p.yaml', code=1)
    asked.ask('policy', 'test', world.dir + '/p.yaml', '-m', 'm')
    asked.ask('policy', 'show', world.dir + '/p.yaml', '--effective')
    asked.ask('keys', 'init', '--keys', world.dir + '/other')
    asked.ask('keys', 'list', '--keys', world.dir + '/other')
    asked.ask('keys', 'renew', '--keys', world.dir + '/other')
    asked.ask('keys', 'second', '--keys', world.dir + '/second')
    asked.ask('release', 'sign', *world.kits, *asked.keys)
    asked.ask('release', 'bom', world.kits[0])
    certificates(asked, world.dir + '/ca')


def certificates(asked, ca):
    """A CA and a name that it gives out and takes back."""
    asked.ask('cert', 'init', '--ca', ca)
    asked.ask('cert', 'request', 'user/alice', '--dir', ca)
    for words in ('issue user/alice %s/alice.req' % ca, 'renew user/alice --revoke'):
        asked.ask('cert', *words.split(), '--ca', ca, '--out', ca + '/alice.crt')
    for words in ('revoke user/alice', 'crl', 'list'):
        asked.ask('cert', *words.split(), '--ca', ca)


def questions(asked):
    """What changes nothing, of a machine with two generations."""
    for words in ('status', 'machine list', 'machine show m', 'entropy', 'history', 'history --limit 1', 'jobs', 'crashes', 'service ds',
                  'job list', 'job show 1', 'show ds 2', 'diff ds:2 ds:3', 'release list', 'release show ds',
                  'release diff ds 1 2', 'holds', 'access list', 'explain', 'explain 1', 'next', 'version', 'log', 'plan update ds',
                  'plan rollback ds', 'plan rerandomize ds', 'policy history', 'policy show', 'db check'):
        asked.ask(*words.split())
    asked.ask('history', '--graph', asked.world.dir + '/graph.svg')
    asked.ask('job', 'show', '1', '--graph', asked.world.dir + '/job.svg')
    asked.ask('doctor', *asked.keys, code=None if os.getuid() else 0)


def changes(asked):
    world = asked.world
    asked.ask('policy', 'apply', world.dir + '/p.yaml')
    asked.ask('policy', 'apply', world.dir + '/bad.yaml', code=1)
    asked.ask('policy', 'diff', world.dir + '/p.yaml')
    asked.ask('policy', 'remove', 'p')
    asked.ask('policy', 'rollback', '1')
    for words in ('release add ' + ' '.join(world.kits), 'rerandomize ds', 'rerandomize ds --every 1h', 'rerandomize --every off',
                  'rollback ds', 'release clear ds 2', 'release block ds 2 --reason x', 'release clear ds 2', 'machine default m',
                  'machine group m g', 'machine label m k=v', 'db backup ' + world.dir + '/copy'):
        asked.ask(*words.split())
    asked.ask('release', 'add', world.kit('ds', 3))
    asked.ask('release', 'remove', 'ds', '3')
    asked.ask('restart', 'ds', *asked.keys)
    asked.ask('machine', 'time', 'm', *asked.keys)


def jobs(asked):
    """One that waits is held, released and cancelled."""
    asked.ask('hold', 'ds', '-m', 'm')
    job = str(asked.ask('update', 'ds', '--release', '2', '--detach')['id'])
    for verb in ('hold', 'release', 'resume'):
        asked.ask('job', verb, job)
    asked.ask('job', 'cancel', job)
    asked.ask('unhold', 'ds', '-m', 'm')
    asked.ask('inhibit', '--', 'true')


def rollouts(asked):
    """One machine soaks, another one waits for it."""
    world = asked.world
    with peer.Peer(os.path.join(world.dir, 'other.sock')) as other:
        other.add_service('ds', world.release_id(world.kits[0]))
        asked.ask('machine', 'start', 'other', '--attach', other.path)
        asked.ask('policy', 'apply', asked.file('rings.yaml', POLICY.replace('name: p', 'name: r') + RINGS))
        members = asked.ask('update', 'ds', '--release', '2', '-m', 'm', '--detach'), asked.ask(
            'update', 'ds', '--release', '2', '-m', 'other', '--detach')
        world.until(lambda: 'soaking' in [
            m['state'] for m in asked.ask('rollout', 'status', '1')['rollouts'][0]['members']])
        waits, = (str(job['id']) for job in members if asked.ask('job', 'show', str(job['id']))['state'] == 'held')
        for words in ('rollout pause 1', 'rollout resume 1', 'rollout approve 1', 'job approve ' + waits, 'job deny ' + waits,
                      'rollout promote 1', 'rollout abort 1'):
            asked.ask(*words.split(), '--reason', 'x')
        asked.ask('rollout', 'status')
        asked.ask('machine', 'stop', 'other', '--force')


def watched(asked):
    """Lines, as they come; each by itself."""
    world = asked.world
    with subprocess.Popen([world.program('ctl/luctl'), 'watch', 'm', '--json', '--limit', '2', '--socket', world.socket],
                          stdout=subprocess.PIPE, text=True) as watch:
        world.until(lambda: world.luctl('rerandomize', 'ds') and watch.poll() is not None)
        lines = objects(watch.stdout.read())
    assert len(lines) == 2 and watch.returncode == 0, lines
    for line in lines:
        asked.schema.check(line, 0)
    asked.done.add('watch')


def keys(asked):
    """Of this machine and its newest layout that the host made."""
    status, shown = asked.ask('status'), asked.ask('show', 'ds', '2')
    asked.ask('keys', 'unseal', shown['seed_commit'], shown['seed_sealed'], shown['release_id'], *asked.keys)
    machine = status['machine']
    asked.ask('keys', 'time', machine['machine_id'], str(machine['boot_id']), str(status['time_nonce']), *asked.keys)


def hosts(asked):
    """The hosts file, without a word to anybody."""
    file = tls.files(asked.world)
    asked.ask('host', 'add', 'far', '127.0.0.1:1', '--ca', file('ca.ca'), '--crl', file('ca.crl'), '--certificate',
              file('alice.crt'), '--key', file('alice.key'), '--offline')
    asked.ask('host', 'list')
    asked.ask('host', 'use', 'far')
    asked.ask('host', 'remove', 'far')


def ends(asked):
    """What ends a machine, and lud."""
    world = asked.world
    asked.ask('machine', 'stop', 'm', '--force')
    asked.ask('machine', 'start', 'm', '--attach', world.peer.path)
    asked.ask('machine', 'stop', 'm', '--force')
    asked.ask('machine', 'remove', 'm')
    asked.ask('machine', 'add', 'third')
    assert world.kill(signal.SIGTERM) == 0
    asked.ask('db', 'restore', world.dir + '/copy', '--config', world.config)
    world.start()


def test_answers(world):
    """Commands that succeed."""
    world.prepare(2)
    asked = Asked(world)
    offline(asked)
    asked.ask('update', 'ds', '--release', '1')
    asked.ask('update', 'ds')
    questions(asked)
    changes(asked)
    jobs(asked)
    keys(asked)
    watched(asked)
    rollouts(asked)
    hosts(asked)
    ends(asked)
    assert not set(VERBS) - asked.done - BUILDS, set(VERBS) - asked.done


def test_errors(world):
    """Every command that fails: lud is not there, or the command line is wrong."""
    asked = Asked(world)
    for args in ((), ('explode',), ('status', 'x'), ('update', 'ds', '--no')):
        asked.ask(*args, code=2)
    for verb, least in VERBS.items():
        asked.ask(*verb.split(), *['9'] * least, '--nonsense', code=2)
    for verb, least in VERBS.items():
        if not verb.startswith(('keys', 'cert', 'policy', 'schema', 'db', 'dev', 'release new')):
            asked.ask(*verb.split(), *['9'] * least, code=None)


harness.main(globals(), 2)
