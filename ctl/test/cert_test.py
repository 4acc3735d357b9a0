#!/usr/bin/env python3
"""`luctl cert` as a person uses it: a CA, requests, certificates, and every way in which that goes wrong; and a CA of
others, made with the commands of openssl, whose certificates must pass the same checks.

Usage: cert_test.py LUCTL TLS_END
"""
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time

LUCTL, END = (os.path.abspath(path) for path in sys.argv[1:3])


class Place:
    """A directory of files and a CA in it."""

    def __init__(self, top, name):
        self.dir = os.path.join(top, name)
        os.mkdir(self.dir)
        self.ca = self.path('ca')

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def run(self, *words, code=0):
        """What it says, both ways. code None: any failure."""
        done = subprocess.run([LUCTL, *words], cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == code or (code is None and done.returncode), (words, done.returncode, done.stdout)
        return done.stdout

    def cert(self, verb, *words, code=0):
        return self.run('cert', verb, *words, *([] if verb == 'request' else ['--ca', self.ca]), code=code)

    def json(self, verb, *words):
        told = self.cert(verb, *words, '--json')
        return json.JSONDecoder().raw_decode(told[told.index('{'):])[0]

    def openssl(self, *words):
        subprocess.run(['openssl', *words], cwd=self.dir, check=True, capture_output=True)

    def end(self, kind, name, ca='ca/ca.crt', crl='ca/ca.crl'):
        """'' if this end could start with the files of this name, else why not."""
        done = subprocess.run([END, kind, ca, crl, name + '.crt', name + '.key'], cwd=self.dir, stdout=subprocess.PIPE,
                              text=True, check=False)
        assert (done.returncode == 0) == (not done.stdout), done
        return done.stdout

    def write(self, name, text, mode=0o644):
        with open(self.path(name), 'w', encoding='ascii') as f:
            f.write(text)
        os.chmod(self.path(name), mode)

    def read(self, name):
        with open(self.path(name), encoding='ascii') as f:
            return f.read()

    def states(self):
        return {row['serial']: row['state'] for row in self.json('list')['certificates']}


def test_life(p):
    """From a CA to a revoked name, each step as somebody who connects would judge it."""
    told = p.cert('init')
    assert 'made a CA' in told and stat.S_IMODE(os.stat(p.path('ca/ca.key')).st_mode) == 0o600, told
    assert 'luctl cert issue user/alice alice.req' in p.cert('request', 'user/alice')
    assert p.json('request', 'samsara:host/lud')['made_key']
    assert not p.json('request', 'host/lud')['made_key'], 'the key that is there is used again'
    assert stat.S_IMODE(os.stat(p.path('alice.key')).st_mode) == 0o600
    alice = p.json('issue', 'user/alice', 'alice.req')
    p.cert('issue', 'host/lud', 'lud.req')
    assert p.end('client', 'alice') == '' and p.end('server', 'lud') == ''
    assert 'it would be refused' in p.end('server', 'alice') and 'it would be refused' in p.end('client', 'lud')
    assert alice['not_after'] - alice['not_before'] == 90 * 86400 + 3600
    assert p.states()[alice['serial']] == 'valid'

    renewed = p.json('renew', 'user/alice', '--days', '20')
    assert renewed['serial'] != alice['serial'] and renewed['revoked'] == []
    assert set(p.states().values()) == {'valid'} and p.end('client', 'alice') == ''
    replaced = p.json('renew', 'user/alice', '--revoke', '--out', 'new.crt')
    assert sorted(replaced['revoked']) == sorted([alice['serial'], renewed['serial']]), replaced
    assert 'revoked' in p.end('client', 'alice')
    shutil.copy(p.path('new.crt'), p.path('alice.crt'))
    assert p.end('client', 'alice') == ''

    assert 'lasts until' in p.cert('crl', '--days', '5')
    told = p.cert('revoke', 'user/alice', replaced['serial'].upper(), '--reason', 'key-compromise')
    assert told.count(': revoked') == 1 and 'has 3 revoked' in told, told
    assert 'revoked' in p.end('client', 'alice') and p.end('server', 'lud') == ''
    assert p.json('revoke', replaced['serial'])['revoked'] == [], 'it is revoked already'
    row, = (r for r in p.json('list')['certificates'] if r['serial'] == replaced['serial'])
    assert row['reason'] == 'key-compromise' and row['revoked_at'], row
    assert 'no certificate that is not revoked' in p.cert('renew', 'user/alice', code=3)


def test_openssl_agrees(p):
    """What others make of it: the whole chain with its list, by openssl's own judgement."""
    p.cert('init')
    p.cert('request', 'user/alice')
    p.cert('issue', 'user/alice', 'alice.req')
    check = ['verify', '-x509_strict', '-crl_check', '-CAfile', 'ca/ca.crt', '-CRLfile', 'ca/ca.crl']
    p.openssl(*check, '-purpose', 'sslclient', 'alice.crt')
    p.openssl('req', '-in', 'alice.req', '-verify', '-noout')
    p.cert('revoke', 'user/alice')
    done = subprocess.run(['openssl', *check, 'alice.crt'], cwd=p.dir, capture_output=True, text=True, check=False)
    assert done.returncode and 'revoked' in done.stderr, done


OUTSIDE = '''
[ca]
default_ca = here
[here]
dir = .
database = index
new_certs_dir = .
serial = serial
crlnumber = crlnumber
default_md = sha256
default_crl_days = 30
policy = any
[any]
commonName = optional
[user]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:samsara:user/carol
[host]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = URI:samsara:host/far
[both]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = URI:samsara:user/carol
[dns]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = clientAuth
subjectAltName = DNS:carol.example.org
'''


def test_outside_ca(p):
    """A CA of openssl's commands, with requests of luctl: its names pass the same checks, and fail them where they should."""
    p.write('conf', OUTSIDE)
    p.write('index', '')
    p.write('crlnumber', '01\n')
    p.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'root.key')
    p.openssl('req', '-x509', '-new', '-key', 'root.key', '-days', '100', '-subj', '/CN=outside', '-out', 'root.crt',
              '-addext', 'keyUsage=critical,keyCertSign,cRLSign')
    p.run('cert', 'request', 'user/carol')
    p.run('cert', 'request', 'host/far')
    with_ca = ['ca', '-batch', '-notext', '-config', 'conf', '-cert', 'root.crt', '-keyfile', 'root.key', '-days', '30',
               '-rand_serial']
    crl = ['ca', '-config', 'conf', '-cert', 'root.crt', '-keyfile', 'root.key', '-gencrl', '-out', 'root.crl']
    p.openssl(*crl)

    def judged(name, kind, section):
        p.write('index', '')
        p.openssl(*with_ca, '-extensions', section, '-in', name + '.req', '-out', name + '.crt')
        return p.end(kind, name, 'root.crt', 'root.crl')
    assert judged('far', 'server', 'host') == ''
    assert 'clientAuth and serverAuth' in judged('carol', 'client', 'both')
    assert 'no URI' in judged('carol', 'client', 'dns')
    assert judged('carol', 'client', 'user') == ''
    p.openssl('ca', '-config', 'conf', '-cert', 'root.crt', '-keyfile', 'root.key', '-revoke', 'carol.crt')
    p.openssl(*crl)
    assert 'revoked' in p.end('client', 'carol', 'root.crt', 'root.crl')
    p.cert('init')
    assert 'not signed by a CA that is named' in p.end('client', 'carol', 'ca/ca.crt', 'root.crl')


