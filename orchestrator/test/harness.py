"""What the tests of lud share: a state directory, keys, kits, a peer, lud and luctl; looks at what they leave behind;
and the loop that runs the cases of a file."""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

import peer

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../proto/py'))
import formats  # noqa: E402
import wire  # noqa: E402

# What lud's children run as where lud is root and no such users have names (lud(8)).
SIGNER_UID, FORGE_UID = 60801, 60802

# The exit codes that each command of luctl may end with (ctl/cmdline/ends.def).
with open(os.path.join(HERE, '../../ctl/cmdline/ends.def'), encoding='ascii') as ends_def:
    TABLE = ends_def.read()
KINDS = {kind: {int(code) for code in codes.split()} for kind, codes in re.findall(r'^KIND\((\w+), "([\d ]+)"', TABLE, re.M)}
ENDS = {command: KINDS[kind] for command, kind in re.findall(r'^ENDS\("([a-z ]+)", (\w+)\)', TABLE, re.M)}

# Steps as the record has them (proto/words/jobs.def).
STEP_FORGE, STEP_STAGE, STEP_RUN, STEP_IMAGE, STEP_ORDER = 2, 4, 5, 6, 9


def kit_list(kit):
    """The list of a kit's files (docs/protocol/kit.md)."""
    names = sorted(os.path.relpath(os.path.join(d, f), kit) for d, _, fs in os.walk(kit) for f in fs)
    text = 'samsara kit files 1\n'
    for name in names:
        if name not in ('manifest', 'manifest.signed', 'files'):
            with open(os.path.join(kit, name), 'rb') as f:
                content = f.read()
            text += '%s %d %s\n' % (hashlib.blake2b(content).hexdigest(), len(content), name)
    return text.encode()


def kit_finish(kit, manifest):
    """Writes list and manifest of a kit whose files have changed; the signature stays what it was."""
    listed = kit_list(kit)
    manifest = bytearray(manifest)
    with open(os.path.join(kit, 'flat'), 'rb') as f:
        flat = f.read()
    struct.pack_into('<Q', manifest, 192, len(flat))
    manifest[200:264] = hashlib.blake2b(flat).digest()
    manifest[264:328] = hashlib.blake2b(listed).digest()
    for name, content in (('files', listed), ('manifest', manifest)):
        with open(os.path.join(kit, name), 'wb') as f:
            f.write(content)


def flat_kit(service, code):
    """A flat kit of proto/image/flat.h: one piece of text, 16-byte aligned, nothing to relocate."""
    size = 96 + 8 + len(code)
    header = struct.pack('<8sIIQ24s12I', b'SAMFLAT', formats.FLAT, 96, size, service.encode(), formats.RECIPE, 1,
                         *[0] * 10)
    return header + struct.pack('<IHBB', len(code), 0, 4, 0) + code


def kit_manifest(service, counter, state, calls=(), floor=0):
    """A kit manifest of proto/envelope/manifest.h that asks for nothing but to call some services."""
    manifest = bytearray(1288)
    struct.pack_into('<8sII24sIIQ', manifest, 0, b'SAMKIT3', formats.MANIFEST, 1288, service.encode(), counter, 0,
                     int(time.time()))
    manifest[56:120] = hashlib.blake2b(b'source %d' % counter).digest()
    struct.pack_into('<Q', manifest, 120, len(state))
    manifest[128:192] = hashlib.blake2b(state).digest()
    struct.pack_into('<I', manifest, 44, floor)
    for n, name in enumerate(calls):
        struct.pack_into('<24s', manifest, 360 + 24 * n, name.encode())
    struct.pack_into('<I', manifest, 1216, len(calls))
    struct.pack_into('<24s', manifest, 1032, b'work-free')
    struct.pack_into('<QQ', manifest, 1288 - 16, 1 << 20, 65536)
    return bytes(manifest)


