"""A lab for whole-system tests: a keyring, signed kits, lud, a real machine under QEMU and luctl, all in one
private directory. Python 3, standard library only.

    with Lab('build') as lab:
        lab.start()
        lab.luctl('update', 'ds')
"""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for part in ('proto/py', 'osd'):
    sys.path.insert(0, os.path.join(ROOT, part))
import services as shipped  # noqa: E402
import wire  # noqa: E402

SERVICES = ' '.join([*shipped.machine(), 'assist', 'load'])
# Finds hangs: a host with other work to do is a hundred times as slow as one without.
DEADLINE = 120
# Of the machines of a lab.
CPUS = int(os.environ.get('SAMSARA_CPUS', '1'))
# Virtual CPUs wait for each other, for as long as the host runs something else in place of one of them.
SLOW = ('prepare_timeout: "60s"', 'transfer_timeout: "60s"', 'timeout: "150s"')
# Of a command whose layout this host is to make: what a test looks at, or takes away, is here.
HOST = ('--layout', 'host')


class Failed(Exception):
    pass


def until(what, seconds, probe):
    """Poll a probe until it gives something true; the deadline names what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f'waited {seconds} s for {what}')
        time.sleep(0.02)


class Answer:
    """What a run of luctl gave."""

    def __init__(self, run):
        self.code, self.out, self.err = run.returncode, run.stdout, run.stderr

    @property
    def json(self):
        return json.loads(self.out)


class Lab:
    # Who makes layouts where a command does not say: "host", "machine", or "" for whoever can.
    layout = ''

    def __init__(self, build, services=SERVICES, lud='lud', more_config='', keep=None):
        self.build = os.path.abspath(build)
        self.services = services
        self.lud_program = lud
        self.more_config = more_config
        self.dir = keep or tempfile.mkdtemp(prefix='samsara-')
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o711)  # lusign_test's clock is in it, and is read by the signer's user
        self.keep = keep is not None
        self.keys = os.path.join(self.dir, 'keys')
        self.kits = os.path.join(self.dir, 'kits')
        self.socket = os.path.join(self.dir, 'state', 'lud.sock')
        self.config = os.path.join(self.dir, 'lud.yaml')
        self.lud = None
        self.lud_log = open(os.path.join(self.dir, 'lud.log'), 'ab')

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        try:
            self.end()
        finally:
            self.lud_log.close()
            if kind is None and not self.keep:
                shutil.rmtree(self.dir, ignore_errors=True)
            elif kind is not None:
                print(f'lab: left in {self.dir}')

    def program(self, *parts):
        return os.path.join(self.build, *parts)

    def prepare(self):
        """Keys, signed kits, configuration."""
        self.luctl('keys', 'init', '--keys', self.keys, offline=True, check=True)
        os.makedirs(self.kits, exist_ok=True)
        for name in self.services.split():
            self.kit_copy(name)
        self.sign(*self.services.split())
        with open(self.config, 'w') as f:
            config = [*([f'layout: {self.layout}'] if self.layout else []), *(SLOW if CPUS > 1 else [])]
            config = 'update:\n' + ''.join(f'  {line}\n' for line in config) if config else ''
            f.write(f'state_dir: "{self.dir}/state"\ncontrol_socket: "{self.socket}"\n'
                    f'keyring: "{self.keys}"\n'
                    f'{config}{self.more_config}machine:\n  services: "{self.services}"\n  cpus: "{CPUS}"\n')

    def kit_source(self, name):
        return self.program('osd', name + '.kit')

    def kit_copy(self, name):
        shutil.copytree(self.kit_source(name), os.path.join(self.kits, name + '.kit'),
                        dirs_exist_ok=True)

    def kit(self, name):
        return os.path.join(self.kits, name + '.kit')

    def sign(self, *names):
        self.luctl('release', 'sign', *[self.kit(n) for n in names], '--keys', self.keys, offline=True, check=True)

    def add_release(self, name):
        """Copy, sign and register another kit, such as ds-2."""
        self.kit_copy(name)
        self.sign(name)
        return self.luctl('release', 'add', self.kit(name), check=True)

    def luctl(self, *args, offline=False, check=False, as_json=False, timeout=300):
        argv = [self.program('ctl', 'luctl'), *args]
        if not offline:
            argv += ['--socket', self.socket]
        if as_json:
            argv.append('--json')
        run = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
        answer = Answer(run)
        if check and run.returncode != 0:
            raise Failed(f'luctl {" ".join(args)}: exit {run.returncode}: {run.stderr.strip()}')
        return answer

    def luctl_begin(self, *args):
        """luctl at work, for a test that does something meanwhile."""
        return subprocess.Popen([self.program('ctl', 'luctl'), *args, '--socket', self.socket], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def lud_launch(self, program=None, env=None):
        """Start lud and do not wait for it."""
        self.lud = subprocess.Popen(
            [self.program('orchestrator', program or self.lud_program), '--config', self.config],
            stdin=subprocess.DEVNULL, stdout=self.lud_log, stderr=self.lud_log, env=dict(os.environ, **(env or {})))

    def lud_start(self, program=None, env=None):
        self.lud_launch(program, env)
        until('lud to answer', DEADLINE, lambda: self.luctl('version').code == 0)

    def lud_kill(self):
        self.lud.send_signal(signal.SIGKILL)
        self.lud.wait()

    def lud_stop(self):
        """End lud as an operator would; the machine runs on. Its exit status."""
        self.lud.terminate()
        return self.lud.wait(DEADLINE)

    def lud_has_died(self):
        """Wait for a lud that ends itself; true if it was by SIGKILL."""
        return self.lud.wait(DEADLINE) == -signal.SIGKILL

    def lud_is_halted(self):
        with open(f'/proc/{self.lud.pid}/stat', encoding='ascii') as f:
            return f.read().rsplit(') ', 1)[1][0] == 'T'

    def start(self, env=None):
        """Everything from nothing to a machine whose services are up."""
        self.prepare()
        self.lud_start(env)
        self.luctl('release', 'add', *[self.kit(n) for n in self.services.split()], check=True)
        self.luctl('machine', 'start', check=True)
        self.wait_up()

    def wait_up(self):
        until('the services to be up', DEADLINE, self.is_up)

    def is_up(self):
        answer = self.luctl('status', as_json=True)
        if answer.code != 0:
            return False
        services = answer.json.get('services', [])
        return len(services) == len(self.services.split()) and all(
            s['service'].get('state') == 'running' for s in services)

    def status(self):
        return self.luctl('status', check=True, as_json=True).json

    def service(self, name):
        for s in self.status()['services']:
            if s['service']['name'] == name:
                return s['service']
        raise Failed(f'status has no service {name}')

    def metrics(self, name='load'):
        return {m['name']: m.get('value', 0) for m in self.service(name).get('metrics', [])}

    def wait_load(self, more=500):
        """Wait until the load has done so many more operations; its figures then."""
        start = until('the load to tell its figures', DEADLINE, lambda: 'operations' in self.metrics() and self.metrics())['operations']
        until('the load to go on', DEADLINE, lambda: self.metrics()['operations'] >= start + more)
        return self.metrics()

    def history(self, *args):
        return self.luctl('history', *args, '--limit', '2000', check=True, as_json=True).json['generations']

    def show(self, name, generation):
        return self.luctl('show', name, str(generation), check=True, as_json=True).json

    def settled(self, name='ds'):
        """Wait until lud is attached and no job is open; the service as the machine has it."""
        until('open jobs to be settled', DEADLINE, lambda: self.is_up() and not self.status().get('open_jobs'))
        return self.service(name)

    def both(self, name):
        """What the machine says of a service and the rows that the record has of it as running, both of one time: a machine
        may move a service at any moment."""
        end = time.monotonic() + DEADLINE
        while True:
            now = self.settled(name)
            runs = [g for g in self.history(name) if g['state'] == 'running']
            then = self.service(name)
            if all(now[key] == then[key] for key in ('generation', 'made', 'restarts', 'commitment', 'state')):
                return now, runs
            assert time.monotonic() < end, (now, then)

    def check_truth(self, name='ds'):
        """The record says of a service what the machine says."""
        now, runs = self.both(name)
        assert len(runs) == 1, runs
        # Of a layout that the machine made neither says where it lies.
        place = () if now['machine_made'] else ('build_id', 'base_address')
        assert runs[0]['known_outside'] == (not now['machine_made']), runs[0]
        assert not now['machine_made'] or not (now['base_address'] or runs[0]['base_address']), (now, runs[0])
        for key in ('generation', 'release_id', 'made', *place, *(('commitment',) if now['machine_made'] else ())):
            assert runs[0][key] == now[key], (key, runs[0], now)
        return now

    def record(self, query, *values):
        """Rows of lud's database."""
        db = sqlite3.connect(f'file:{self.dir}/state/lud.db?mode=ro', uri=True)
        try:
            return db.execute(query, values).fetchall()
        finally:
            db.close()

    def results(self):
        """Epoch and number of each order of which the machine told a result, as lud has recorded them."""
        return self.record('SELECT epoch, txn FROM events WHERE txn > 0 ORDER BY id')

    @property
    def machine_dir(self):
        return os.path.join(self.dir, 'state', 'machines', 'm1')

    def machine(self):
        """A client of the machine itself; lud must have let go of it."""
        return wire.Client.connect(os.path.join(self.machine_dir, 'port.sock'), wire.MACHINE)

    def offer(self, name, state='running'):
        """What a service runs, or ran last: payload, state description, envelope, generation."""
        row = next(g for g in self.history(name) if g['state'] == state)
        path, = self.record('SELECT path FROM variants WHERE lower(hex(payload_hash)) = ?', row['payload_hash'])[0]
        kit, = self.record('SELECT path FROM releases WHERE lower(hex(release_id)) = ?', row['release_id'])[0]
        envelope = bytes.fromhex(self.show(name, row['generation'])['envelope'])
        with open(path, 'rb') as payload, open(os.path.join(kit, 'state'), 'rb') as state:
            return payload.read(), state.read(), envelope, row['generation']

    def order(self, name, generation):
        """The envelope of the order that made this generation run."""
        head, rest = self.record(
            "SELECT coalesce(substr(h.bytes, 1, e.head_len), x''), e.bytes FROM order_envelopes e"
            ' JOIN orders o ON o.id = e.id LEFT JOIN order_heads h ON h.id = e.head'
            ' JOIN generations g ON g.job = o.job JOIN services s ON s.id = g.service'
            ' WHERE s.name = ? AND g.number = ? AND o.action = 1 ORDER BY o.id DESC LIMIT 1', name, generation)[0]
        return head + rest

    def newest_txn(self):
        """The highest transaction number that lud has had signed."""
        return self.record('SELECT coalesce(max(txn), 0) FROM orders')[0][0]

    def statement(self):
        """The starting statement that the machine was started with."""
        with open(os.path.join(self.machine_dir, 'statement.envelope'), 'rb') as f:
            return f.read()

    def craft(self, envelope, *changes):
        """Another envelope out of this one (keyring/test/craft.c)."""
        with tempfile.TemporaryDirectory(dir=self.dir) as work:
            was, made = os.path.join(work, 'was'), os.path.join(work, 'made')
            with open(was, 'wb') as f:
                f.write(envelope)
            subprocess.run([self.program('keyring', 'envelope_craft'), was, made, *changes], check=True)
            with open(made, 'rb') as f:
                return f.read()

    def resources(self):
        """What is free in the machine, staged files left out of account."""
        with wire.Client.connect(self.socket, wire.CONTROL) as lud:
            lud.call(stage_drop={})
            return lud.call(resources={})

    def qemu_pid(self):
        """The machine's process, 0: there is none."""
        try:
            with open(os.path.join(self.machine_dir, 'qemu.pid')) as f:
                pid = int(f.read())
            with open(f'/proc/{pid}/cmdline') as f:
                return pid if self.dir in f.read() else 0
        except (OSError, ValueError):
            return 0

    def recover(self):
        """After a failed case: lud runs, whatever happened."""
        if self.lud.poll() is None:
            self.lud_stop()
        self.lud_start()

    def tails(self):
        """What the logs end with, for whoever looks at a failure."""
        for path in (self.lud_log.name, os.path.join(self.machine_dir, 'debug.log')):
            if os.path.exists(path):
                with open(path, errors='replace') as f:
                    yield from [path + ':\n'] + f.readlines()[-12:]

    def end(self):
        if self.lud is not None and self.lud.poll() is None:
            self.lud.terminate()
            try:
                self.lud.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.lud.kill()
                self.lud.wait()
        pid = self.qemu_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)
            until('the machine to end', DEADLINE, lambda: not self.qemu_pid())