def at(days):
    """A moment from now, as openssl writes one."""
    return time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + days * 86400))


def test_ends(p):
    """What ends soon, or has ended, is said: of a name the newest alone, of a revoked one nothing; and of the list."""
    p.cert('init')
    p.write('conf', OUTSIDE)
    p.write('crlnumber', '01\n')
    p.cert('request', 'user/carol')
    own = ['-config', 'conf', '-cert', 'ca/ca.crt', '-keyfile', 'ca/ca.key']

    def issued(serial, start, end):
        p.write('index', '')
        p.write('serial', serial + '\n')
        p.openssl('ca', '-batch', '-notext', *own, '-extensions', 'user', '-startdate', at(start), '-enddate', at(end), '-in',
                  'carol.req', '-out', 'ca/issued/%s.crt' % serial)
    issued('1001', -80, 10)
    told = p.cert('list')
    assert p.states() == {'1001': 'soon'} and 'its certificate ends on' in told and 'luctl cert renew' in told, told
    issued('1002', -70, -1)
    told = p.cert('list')
    assert p.states()['1002'] == 'expired' and 'has ended on' in told and 'ends on' not in told, told
    issued('1003', 2, 90)
    assert p.states()['1003'] == 'not-yet' and 'is not valid before' in p.cert('list')
    p.cert('revoke', 'user/carol')
    told = p.cert('list')
    assert set(p.states().values()) == {'revoked'} and 'its certificate' not in told, told
    p.openssl('ca', *own, '-gencrl', '-crl_lastupdate', at(-20), '-crl_nextupdate', at(5), '-out', 'ca/ca.crl')
    told = p.cert('list')
    assert 'the list of revoked certificates ends on' in told and 'luctl cert crl' in told, told
    p.openssl('ca', *own, '-gencrl', '-crl_lastupdate', at(-20), '-crl_nextupdate', at(-5), '-out', 'ca/ca.crl')
    assert p.json('list')['crl_state'] == 'expired'
    p.cert('crl')
    assert p.json('list')['crl_state'] == 'valid'


