#!/usr/bin/env python3
"""Who may ask for what, and which users the signer and the workers are.

Usage: users_test.py BUILD [CASE...]      (no case: all of them, several side by side)
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import harness
from harness import FORGE_UID, SIGNER_UID, as_user, child_named, children, status_of, stored


def test_reload(world):
    """SIGHUP takes what can change, names what cannot, and keeps everything when the file is wrong."""
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()

    def reload(text, said):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(text)
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: said in world.log())

    reload(good.replace('"400ms"', '"900ms"') + 'forge:\n  workers: "5"\n', 'forge.workers cannot change')
    assert 'update.timeout is changed' in world.log()
    reload(good + 'nonsense: 5\n', 'the configuration stays as it was')
    assert 'nonsense' in world.log()
    reload('allow_uid: "65534"\n' + good, 'allow_uid is changed')
    assert os.stat(world.socket).st_mode & 0o777 == 0o666
    assert world.json('update', 'ds')['state'] == 'confirmed'


def test_foreign_user(world):
    """The socket's permissions and the peer check keep other users out."""
    if os.getuid() != 0:
        return
    world.start()
    os.chmod(world.dir, 0o777)
    os.chmod(world.state, 0o777)
    os.chmod(world.socket, 0o777)
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(world.socket)
            os._exit(len(sock.recv(100)))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def ask_as(world, uid, *args):
    """luctl run by another user: its exit status and what it said."""
    program = os.path.join(world.dir, 'luctl')  # the tree may be where nobody else may look
    if not os.path.exists(program):
        shutil.copy(world.program('ctl/luctl'), program)
        os.chmod(program, 0o755)
    with tempfile.TemporaryFile('w+') as said:
        def run():
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.chdir('/')
            os.execve(program, ['luctl', *args], {'SAMSARA_SOCKET': world.socket})
        code = as_user(uid, run)
        said.seek(0)
        return code, said.read()


ROLE_CASES = [  # of the requests of control.proto: what a role may, and what it may not
    ('viewer', [('status',), ('history',), ('jobs',), ('machine', 'list'), ('release', 'list'), ('release', 'show', 'ds'), ('release', 'diff', 'ds')],
     [('update', 'ds', 'operator'), ('machine', 'stop', 'operator'), ('machine', 'default', 'm', 'admin'),
      ('release', 'clear', 'ds', '00', 'release-manager'), ('release', 'block', 'ds', '1', 'release-manager')]),
    ('operator', [('update', 'ds'), ('status',)],
     [('machine', 'remove', 'm', 'admin'), ('rerandomize', 'ds', '--override', 'window', '--reason', 'x', 'override'),
      ('release', 'clear', 'ds', '00', 'release-manager')]),
    ('release-manager', [('status',)], [('rerandomize', 'ds', 'operator'), ('machine', 'default', 'm', 'admin')]),
    ('override', [('rerandomize', 'ds', '--override', 'window,hold', '--reason', 'x'), ('status',)],
     [('machine', 'default', 'm', 'admin'), ('policy', 'remove', 'x', 'admin')]),
    ('admin', [('machine', 'default', 'm'), ('rerandomize', 'ds')], []),
]


def test_roles(world):
    """What somebody may ask for is said by the configuration; a refusal says which role was missing."""
    if os.getuid() != 0:
        return
    world.prepare()
    give = harness.roles(world)
    for kind, number in (('user', 65534), ('group', 65534)):
        for role, may, may_not in ROLE_CASES:
            give('%s/%d' % (kind, number), role)
            for command in may:
                code, said = ask_as(world, 65534, *command)
                assert code == 0, (role, command, code, said)
            for *command, needed in may_not:
                code, said = ask_as(world, 65534, *command)
                assert code == 7 and 'without the role ' + needed in said and 'lud\'s configuration' in said, (role, said)
    # Nobody again: who is connected is let go, and comes in no more.
    give()
    assert os.stat(world.socket).st_mode & 0o777 == 0o700
    os.chmod(world.socket, 0o777)
    code, said = ask_as(world, 65534, 'status')
    assert code == 8 and 'may not ask here' in world.log(), (code, said)


