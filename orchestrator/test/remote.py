"""A lud that listens for TLS, and clients that keep or break its rules."""

import contextlib
import os
import re
import signal
import socket
import ssl
import time

import wire
from authority import Authority

PROTOCOL = 'samsara-control/1'
HOST = '127.0.0.1'


def configure(world, listen=HOST + ':0', **limits):
    """Writes the section `remote`; a quantity is quoted."""
    with open(world.config, encoding='ascii') as f:
        was = f.read().split('remote:\n')[0]
    ca = world.ca
    keys = {'listen': listen, 'ca': ca.path('ca.crt'), 'crl': ca.path('ca.crl'), 'certificate': ca.path('lud.crt'),
            'key': ca.path('lud.key'), 'identities': world.dir + '/identities.yaml', **limits}
    with open(world.config, 'w', encoding='ascii') as f:
        f.write(was + 'remote:\n' + ''.join('  %s: "%s"\n' % item for item in keys.items()))


def identify(world, **roles):
    """Writes the identities: a role on everything for each user."""
    with open(world.dir + '/identities.yaml', 'w', encoding='ascii') as f:
        f.write('kind: Identities\nidentities: ' + ('' if roles else '[]') + '\n' + ''.join(
            '  - {name: user/%s, roles: [{role: %s, everything: true}]}\n' % item for item in roles.items()))


def prepare(world, *users, **limits):
    """A CA, a host and users, who are admins, and lud started."""
    world.ca = Authority(os.path.join(world.dir, 'ca'))
    world.ca.issue('lud', 'host/lud', 'serverAuth')
    for user in users or ('alice',):
        world.ca.issue(user)
    identify(world, **{user: 'admin' for user in users or ('alice',)})
    configure(world, **limits)
    world.start()


def port(world):
    return world.until(lambda: re.findall(r'remote: listening at [\d.]+:(\d+)', world.log()))[-1]


def reload(world):
    n = world.log().count('configuration is read')
    world.lud.send_signal(signal.SIGHUP)
    world.until(lambda: world.log().count('configuration is read') > n)
    with world.control() as control:  # the rest of the same turn is over
        control.call(version={})


def context(world, user='alice', ca=None, alpn=PROTOCOL, version=None):
    """Of a client; user None: without a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_ciphers('ALL:@SECLEVEL=0')
    if user:
        ca = ca or world.ca
        made.load_cert_chain(ca.path(user + '.crt'), ca.path(user + '.key'))
    if alpn:
        made.set_alpn_protocols([alpn])
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def dial(world, timeout=60):
    sock = socket.create_connection((HOST, int(port(world))), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(world, user='alice', **options):
    """A session of a good client."""
    client = wire.Client(context(world, user, **options).wrap_socket(dial(world)), wire.CONTROL)
    client.hello(60)
    return client


def ended(sock, timeout=60):
    """Waits for the other end to close, whatever it says before; False: it did not in time."""
    sock.settimeout(timeout)
    try:
        while sock.recv(4096):
            pass
    except TimeoutError:
        return False
    except (ConnectionError, ssl.SSLError):
        pass
    return True


def refused(world, made, timeout=60):
    """Whether a client of that context is disconnected before it is welcome."""
    with dial(world, timeout) as sock:
        try:
            client = wire.Client(made.wrap_socket(sock), wire.CONTROL)
            with client:
                client.hello(timeout)
        except (ConnectionError, ssl.SSLError, wire.Ended):
            return True
    return False


def memory(world):
    """Bytes of lud's own that are in memory."""
    with open('/proc/%d/status' % world.lud.pid, encoding='ascii') as f:
        return int(re.search(r'RssAnon:\s+(\d+) kB', f.read()).group(1)) << 10


@contextlib.contextmanager
def answers(world, within=30):
    """What happens inside does not keep lud from answering at its control socket; generous, for machines that are slow."""
    yield
    begin = time.monotonic()
    with world.control() as control:
        control.call(version={})
    assert time.monotonic() - begin < within
