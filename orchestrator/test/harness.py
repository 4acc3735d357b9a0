"""What the tests of lud share: a state directory, keys, kits, a peer, lud and luctl."""

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import peer

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../proto/py'))
import formats  # noqa: E402
import wire  # noqa: E402


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


def kit_manifest(service, counter, state):
    """A kit manifest of proto/envelope/manifest.h that asks for nothing."""
    manifest = bytearray(1288)
    struct.pack_into('<8sII24sIIQ', manifest, 0, b'SAMKIT3', formats.MANIFEST, 1288, service.encode(), counter, 0,
                     int(time.time()))
    manifest[56:120] = hashlib.blake2b(b'source %d' % counter).digest()
    struct.pack_into('<Q', manifest, 120, len(state))
    manifest[128:192] = hashlib.blake2b(state).digest()
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
        environment = {**os.environ, 'SAMSARA_SOCKET': self.socket}
        done = subprocess.run([self.program('ctl/luctl'), *args], env=environment, check=False,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done.stderr if (code or errors) and not out else done.stdout

    def json(self, *args, code=0):
        return json.loads(self.luctl(*args, '--json', code=code, out=True))

    def pairing(self, **forward):
        """What luforge will say of any two kits; nothing is lost unless told."""
        self.workshop(json.dumps(forward))

    def n_paired(self):
        """How many jobs had two releases paired."""
        db = sqlite3.connect('file:%s/lud.db?mode=ro' % self.state, uri=True)
        n, = db.execute('SELECT count(*) FROM jobs WHERE pairing IS NOT NULL').fetchone()
        db.close()
        return n

    def kit(self, service, counter, build=None):
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
        kit_finish(path, kit_manifest(service, counter, state))
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

    def until(self, probe, seconds=20):
        deadline = time.monotonic() + seconds
        while not probe():
            assert time.monotonic() < deadline, 'waited in vain'
            time.sleep(0.02)

    def start(self, die_at='', stop_at='', inside=()):
        """Starts lud (the test build), perhaps inside another program, and waits until it answers."""
        environment = {**os.environ, 'SAMSARA_DIE_AT': die_at, 'SAMSARA_STOP_AT': stop_at}
        with open(os.path.join(self.dir, 'lud.log'), 'ab') as log:
            self.lud = subprocess.Popen(
                [*inside, self.program('orchestrator/lud_test'), '--config', self.config], stderr=log,
                env=environment, extra_groups=[4] if os.getuid() == 0 and not inside else None)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.lud.poll() is None:
            try:
                with self.control():
                    return
            except (OSError, TimeoutError, wire.Ended):
                time.sleep(0.01)
        assert die_at, 'lud does not come up'

    def control(self):
        return wire.Client.connect(self.socket, wire.CONTROL, timeout=5)

    def kill(self, how=signal.SIGKILL):
        if self.lud:
            self.lud.send_signal(how)
            code = self.lud.wait(20)
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
        self.lud.wait(20)
        self.lud = None

    def settle(self, job=None):
        """The job (or the newest) once it is settled; waits, does not poll."""
        job = job or self.newest_job()
        with self.control() as control:
            return control.call(timeout=40, job_show={'job': job, 'wait': True})

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