class World:
    """Everything that one test needs, in a directory that goes with it."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.tmp = tempfile.TemporaryDirectory(prefix='lud_test.')
        self.dir = self.tmp.name
        self.state = os.path.join(self.dir, 'run')
        self.socket = os.path.join(self.state, 'lud.sock')
        self.config = os.path.join(self.dir, 'lud.yaml')
        self.lud = None
        self.disk = False
        self.ballast = ''
        self.ahead = 0  # of the clock that programs see
        with open(self.config, 'w', encoding='ascii') as f:
            f.write('state_dir: %s\nkeyring: %s/keys\nprograms:\n  luforge: %s/fake_luforge\n'
                    'update:\n  timeout: "400ms"\n  prepare_timeout: "100ms"\n'
                    '  transfer_timeout: "100ms"\n  stage_chunk: "2KiB"\n  layout: host\n'
                    % (self.state, self.dir, self.dir))
        self.pairing()
        self.peer = peer.Peer(os.path.join(self.dir, 'port.sock'))
        self.luctl('keys', 'init', '--keys', self.dir + '/keys')

    def __enter__(self):
        self.peer.__enter__()
        return self

    def __exit__(self, *exc):
        code = self.kill(signal.SIGTERM)
        self.peer.__exit__()
        if exc[0] is not None or code:
            with open(os.path.join(self.dir, 'lud.log'), encoding='utf-8') as f:
                sys.stderr.write(f.read()[-6000:])
        if self.disk:
            subprocess.run(['umount', self.state], check=True)
        self.tmp.cleanup()
        assert exc[0] is not None or not code, 'lud did not end well: %d' % code

    def program(self, name):
        return os.path.join(self.build, name)

    def workshop(self, pairing):
        """The fake luforge, and the real one that it runs where every user may."""
        os.chmod(self.dir, 0o711)
        real = os.path.join(self.dir, 'luforge')
        shutil.copy(self.program('forge/luforge'), real)
        shutil.copy(self.program('forge/luforge-compare'), real + '-compare')
        with open(os.path.join(HERE, 'fake_luforge.py'), encoding='ascii') as f:
            fake = f.read().replace('@LUFORGE@', real).replace('@PAIRING@', pairing)
        self.install('fake_luforge', fake)

    def install(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='ascii') as f:
            f.write(text)
        os.chmod(path, 0o755)

    def luctl(self, *args, code=0, errors=False, out=False):
        """Runs luctl; its standard output, or its errors when it is to fail or they are asked for."""
        environment = {**os.environ, 'SAMSARA_SOCKET': self.socket, 'SAMSARA_HOSTS': self.dir + '/hosts.yaml'}
        done = subprocess.run([self.program('ctl/luctl'), *args], env=environment, check=False,
                              capture_output=True, text=True, timeout=100)
        assert code is None or done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        ends = ENDS.get(' '.join(args[:2])) or ENDS.get(' '.join(args[:1]))
        assert not ends or done.returncode in ends, ('ends.def', args, done.returncode)
        return done.stderr if (code or errors) and not out else done.stdout

    def json(self, *args, code=0):
        return json.loads(self.luctl(*args, '--json', code=code, out=True))

    def shifted(self, days, *command):
        """Runs luctl with its clock put elsewhere."""
        with open(self.dir + '/clock', 'wb') as f:
            f.write(struct.pack('=q', int(days * 86400)))
        subprocess.run([self.program('ctl/luctl'), *command], check=True, capture_output=True, env=dict(
            os.environ, LD_PRELOAD=self.program('tests/system/libclock_shift.so'),
            SAMSARA_TEST_CLOCK=self.dir + '/clock'))

    def clock(self):
        """From now on the clock of lud and luctl can be set, once they are started."""
        path = os.path.join(self.dir, 'clock')
        with open(path, 'wb') as f:
            f.write(struct.pack('=q', 0))
        os.environ['SAMSARA_TEST_CLOCK'] = path
        os.environ['LD_PRELOAD'] = self.program('tests/system/libclock_shift.so')

    def set_clock(self, seconds):
        """The clock is ahead by so much from now on; a lud that runs has noticed when this returns."""
        is_news, told = self.lud and self.ahead != seconds, self.log().count('the clock was set by') if self.lud else 0
        self.ahead = seconds
        with open(os.path.join(self.dir, 'clock'), 'r+b') as f:
            f.write(struct.pack('=q', seconds))
        if is_news:
            with self.control() as control, contextlib.suppress(wire.Refused):  # perhaps there is no machine
                control.call(status={})
            self.until(lambda: self.log().count('the clock was set by') > told)

    def now(self):
        """By that clock."""
        return time.time() + self.ahead

    def on_terminal(self, *args, **environment):
        """What luctl shows on a terminal, both streams."""
        ours, theirs = os.openpty()
        environment = {'TERM': 'xterm', **{k: v for k, v in os.environ.items() if k != 'NO_COLOR'},
                       'SAMSARA_SOCKET': self.socket, **environment}
        luctl = subprocess.Popen([self.program('ctl/luctl'), *args], stdin=theirs, stdout=theirs, stderr=theirs,
                                 env=environment)
        os.close(theirs)
        shown = b''
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
        luctl.wait(100)
        return shown.decode()

    def pairing(self, **forward):
        """What luforge will say of any two kits; nothing is lost unless told."""
        self.workshop(json.dumps(forward))

    def n_paired(self):
        """How many jobs had two releases paired."""
        db = sqlite3.connect('file:%s/lud.db?mode=ro' % self.state, uri=True)
        n, = db.execute('SELECT count(*) FROM job_pairings').fetchone()
        db.close()
        return n

    def kit(self, service, counter, build=None, **says):
        """Makes and signs a kit; its path. Builds of one counter are different releases."""
        build = build or counter
        path = os.path.join(self.dir, '%s-%d.kit' % (service, build))
        os.makedirs(path)
        state = b'state description %d' % build
        flat = flat_kit(service, b'machine code %d' % counter)
        for name, content in (('state', state), ('flat', flat), ('names', b'_start\n'), ('service', b''),
                              ('recipe', b'luforge kit 3\nrecipe %d\n' % formats.RECIPE)):
            with open(os.path.join(path, name), 'wb') as f:
                f.write(content)
        kit_finish(path, kit_manifest(service, counter, state, **says))
        self.luctl('release', 'sign', path, '--keys', self.dir + '/keys')
        return path

    def release_id(self, kit):
        with open(os.path.join(kit, 'manifest'), 'rb') as f:
            return hashlib.blake2b(f.read()).digest()

    def small_disk(self):
        """Puts the state directory on a disk of its own that can be filled, where the user may mount one."""
        os.makedirs(self.state)
        self.disk = os.getuid() == 0 and subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', self.state], check=False,
            capture_output=True).returncode == 0

    def log(self):
        with open(os.path.join(self.dir, 'lud.log'), encoding='utf-8') as f:
            return f.read()

    def until(self, probe, seconds=120):
        """What the probe gives, once that is true of it."""
        deadline = time.monotonic() + seconds
        while not (value := probe()):
            assert time.monotonic() < deadline, 'waited in vain'
            time.sleep(0.02)
        return value

    def start(self, die_at='', stop_at='', inside=(), faults=None):
        """Starts lud (the test build), perhaps inside another program, and waits until it answers. `faults`: of its
        disk (record_fault.c); with DIE_AT it may end before."""
        environment = {**os.environ, 'SAMSARA_DIE_AT': die_at, 'SAMSARA_STOP_AT': stop_at}
        if faults is not None:
            environment['LD_PRELOAD'] = self.program('orchestrator/librecord_fault.so')
            environment.update({'RECORD_FAULT_' + name: str(value) for name, value in faults.items()})
            die_at = die_at or faults.get('DIE_AT')
        with open(os.path.join(self.dir, 'lud.log'), 'ab') as log:
            self.lud = subprocess.Popen(
                [*inside, self.program('orchestrator/lud_test'), '--config', self.config], stderr=log,
                env=environment, extra_groups=[4] if os.getuid() == 0 and not inside else None)
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and self.lud.poll() is None:
            try:
                with self.control():
                    return
            except (OSError, TimeoutError, wire.Ended):
                time.sleep(0.01)
        assert die_at, 'lud does not come up'

    def control(self):
        return wire.Client.connect(self.socket, wire.CONTROL, timeout=30)

    def kill(self, how=signal.SIGKILL):
        if self.lud:
            self.lud.send_signal(how)
            code = self.lud.wait(100)
            self.lud = None
            return code
        return None

    def wait_stopped(self):
        """Until lud halts itself where `stop_at` said; lud.send_signal(SIGCONT) lets it go on."""
        def stopped():
            with open('/proc/%d/stat' % self.lud.pid, encoding='ascii') as f:
                return f.read().rsplit(') ', 1)[1][0] == 'T'
        self.until(stopped)

    def wait_dead(self):
        self.lud.wait(100)
        self.lud = None

    def settle(self, job=None):
        """The job (or the newest) once it is settled; waits, does not poll."""
        job = job or self.newest_job()
        with self.control() as control:
            return control.call(timeout=100, job_show={'job': job, 'wait': True})

    def newest_job(self):
        with self.control() as control:
            jobs = [j['id'] for j in control.call(status={}).get('open_jobs', [])]
            history = control.call(history={'limit': 1})
        return max(jobs + [g['job']['id'] for g in history.get('generations', [])])

    def prepare(self, n_releases=1):
        """lud up, kits registered, the peer attached and running release 1 of ds."""
        self.kits = [self.kit('ds', n + 1) for n in range(n_releases)]
        self.peer.add_service('ds', self.release_id(self.kits[0]))
        self.peer.add_service('rs', bytes(64), can_update=False)
        self.start()
        self.luctl('release', 'add', *self.kits)
        self.luctl('machine', 'start', 'm', '--attach', self.peer.path)

    def running(self):
        return self.peer.services['ds']['generation']


def die(world, death, **request):
    """lud started anew, with a request during which it kills itself at this point."""
    world.kill()
    world.start(die_at=death)
    with world.control() as control, contextlib.suppress(wire.Ended, OSError):
        control.call(**request)
    world.wait_dead()


PHASES = ('begin', 'did', 'end')


def points(world, run, steps=()):
    """The places that lud comes to in such a run, by its own list; each write of each of these steps is among them."""
    world.kill()
    path = os.path.join(world.dir, 'points')
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.environ['SAMSARA_POINTS'] = path
    world.start()
    del os.environ['SAMSARA_POINTS']
    run()
    world.kill()
    with open(path, encoding='ascii') as f:
        found = list(dict.fromkeys(f.read().split('\n')[:-1]))
    assert {'%s.%s' % (step, phase) for step in steps for phase in PHASES} <= set(found), found
    return found


def rows(world, query):
    """All rows of what is asked of the record."""
    with contextlib.closing(sqlite3.connect('file:%s/lud.db?mode=ro' % world.state, uri=True)) as db:
        return db.execute(query).fetchall()


def record(world, query):
    """The first row of what is asked of the record."""
    return next(iter(rows(world, query)), None)


def made(world, *words):
    """The job of a command whose layout the machine makes; it is to commit."""
    job = world.json(*words)
    job = job['jobs'][0] if 'jobs' in job else job
    assert job['state'] == 'confirmed' and job['layout'] == 'machine', job
    assert job['generation'] == world.running() and world.peer.services['ds']['machine_made'], job
    return job


def holds(directory, secret):
    """Files below the directory with these bytes, as they are or in hexadecimal digits."""
    found = []
    for path in (os.path.join(d, f) for d, _, names in os.walk(directory) for f in names):
        if os.path.isfile(path):
            with open(path, 'rb') as f:
                content = f.read()
            if secret in content or secret.hex().encode() in content.lower():
                found.append(path)
    return found


MOVED = 'machine:\n  boot_layouts: moved\n'


def moves(world):
    """The jobs that moved boot layouts, newest first, and the jobs that they asked for."""
    jobs = world.json('jobs')['jobs']
    return [j for j in jobs if j['kind'] == 'move'], [j for j in jobs if j['parent']]


def is_moved(world, n):
    """Whether so many moves are over, and what can move is in a layout of the machine's own."""
    done, _ = moves(world)
    return len(done) == n and all(j['ended_us'] for j in done) and all(
        s.get('machine_made') for s in world.peer.services.values() if s['can_update'])