def test_reload_lets_go(world):
    """Who loses the last role is disconnected at once; the owner is not."""
    if os.getuid() != 0:
        return
    world.prepare()
    with open(world.config, encoding='ascii') as f:
        good = f.read()
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)

    def reload(text, times):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(text)
        world.lud.send_signal(signal.SIGHUP)
        world.until(lambda: world.log().count('access is changed') == times)

    reload('access:\n  group/65534: viewer\n' + good, 1)
    ready, tell = os.pipe()
    guest = os.fork()
    if guest == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with world.control() as client:
                os.write(tell, b'.')
                client.sock.settimeout(100)
                while client.sock.recv(1000):
                    pass
            os._exit(0)
        finally:
            os._exit(1)
    assert os.read(ready, 1) == b'.'
    reload(good, 2)
    assert os.waitstatus_to_exitcode(os.waitpid(guest, 0)[1]) == 0
    assert 'may not ask here any more' in world.log()
    world.luctl('status')


def test_full(world):
    """Users who wait on every connection that they may have leave room for others and for admins, and lose none for them."""
    if os.getuid() != 0:
        return
    guests, few, admin = (65531, 65532, 65533), range(65521, 65527), 65529
    last = (65520, 65519, 65518)
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('access:\n' + ''.join('  user/%d: operator\n' % uid for uid in (*guests, *few, *last)) + '  user/%d: admin\n' % admin)
    world.prepare()
    for path in (world.dir, world.state):
        os.chmod(path, 0o755)

    def is_refused(uid, why):
        said = world.log().count(why)
        with harness.connect_as(uid, world.socket) as sock:
            sock.settimeout(20)
            assert sock.recv(1) == b''
        return world.log().count(why) > said

    def holds(uid, n):
        client = stack.enter_context(harness.control_as(world, uid))
        client.send(hold={'while_connected': True}, request_id='h%d' % n)
        while not client.progress:
            assert client.receive(20)
        return client

    with contextlib.ExitStack() as stack:
        # Two take all that one user may have; whoever comes then has a share, and the last places are for those without any.
        waiting = [holds(guests[n % 2], n) for n in range(32)]
        assert is_refused(guests[0], 'has too many connections')
        for uid in (guests[2], *few[:2]):
            for n in range(4):
                holds(uid, n)
            assert is_refused(uid, 'has its share of connections')
        for uid in few[2:]:
            holds(uid, 0)
            assert is_refused(uid, 'has its share of connections')
        waiting[1].sock.close()
        world.until(lambda: len(world.json('holds')['holds']) == 47)
        assert is_refused(guests[1], 'has its share of connections')
        holds(last[0], 0)
        assert is_refused(last[1], 'finds no place: every connection but')
        for n in range(4):
            holds(admin, n)
        world.luctl('status')
        assert len(world.json('holds')['holds']) == 52
        # One that waits for nothing makes room, an admin's does not.
        idle = stack.enter_context(harness.control_as(world, admin))
        waiting[0].sock.close()
        world.until(lambda: len(world.json('holds')['holds']) == 51)
        guest = stack.enter_context(harness.control_as(world, last[1]))
        guest.sock.settimeout(20)
        # Nobody takes the place of a user who has fewer.
        assert is_refused(guests[0], 'has its share of connections')
        guest.call(20, hold_list={})
        with harness.control_as(world, last[2]) as control:
            control.call(20, hold_list={})
            assert guest.sock.recv(1) == b''
            idle.call(20, hold_list={})


def assert_confined(status, uid):
    assert status['Uid'].split() == status['Gid'].split() == [str(uid)] * 4, status
    assert not status['Groups'].split() or uid == os.getuid(), status
    assert status['NoNewPrivs'] == '1' and status['Seccomp'] == '2', status
    assert uid == 0 or int(status['CapEff'], 16) == 0, status


