#!/usr/bin/env python3
"""The package in a bare Debian root with systemd as its process 1, in name spaces of its own: installed, lud starts by its unit,
a machine boots, an update commits, lud is killed and upgraded below a running machine, and nothing is left after a purge.

Needs root, name spaces and cgroup2; without them it says so and passes. The root is made once (debootstrap) and kept in
~/.cache/samsara/debian-root; what a run writes lies above it and goes with the run.

usage: deb_test.py
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
CACHE = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
LOWER = os.path.join(CACHE, 'samsara', 'debian-root')
PATIENCE = 120
ENVIRONMENT = {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root', 'LANG': 'C.UTF-8', 'DEBIAN_FRONTEND': 'noninteractive'}
BASE = ('systemd', 'systemd-sysv', 'dbus')


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def run(argv, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **kwargs)
    assert done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}'
    return done.stdout


def cgroup2():
    """Where the one hierarchy of control groups is mounted; None: nowhere."""
    with open('/proc/mounts', encoding='utf-8') as f:
        return next((line.split()[1] for line in f if line.split()[2] == 'cgroup2'), None)


def reason_not_to():
    if os.geteuid():
        return 'this is not root'
    if not cgroup2():
        return 'there is no cgroup2'
    if subprocess.run(['unshare', '--mount', '--pid', '--cgroup', '--fork', 'mount', '--make-rprivate', '/'], capture_output=True,
                      check=False).returncode:
        return 'there are no name spaces'
    return None


def built(version):
    """The package of what is committed, under a version of its own, in a directory of the test."""
    run([os.path.join(TOP, 'packaging/deb'), version])
    return glob.glob(os.path.join(TOP, f'build/deb/samsara_{version}_amd64.deb'))[0]


def mirror():
    """The registry that this host itself uses."""
    out = run(['apt-get', 'indextargets', '--format', '$(REPO_URI) $(CODENAME) $(COMPONENT)', 'Created-By: Packages'])
    return next(line.split()[0] for line in out.split('\n') if line.split()[1:] == ['bookworm', 'main'])


def root_make(package):
    """The bare root, with systemd and with what the package depends on, but without the package."""
    needs = re.findall(r'[a-z0-9][a-z0-9.+-]+(?= |,|$)', re.sub(r'\(.*?\)|\|[^,]*', '', run(['dpkg-deb', '-f', package, 'Depends'])), re.M)
    stamp = os.path.join(LOWER, '.needs')
    wanted = ' '.join(sorted([*BASE, *needs]))
    if os.path.exists(stamp) and open(stamp, encoding='utf-8').read() == wanted:
        return
    shutil.rmtree(LOWER, ignore_errors=True)
    os.makedirs(LOWER)  # without a stamp it is made again
    print('# making a bare Debian root, once', flush=True)
    run(['debootstrap', '--variant=minbase', '--include=ca-certificates', 'bookworm', LOWER, mirror()])
    for path in ('/etc/apt', '/usr/share/keyrings', '/etc/ssl/certs', '/etc/resolv.conf'):
        shutil.rmtree(LOWER + path, ignore_errors=True)
        run(['cp', '-aL', path, LOWER + path])
    proxies = {k: v for k, v in os.environ.items() if k.lower().endswith('_proxy')}
    for words in (['update'], ['install', '-y', '--no-install-recommends', *BASE, *needs]):
        run(['chroot', LOWER, 'apt-get', '-qq', *words], env={**ENVIRONMENT, **proxies})
    with open(stamp, 'w', encoding='utf-8') as f:
        f.write(wanted)


class Host:
    """A Debian root whose process 1 is systemd."""

    def __init__(self, place):
        self.place = place
        self.group = os.path.join(cgroup2(), f'samsara-deb-{os.getpid()}')
        os.mkdir(self.group)
        self.unshare = subprocess.Popen(
            ['sh', '-c', f'echo $$ >{self.group}/cgroup.procs; exec setsid unshare --mount --pid --ipc --uts --net --cgroup --fork '
             f'sh {HERE}/boot.sh {LOWER} {place}'], stdin=subprocess.DEVNULL)
        until(self.is_up, 'systemd does not come up')

    def first(self):
        """Its process 1, as this host numbers it."""
        with open(f'/proc/{self.unshare.pid}/task/{self.unshare.pid}/children', encoding='ascii') as f:
            return f.read().split()[0:1]

    def enter(self, *argv, ok=True):
        done = subprocess.run(['nsenter', '-t', *self.first(), '-m', '-p', '-i', '-u', '-n', '-C', *argv], env=ENVIRONMENT, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=600)
        assert not ok or done.returncode == 0, f'{argv}: {done.stdout}{done.stderr}{self.journal()}'
        return done.stdout.strip() if ok else done

    def is_up(self):
        assert self.unshare.poll() is None, 'no systemd'
        return self.first() and 'running' in self.enter('systemctl', 'is-system-running', ok=False).stdout

    def journal(self):
        return self.enter('journalctl', '-q', '--no-pager', '-u', 'lud', '-n', '40', ok=False).stdout

    def file(self, path):
        return self.enter('cat', path)

    def install(self, package):
        shutil.copy(package, os.path.join(self.place, 'upper/root/'))
        self.enter('dpkg', '-i', f'/root/{os.path.basename(package)}')

    def end(self):
        for pid in self.first():
            os.kill(int(pid), signal.SIGKILL)
        self.unshare.wait()
        until(lambda: not open(os.path.join(self.group, 'cgroup.procs'), encoding='ascii').read(), 'processes are left')
        for path, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(path)


def main_pid(host):
    return host.enter('systemctl', 'show', '--value', '-p', 'MainPID', 'lud')


def machine_pid(host):
    return host.file('/var/lib/samsara/machines/m1/qemu.pid')


def is_served(host):
    """By the machine as well: it is taken up again."""
    done = host.enter('luctl', 'status', '--json', ok=False)
    return done.returncode == 0 and json.loads(done.stdout)['machine']['state'] == 'up'


def check_installed(host):
    """lud serves, by its unit and under all that the unit says; its children have users."""
    assert host.enter('systemctl', 'is-active', 'lud') == 'active'
    assert host.enter('systemctl', 'is-enabled', 'lud', 'lud-backup.timer').split() == ['enabled', 'enabled']
    assert host.enter('systemctl', 'is-enabled', 'lud.socket', ok=False).stdout.strip() == 'disabled'
    status = dict(line.split(':\t') for line in host.file(f'/proc/{main_pid(host)}/status').split('\n') if ':\t' in line)
    assert (status['NoNewPrivs'], status['Seccomp']) == ('1', '2'), status
    assert bin(int(status['CapBnd'], 16)).count('1') == 6, status['CapBnd']
    for user in ('samsara-signer', 'samsara-forge'):
        assert '/nologin' in host.enter('getent', 'passwd', user)
    assert not host.enter('systemctl', '--failed', '--no-legend')


def check_machine(host):
    """The way of the guide (docs/guide/installing.md), and an update of each kind of layout."""
    host.enter('luctl', 'keys', 'init')
    host.enter('cp', '-r', '/usr/lib/samsara/kits', '/root/kits')
    host.enter('sh', '-c', 'luctl release sign /root/kits/*.kit && luctl release add /root/kits/*.kit')
    host.enter('luctl', 'machine', 'start')
    assert 'confirmed' in host.enter('luctl', 'update', 'ds')
    assert 'confirmed' in host.enter('luctl', 'rerandomize', 'ds', '--layout', 'host')


def check_journal(host):
    """What an operator reacts to is found by its id and by the machine's name, and explained."""
    with open(os.path.join(TOP, 'host/base/messages.def'), encoding='utf-8') as f:
        ids = dict(re.findall(r'^MESSAGE\((\w+), "([0-9a-f]+)"', f.read(), re.M))
    up = host.enter('journalctl', '-x', '--no-pager', f'MESSAGE_ID={ids["MACHINE_UP"]}', 'SAMSARA_MACHINE=m1')
    assert 'machine m1 is up' in up and 'Subject: Machine m1 is up' in up, up


