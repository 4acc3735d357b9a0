#!/usr/bin/env python3
"""Two hosts and a CA, as docs/guide/remote.md has them: its commands, in network namespaces of their own.

Usage: far_test.py BUILD [CASE...]

Where namespaces cannot be made this is skipped.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys

import harness

GUIDE = os.path.join(harness.HERE, '../../docs/guide/remote.md')
SKIPPED = 77


def chapter(title):
    """What stands below a heading of the guide."""
    with open(GUIDE, encoding='utf-8') as f:
        return f.read().split('\n## %s\n' % title)[1].split('\n## ')[0]


def commands(title):
    """(host, command) of the guide, in its order."""
    return re.findall(r'^ {4}(ca|lud|laptop)\$ +(.*)$', chapter(title), re.M)


def block(title, first):
    """The lines of a file that begins so, as the guide has them."""
    lines = chapter(title).split('\n')
    at = lines.index('    ' + first)
    return ''.join(line[4:] + '\n' for line in lines[at:lines.index('', at)])


class Hosts:
    """A namespace for lud and one for the laptop, with a cable between them; the CA has no network. A directory each."""

    def __init__(self, world):
        self.world, self.prefix = world, 'samsara%d' % os.getpid()
        for name in ('ca', 'lud', 'laptop'):
            os.mkdir(os.path.join(world.dir, name))

    def space(self, name):
        return '%s-%s' % (self.prefix, name)

    def ip(self, *words):
        return subprocess.run(['ip', *words], check=True, capture_output=True)

    def __enter__(self):
        try:
            for name in ('lud', 'laptop'):
                self.ip('netns', 'add', self.space(name))
            self.ip('link', 'add', 'cable0', 'netns', self.space('lud'), 'type', 'veth', 'peer', 'name', 'cable0', 'netns',
                    self.space('laptop'))
        except BaseException:
            self.__exit__()
            raise
        for name, address in (('lud', '192.0.2.1/24'), ('laptop', '192.0.2.2/24')):
            self.ip('-n', self.space(name), 'address', 'add', address, 'dev', 'cable0')
            self.ip('-n', self.space(name), 'link', 'set', 'cable0', 'up')
        return self

    def __exit__(self, *exc):
        for name in ('lud', 'laptop'):
            subprocess.run(['ip', 'netns', 'del', self.space(name)], check=False, capture_output=True)

    def carry(self):
        """What is no secret goes where it is needed."""
        home = self.world.dir
        for host in ('lud', 'laptop'):
            for name in os.listdir(os.path.join(home, host)):
                if name.endswith('.req'):
                    shutil.copy(os.path.join(home, host, name), os.path.join(home, 'ca'))
        for name, host in (('plant.crt', 'lud'), ('alice.crt', 'laptop'), ('ca/ca.crt', 'lud'), ('ca/ca.crt', 'laptop'),
                           ('ca/ca.crl', 'lud'), ('ca/ca.crl', 'laptop')):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(os.path.join(home, 'ca', name), os.path.join(home, host))

    def run(self, host, command, code=0):
        """Both streams of a command that is given on this host."""
        home = os.path.join(self.world.dir, host)
        environment = {k: v for k, v in os.environ.items() if not k.startswith('SAMSARA')}
        environment.update(PATH=self.world.program('ctl') + ':' + os.environ['PATH'], HOME=home, XDG_CONFIG_HOME=home + '/config')
        if host == 'lud':
            environment['SAMSARA_SOCKET'] = self.world.socket
        inside = [] if host == 'ca' else ['ip', 'netns', 'exec', self.space(host)]
        done = subprocess.run([*inside, 'sh', '-c', command], cwd=home, env=environment, check=False, capture_output=True,
                              text=True, timeout=100)
        assert done.returncode == code, (host, command, done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr


def start(world, hosts):
    """lud in its namespace, configured as the guide says, with files where they were carried."""
    home = world.dir + '/lud/'
    with open(home + 'identities.yaml', 'w', encoding='ascii') as f:
        f.write(block('Where lud listens, and who may ask for what', 'kind: Identities'))
    with open(world.config, 'a', encoding='ascii') as f:
        f.write(block('Where lud listens, and who may ask for what', 'remote:') + ''.join(
            '  %s: "%s"\n' % (key, home + name) for key, name in (
                ('ca', 'ca.crt'), ('crl', 'ca.crl'), ('certificate', 'plant.crt'), ('key', 'plant.key'),
                ('identities', 'identities.yaml'))))
    world.start(inside=('ip', 'netns', 'exec', hosts.space('lud')))


def test_guide(world):
    """From no CA to a status over TLS; and a name that is taken back."""
    with Hosts(world) as hosts:
        made, asked = commands('Two hosts and a CA'), commands('Two terminals on two machines')
        assert len(made) >= 5 and len(asked) >= 8, (made, asked)
        for host, command in made:
            hosts.run(host, command)
            hosts.carry()
        start(world, hosts)
        world.luctl('machine', 'add', 'm')
        said = {command: hosts.run(host, command) for host, command in asked}
        assert 'answers at 192.0.2.1:7601 as samsara:host/plant' in next(iter(said.values())), said
        assert 'm ' in said['luctl machine list'] and 'feeder' in said['luctl holds'] and 'alice' in said['luctl holds'], said
        assert 'cannot reach' in hosts.run('laptop', 'luctl status', code=8)
        hosts.run('ca', 'luctl cert revoke user/alice --ca ca')
        shutil.copy(world.dir + '/ca/ca/ca.crl', world.dir + '/lud')
        n = world.log().count('configuration is read')
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: world.log().count('configuration is read') > n)
        assert 'has revoked the certificate of this end' in hosts.run('laptop', 'luctl status --host plant', code=7)
        hosts.carry()
        assert 'alice.crt' in hosts.run('laptop', 'luctl status --host plant', code=7)


def can_separate():
    """Whether namespaces and cables between them can be made here."""
    name = 'samsara%d-try' % os.getpid()
    try:
        return all(subprocess.run(['ip', *words], check=False, capture_output=True).returncode == 0 for words in (
            ('netns', 'add', name), ('-n', name, 'link', 'add', 'cable0', 'type', 'veth', 'peer', 'name', 'cable1')))
    except FileNotFoundError:
        return False
    finally:
        with contextlib.suppress(FileNotFoundError):
            subprocess.run(['ip', 'netns', 'del', name], check=False, capture_output=True)


if not can_separate():
    print('skipped: network namespaces cannot be made here')
    sys.exit(SKIPPED)
harness.main(globals(), 1)