def configured(world, text):
    """Has lud read its configuration, with this behind the section `update`."""
    with open(world.config, encoding='ascii') as f:
        was = f.read()
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(was.split('  layout: ')[0].split('layouts:')[0].split('machine:')[0] + text)
    n = world.log().count('configuration is read')
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: world.log().count('configuration is read') > n)


LOST = {'what': 'variable', 'entry': 'store.c:keys', 'member': '', 'text': 'store.c:keys'}


def damage(kit, name):
    """Changes the last byte of a file."""
    with open(os.path.join(kit, name), 'r+b') as f:
        f.seek(-1, os.SEEK_END)
        byte, = f.read(1)
        f.seek(-1, os.SEEK_END)
        f.write(bytes([byte ^ 1]))


def stored(world):
    """The stored kits; everything in the store is lud's, and forge workers with a user of their own read it."""
    store = world.state + '/releases'
    shared = 0o050 if os.getuid() == 0 else 0
    for place, _, names in os.walk(store):
        for name in ('.', *names):
            found = os.lstat(os.path.join(place, name))
            assert found.st_mode & 0o777 == (0o700 | shared if name == '.' else 0o600 | shared & 0o040), name
            assert found.st_uid == os.getuid() and found.st_gid == (FORGE_UID if shared else os.getgid()), name
    return sorted(os.path.join(store, name) for name in os.listdir(store))