def check_killed(host):
    """systemd starts lud again, and the machine never noticed."""
    before, machine = main_pid(host), machine_pid(host)
    host.enter('systemctl', 'kill', '--kill-whom=main', '--signal=KILL', 'lud')
    until(lambda: main_pid(host) not in ('0', before) and is_served(host), 'lud does not come back')
    assert machine_pid(host) == machine and 'confirmed' in host.enter('luctl', 'rerandomize', 'tty')


def check_upgraded(host, package):
    before, machine = main_pid(host), machine_pid(host)
    host.install(package)
    until(lambda: is_served(host), 'lud does not serve after the upgrade')
    assert main_pid(host) != before, 'the old lud serves'
    assert machine_pid(host) == machine and 'confirmed' in host.enter('luctl', 'update', 'ds')


def check_configured(host):
    """The file in /etc is read, at the start and by a reload."""
    host.enter('sh', '-c', 'echo "log_level: debug" >/etc/samsara/lud.yaml; systemctl reload lud')
    until(lambda: 'log_level is changed' in host.journal(), host.journal())


REMOTE = """metrics:
  listen: 127.0.0.1:9911
remote:
  listen: 127.0.0.1:7601
  certificate: /etc/samsara/tls/plant.crt
  key: /etc/samsara/tls/plant.key
"""
IDENTITIES = """kind: Identities
identities:
  - {name: user/alice, roles: [{role: operator, everything: true}]}
"""