def test_no_ca(p):
    for verb, *words in (['list'], ['crl'], ['renew', 'user/alice'], ['revoke', 'user/alice']):
        told = p.cert(verb, *words, code=3)
        assert 'there is no CA' in told and 'luctl cert init' in told, told
    p.cert('init')
    before = p.read('ca/ca.key'), p.read('ca/ca.crt'), p.read('ca/ca.crl')
    assert 'there is a CA already; nothing was changed' in p.cert('init', code=7)
    assert before == (p.read('ca/ca.key'), p.read('ca/ca.crt'), p.read('ca/ca.crl'))
    told = p.run('cert', 'init', '--ca', '/proc/none/ca', code=3)
    assert '/proc/none/ca' in told and 'cannot be made' in told, told


def test_command_line(p):
    p.cert('init')
    for name in ('alice', 'machine/a', 'user/', 'user/Alice', 'user/../x', 'user/a/b', ''):
        assert 'not the name of a user or a host' in p.cert('request', name, code=2), name
    assert 'too many' in p.cert('crl', '--days', '7301', code=2)
    p.cert('crl', '--days', '0', code=2)
    assert 'is none that a list' in p.cert('revoke', 'user/alice', '--reason', 'because', code=2)
    p.cert('request', 'user/alice')
    told = p.cert('issue', 'user/alice', 'alice.req', '--days', '4000', code=2)
    assert 'the CA itself ends before that' in told and not p.states(), told


def test_requests(p):
    """What is no request, or one of somebody else, or of another kind of key."""
    p.cert('init')
    p.cert('request', 'user/alice')
    assert 'not there' in p.cert('issue', 'user/alice', 'none.req', code=3)
    assert 'asks to be samsara:user/alice' in p.cert('issue', 'user/bob', 'alice.req', code=2)
    assert 'no request' in p.cert('issue', 'user/alice', 'alice.key', code=7)
    assert 'no regular file' in p.cert('issue', 'user/alice', '/dev/null', code=2)
    p.write('big.req', 'x' * (1 << 20))
    assert 'too large' in p.cert('issue', 'user/alice', 'big.req', code=1)
    p.openssl('req', '-newkey', 'rsa:1024', '-nodes', '-keyout', 'r.key', '-subj', '/CN=alice', '-out', 'r.req')
    assert 'not of P-256' in p.cert('issue', 'user/alice', 'r.req', code=7)
    assert not p.states()
    p.openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'e.key', '-subj',
              '/CN=somebody', '-addext', 'basicConstraints=CA:TRUE', '-addext', 'extendedKeyUsage=serverAuth', '-out', 'e.req')
    p.cert('issue', 'user/alice', 'e.req', '--out', 'e.crt')
    assert p.end('client', 'e') == '', 'of a request nothing counts but the key'
    assert 'request of a user of this name' in p.cert('request', 'host/alice', code=7)