def test_signer_user(world):
    """The signer is another user than lud, in a sandbox, and cannot write where lud does."""
    world.prepare()
    world.luctl('update', 'ds')
    uid = SIGNER_UID if os.getuid() == 0 else os.getuid()
    signer = child_named(world, 'lusign')
    assert_confined(signer, uid)
    if os.getuid() != 0:
        assert 'the signer runs as lud' in world.log()
        return
    assert 'the signer runs as uid %d' % uid in world.log()

    def spoil():
        done = 0
        for path in ('/releases/x', '/variants/x', '/lud.db', '/x', '/tmp/x'):
            try:
                with open(world.state + path, 'ab'):
                    done += 1
            except OSError:
                pass
        for name in ('variant.pem', 'order.pem', 'signer.log', 'rules'):
            try:
                with open(os.path.join(world.dir, 'keys', name), 'ab'):
                    done += 1
            except OSError:
                pass
        return done

    os.chmod(world.dir, 0o755)
    assert as_user(uid, spoil) == 0
    # It still signs, and its log is on.
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        lines = len(f.readlines())
    world.luctl('rerandomize', 'ds')
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        assert len(f.readlines()) > lines


def hostile_report(world, ask, code):
    """What a hostile worker could do, what the kernel says of it, and what luctl tells."""
    for name, mode in (('hold', 0o644), ('report', 0o666)):
        with open(os.path.join(world.dir, name), 'w', encoding='ascii'):
            pass
        os.chmod(os.path.join(world.dir, name), mode)
    luctl = subprocess.Popen([world.program('ctl/luctl'), *ask, '--socket', world.socket],
                             stderr=subprocess.PIPE, text=True)
    world.until(lambda: os.path.getsize(world.dir + '/report'))
    status = next(s for s in map(status_of, children(world.lud.pid)) if s['Name'] != 'lusign')
    os.unlink(world.dir + '/hold')
    _, told = luctl.communicate(timeout=100)
    assert luctl.returncode == code, (luctl.returncode, told)
    with open(world.dir + '/report', encoding='ascii') as f:
        return json.load(f), status, told


def test_hostile_forge(world):
    """A forge worker that somebody has taken over gets at nothing but its own bench."""
    world.prepare()
    world.luctl('update', 'ds')
    before = stored(world)
    with open(world.dir + '/hostile.json', 'w', encoding='ascii') as f:
        json.dump({'lud': world.lud.pid, 'state': world.state, 'keys': sorted(os.listdir(world.dir + '/keys'))}, f)
    with open(os.path.join(harness.HERE, 'hostile_luforge.py'), encoding='ascii') as f:
        world.install('fake_luforge', f.read().replace('@WORLD@', world.dir))
    root = os.getuid() == 0
    for ask, code in ((('update', 'ds'), 1), (('release', 'add', world.kits[0]), 4)):
        report, status, told = hostile_report(world, ask, code)
        assert_confined(status, FORGE_UID if root else os.getuid())
        tried = report['tried']
        for name in ('control socket', 'network', 'trace', 'name space', 'clone'):
            assert tried[name] == 'EPERM', (name, tried)
        assert tried.pop('own bench') == 'done' and tried.pop('clone3') == 'ENOSYS', tried
        if root:
            assert set(tried.values()) == {'EPERM', 'EACCES'} and 'key root.pem' in tried, tried
        assert report['environment'] == ['LC_ALL', 'PATH', 'TMPDIR'], report
        assert max(report['open']) <= 6, report
        most = {'CORE': 0, 'NOFILE': 256, 'AS': 8 << 30, 'FSIZE': 1 << 30, 'CPU': 600}
        assert all(0 <= report['limits'][name] <= limit for name, limit in most.items()), report
        # The bait is not taken: what a worker makes is a file, or a directory of files.
        assert 'cannot be put in place' in told, told
    assert not root or stored(world) == before
    assert os.listdir(world.state + '/tmp') == []
    assert world.peer.services['ds']['generation'] == world.running()
    assert ('each forge worker runs as uid %d' % FORGE_UID if root else 'each forge worker runs as lud') in world.log()


# Put into the fake luforge: the real one's payload with a byte changed, and a build id that is right again.
CHANGE = """    done = subprocess.run([luforge, *sys.argv[1:]], close_fds=False)
    if command == 'variant' and not done.returncode:
        with open(options['--out'], 'r+b') as f:
            payload = bytearray(f.read())
            payload[%s] ^= 1
            payload[88:120] = bytes(32)
            payload[88:120] = hashlib.blake2b(payload).digest()[:32]
            f.seek(0)
            f.write(payload)
    sys.exit(done.returncode)
"""