def copy_stored(path, to):
    """As it is, with owners and modes."""
    subprocess.run(['cp', '-a', path, to], check=True)


def fill(directory):
    """Leaves no byte free on the file system of a directory; the file that does it."""
    path = os.path.join(directory, 'ballast')
    with open(path, 'wb', buffering=0) as f, contextlib.suppress(OSError):
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    f.write(bytes(size))
    return path


@contextlib.contextmanager
def refused(world, write):
    """No such write to the record gets through, which is well all the same."""
    with contextlib.closing(sqlite3.connect(os.path.join(world.state, 'lud.db'), isolation_level=None)) as db:
        db.execute("CREATE TRIGGER refuse BEFORE %s BEGIN SELECT RAISE(ABORT, 'no'); END" % write)
        yield
        db.execute('DROP TRIGGER refuse')


def children(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as f:
        return [int(child) for child in f.read().split()]


def status_of(pid):
    """What the kernel says of a process."""
    with open('/proc/%d/status' % pid, encoding='utf-8') as f:
        return dict(line.rstrip('\n').split(':\t', 1) for line in f if ':\t' in line)


def child_named(world, name):
    found = [status_of(child) for child in children(world.lud.pid)]
    return next((status for status in found if status['Name'].startswith(name)), None)


def as_user(uid, what):
    """Runs something as another user; its result, a small number."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            os._exit(what())
        finally:
            os._exit(255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def connect_as(uid, path):
    """A connected socket of another user's: whom the kernel tells of is who has connected."""
    ours, theirs = socket.socketpair()

    def connect():
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(path)
            socket.send_fds(theirs, [b'.'], [sock.fileno()])
        return 0
    with ours, theirs:
        assert as_user(uid, connect) == 0
        return socket.socket(fileno=socket.recv_fds(ours, 1, 1)[1][0])


def control_as(world, uid):
    """world.control() of another user."""
    client = wire.Client(connect_as(uid, world.socket), wire.CONTROL)
    client.hello(20)
    return client


def roles(world):
    """A function that gives other users (`user/65534`) a role by a new configuration, one after the other, or without words
    none; they can reach the socket."""
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for place in (world.dir, world.state):
        os.chmod(place, 0o755)

    def give(*who_and_role):
        n = world.log().count('access is changed')
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(('access:\n  %s: %s\n' % who_and_role if who_and_role else '') + good)
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: world.log().count('access is changed') > n)
    return give