def test_keys(p):
    """A key that others can read, a link, something else; none is written over."""
    p.cert('request', 'user/alice')
    key = p.read('alice.key')
    os.chmod(p.path('alice.key'), 0o640)
    told = p.cert('request', 'user/alice', code=7)
    assert 'others could have read it' in told and '0600' in told, told
    os.rename(p.path('alice.key'), p.path('elsewhere'))
    os.chmod(p.path('elsewhere'), 0o600)
    os.symlink('elsewhere', p.path('alice.key'))
    assert 'it is a link' in p.cert('request', 'user/alice', code=7)
    os.unlink(p.path('alice.key'))
    p.write('alice.key', 'x', 0o600)
    assert 'no private key of P-256' in p.cert('request', 'user/alice', code=7)
    assert p.read('alice.key') == 'x' and p.read('elsewhere') == key
    assert 'cannot be opened' in p.cert('request', 'user/bob', '--dir', p.path('none'), code=3)
    told = p.run('cert', 'request', 'user/bob', '--dir', '/proc/self', code=None)
    assert 'cannot be written' in told and 'bob.key' in told, told


def test_damage(p):
    """Files of the CA that are not as they were: the file, why, and what to do."""
    p.cert('init')
    p.cert('request', 'user/alice')
    serial = p.json('issue', 'user/alice', 'alice.req')['serial']

    def broken(name, text, *words, code):
        kept = p.read(name)
        os.unlink(p.path(name))
        if text is not None:
            p.write(name, text, 0o600)
        told = p.cert(*words, code=code)
        p.write(name, kept, 0o600)
        assert name in told and len(told.strip().split('\n')) >= 2, told
        return told
    assert 'with it who was revoked' in broken('ca/ca.crl', None, 'list', code=3)
    assert 'that this CA has signed' in broken('ca/ca.crl', 'x', 'revoke', 'user/alice', code=7)
    assert 'no certificate' in broken('ca/ca.crt', 'x', 'list', code=7)
    assert 'not there' in broken('ca/ca.key', None, 'crl', code=3)
    assert 'no private key' in broken('ca/ca.key', 'x', 'crl', code=7)
    told = broken('ca/issued/%s.crt' % serial, 'x', 'list', code=7)
    assert 'it is damaged' in told and 'damaged' in told, told
    other = p.path('other')
    p.run('cert', 'init', '--ca', other)
    theirs = json.loads(p.run('cert', 'issue', 'user/alice', 'alice.req', '--ca', other, '--json'))
    shutil.copy(theirs['issued'], p.path('ca/issued'))
    told = p.cert('list', code=7)
    assert theirs['serial'] + '.crt: it is damaged' in told, told
    os.unlink(p.path('ca/issued', theirs['serial'] + '.crt'))
    os.chmod(p.ca, 0o770)
    assert 'others may write to it' in p.cert('list', code=7)
    os.chmod(p.ca, 0o700)
    assert 'no certificate of this name or number' in p.cert('revoke', 'user/alice', '0' * 32, code=3)
    assert p.states() == {serial: 'valid'}, 'all or nothing'
    told = p.cert('renew', 'user/alice', '--out', '/proc/none/x', code=1)
    assert 'is issued, and is here alone' in told and len(p.states()) == 2, told


def main():
    top = tempfile.mkdtemp(prefix='cert_test.')
    for name, test in [(n, t) for n, t in globals().items() if n.startswith('test_')]:
        test(Place(top, name))
        print('ok', name)
    shutil.rmtree(top)


main()