def test_forge_changes(world):
    """A payload of which the forge changed one byte is well formed, and the signer does not sign it."""
    world.prepare()
    with open(world.dir + '/fake_luforge', encoding='ascii') as f:
        good = f.read()
    execs = "    os.execv(luforge, ['luforge', *sys.argv[1:]])\n"
    assert execs in good
    # Code, which the segment has behind its pads; the entry point; the last byte.
    for place in ('payload.index(b"machine code")', '56', '-1'):
        changed = good.replace(execs, CHANGE % place).replace('import sys\n', 'import subprocess\nimport sys\n')
        world.install('fake_luforge', changed)
        told = world.luctl('rerandomize', 'ds', '--layout', 'host', code=7)
        assert 'other-layout' in told and 'step sign' in told and 'luforge verify' in told, (place, told)
        assert not world.peer.seeds and not world.peer.orders
    with open(world.dir + '/keys/signer.log', encoding='ascii') as f:
        log = f.read()
    assert log.count('refused op 2: the layout: ') == 3 and 'variant machine' not in log, log
    world.install('fake_luforge', good)
    assert world.json('rerandomize', 'ds', '--layout', 'host')['jobs'][0]['state'] == 'confirmed'


def test_users(world):
    """The configuration's users are taken as they are, or lud does not start; none is told."""
    with open(world.config, encoding='ascii') as f:
        good = f.read()

    def start(text):
        with open(world.config, 'w', encoding='ascii') as f:
            f.write(good + text)
        return subprocess.run([world.program('orchestrator/lud'), '--config', world.config], check=False,
                              capture_output=True, text=True, timeout=100)

    if os.getuid() != 0:
        return
    for text, said in (('signer:\n  user: no-such-user\n', 'there is no such user'),
                       ('forge:\n  user: root\n', 'it is root'), ('forge:\n  user: "0"\n', 'it is root'),
                       ('signer:\n  user: "60900"\nforge:\n  user: "60900"\n', 'the same')):
        done = start(text)
        assert done.returncode == 3 and said in done.stderr and 'user' in done.stderr, (text, done)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(good + 'signer:\n  user: none\nforge:\n  user: "60900"\n')
    world.prepare()
    world.luctl('update', 'ds')
    assert 'the signer runs as root, like lud' in world.log()
    assert 'each forge worker runs as uid 60900' in world.log()
    assert_confined(child_named(world, 'lusign'), 0)
    store = os.stat(world.state + '/releases')
    assert store.st_gid == 60900
    # Another user takes the store over.
    world.kill(signal.SIGTERM)
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(good)
    world.start()
    assert world.json('rerandomize', 'ds')['jobs'][0]['state'] == 'confirmed'
    stored(world)


def test_one_user(world):
    """Where root can become nobody else, everything works as root, and the log says so; a named user must be had."""
    inside = ('unshare', '--map-root-user')
    if subprocess.run([*inside, 'true'], check=False, capture_output=True).returncode:
        return
    os.chmod(world.dir, 0o711)
    world.kits = [world.kit('ds', 1)]
    world.peer.add_service('ds', world.release_id(world.kits[0]))
    world.start(inside=inside)
    world.luctl('release', 'add', *world.kits)
    world.luctl('machine', 'start', 'm', '--attach', world.peer.path)
    assert world.json('update', 'ds')['state'] == 'confirmed'
    for what in ('the signer', 'each forge worker'):
        assert what + ' runs as root, like lud' in world.log()
    assert child_named(world, 'lusign')['Seccomp'] == '2'
    world.kill(signal.SIGTERM)
    with open(world.config, 'a', encoding='ascii') as f:
        f.write('signer:\n  user: "60900"\n')
    done = subprocess.run([*inside, world.program('orchestrator/lud'), '--config', world.config], check=False,
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 3 and 'signer.user' in done.stderr and 'cannot run as 60900' in done.stderr, done


harness.main(globals(), 2)