def refused_call(control, **request):
    """The error that a request is answered with."""
    try:
        control.call(**request)
    except wire.Refused as error:
        return error.error
    raise AssertionError('%s is not refused' % request)


def run_alone(names, n_side_by_side):
    """Each case in a process of its own, several at a time, for they wait a lot. True if one failed.

    SAMSARA_FIRST_FAILURE: its cases come first, and once one has failed no other begins; so tests/mutants asks.
    """
    first = os.environ.get('SAMSARA_FIRST_FAILURE')
    is_over = threading.Event()
    names = sorted(names, key=lambda name: name not in (first or '').split())
    def run(name):
        started = time.monotonic()
        if is_over.is_set():
            return name, None, 0
        done = subprocess.run([sys.executable, sys.argv[0], sys.argv[1], name], check=False, capture_output=True, text=True)
        if done.returncode and first is not None:
            is_over.set()
        return name, done, time.monotonic() - started
    failed = False
    with concurrent.futures.ThreadPoolExecutor(n_side_by_side) as pool:
        for number, (name, done, seconds) in enumerate(pool.map(run, names), 1):
            if not done:
                continue
            print('%sok %d %s # %.1f s' % ('not ' if done.returncode else '', number, name, seconds), flush=True)
            if done.returncode:
                failed = True
                print(done.stdout + done.stderr, flush=True)
    return failed


def main(file, n_side_by_side):
    """Runs the cases named on the command line, or all functions test_NAME of a file, so many at a time; and ends."""
    tests = {n[5:]: f for n, f in file.items() if n.startswith('test_')}
    if not sys.argv[2:]:
        sys.exit(run_alone(list(tests), n_side_by_side))
    for number, name in enumerate(sys.argv[2:], 1):
        with World(sys.argv[1]) as world:
            tests[name](world)
        print('ok %d %s' % (number, name), flush=True)
    sys.exit(0)