def write(host, path, text):
    host.enter('sh', '-c', 'printf %s "$1" >"$2"', 'sh', text, path)


def certify(host):
    """The way of the guide (docs/guide/remote.md), in one directory of this host."""
    for words in ('init --ca ca', 'request host/plant', 'request user/alice', 'issue host/plant plant.req --ca ca',
                  'issue user/alice alice.req --ca ca'):
        host.enter('sh', '-c', f'mkdir -p -m 700 /etc/samsara/tls && cd /etc/samsara/tls && luctl cert {words}')
    host.enter('sh', '-c', 'cd /etc/samsara/tls && cp ca/ca.crt ca/ca.crl .')
    write(host, '/etc/samsara/identities.yaml', IDENTITIES)


def check_network(host):
    """None, but where the example gives lud one: for figures, and for a user of another host, who has the role given there."""
    certify(host)
    write(host, '/etc/samsara/lud.yaml', REMOTE)
    assert host.enter('systemctl', 'restart', 'lud', ok=False).returncode, 'lud has a network'
    host.enter('sh', '-c', 'mkdir /etc/systemd/system/lud.service.d && '
               'cp /usr/share/doc/samsara/examples/network.conf /etc/systemd/system/lud.service.d')
    host.enter('systemctl', 'daemon-reload')
    host.enter('systemctl', 'reset-failed', 'lud')
    host.enter('systemctl', 'restart', 'lud')
    answer = host.enter('bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/9911; printf "GET /metrics HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3')
    assert '200 OK' in answer and 'samsara' in answer, answer
    host.enter('sh', '-c', 'cd /etc/samsara/tls && luctl host add plant 127.0.0.1:7601 --ca ca.crt --crl ca.crl --certificate alice.crt '
               '--key alice.key')
    host.enter('luctl', 'hold', '--reason', 'the feeder', '--host', 'plant')
    assert 'user/alice' in host.enter('luctl', 'holds')
    host.enter('luctl', 'unhold', '--host', 'plant')
    host.enter('rm', '-r', '/etc/systemd/system/lud.service.d', '/etc/samsara/tls', '/etc/samsara/identities.yaml', '/etc/samsara/lud.yaml')
    host.enter('systemctl', 'daemon-reload')
    host.enter('systemctl', 'restart', 'lud')


def check_backup(host):
    host.enter('systemctl', 'start', 'lud-backup')
    copies = host.enter('sh', '-c', 'ls /var/backups/samsara/*').split()
    assert len(copies) == 1
    host.enter('lud', f'--check-record={copies[0]}')


def check_removed(host):
    """The machine ends with the package; what was recorded stays until a purge. Users stay for good."""
    machine = machine_pid(host)
    host.enter('dpkg', '-r', 'samsara')
    until(lambda: host.enter('test', '-d', f'/proc/{machine}', ok=False).returncode, 'the machine goes on')
    host.enter('test', '-f', '/var/lib/samsara/lud.db')
    host.enter('dpkg', '-P', 'samsara')
    left = host.enter('find', '/etc', '/usr', '/var', '/run', '/lib/systemd', '-iname', '*samsara*', '-o', '-name', 'lud*').split()
    assert not left, left


def story(place):
    earlier = shutil.copy(built('0.1.9'), place)
    package = built('0.2.0')
    root_make(package)
    os.makedirs(os.path.join(place, 'upper/root'))
    host = Host(place)
    try:
        host.install(earlier)
        for check, *more in ((check_installed,), (check_machine,), (check_journal,), (check_killed,), (check_upgraded, package), (check_configured,),
                             (check_network,), (check_backup,), (check_removed,)):
            check(host, *more)
            print('ok', check.__name__, flush=True)
    finally:
        host.end()


def main():
    why = reason_not_to()
    if why:
        print(f'# the package is not installed anywhere: {why}')
        return
    with tempfile.TemporaryDirectory(dir='/var/tmp') as place:
        story(place)


if __name__ == '__main__':
    sys.exit(main())
