#!/usr/bin/env python3
"""What others' programs say of lud's listener: openssl, testssl.sh, sslscan, nmap.

Usage: judges_test.py BUILD [CASE...]      (no case: all of them)

Of these only openssl(1) speaks our ALPN and shows a certificate. testssl.sh works with an openssl(1) that it is told of,
which is one here that adds both; sslscan and nmap, and testssl.sh with its own hellos, are strangers, and must learn
nothing at all. What a judge has against our certificates (one's own CA, no OCSP, names that are no hosts') is meant so.

A judge that is not installed (`tools/deps judges`) is left out, and the suite counts as skipped if nothing failed.
"""

import json
import os
import re
import shutil
import subprocess
import sys

import harness
import remote

SKIPPED = 77
JUDGES = {'testssl': 'testssl', 'stranger': 'testssl', 'sslscan': 'sslscan', 'nmap': 'nmap'}
SUITES = {'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'}
# As testssl.sh names them; what it only has heard of a program that it could not ask with does not count.
VULNERABILITIES = {'heartbleed', 'CCS', 'ROBOT', 'secure_renego', 'secure_client_renego', 'CRIME_TLS', 'POODLE_SSL', 'fallback_SCSV',
                   'SWEET32', 'FREAK', 'DROWN', 'LOGJAM', 'BEAST', 'LUCKY13', 'RC4'}
WITH_OURS = '#!/bin/sh\n[ "$1" = s_client ] || exec {0} "$@"\nexec {0} "$@" -alpn {1} -cert {2} -key {3}\n'


def prepare(world, **limits):
    remote.prepare(world, 'alice', failures=1000000, **limits)


def judge(*command, timeout=550):
    """What a judge says, both streams."""
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout)
    return done.stdout.decode(errors='replace')


def address(world):
    return '%s:%s' % (remote.HOST, remote.port(world))


def s_client(world, *args, alpn=True, known=True):
    """openssl's client up to the end of the connection, which is lud's."""
    return judge('openssl', 's_client', '-connect', address(world), '-ign_eof', '-msg',
                 *(['-alpn', remote.PROTOCOL] if alpn else []),
                 *(['-cert', world.ca.path('alice.crt'), '-key', world.ca.path('alice.key')] if known else []), *args)


def test_openssl(world):
    """What is agreed on, and what is not, one by one."""
    prepare(world, hello_timeout='1s')
    said = s_client(world)
    for words in ('New, TLSv1.3', 'ALPN protocol: ' + remote.PROTOCOL, 'Compression: NONE', 'Peer signature type: ECDSA',
                  'Server public key is 256 bit', 'Requested Signature Algorithms: ECDSA+SHA256\n'):
        assert words in said, (words, said)
    assert 'CertificateRequest' in said and 'NewSessionTicket' not in said, said
    for suite in sorted(SUITES):
        assert 'Cipher is ' + suite in s_client(world, '-ciphersuites', suite), suite
    for group, told in (('X25519', 'X25519'), ('P-256', 'prime256v1')):
        assert re.search('Server Temp Key: .*' + told, s_client(world, '-groups', group)), group
    for words, args, options in (
            ('alert certificate required', (), {'known': False}),
            ('alert no application protocol', (), {'alpn': False}),
            ('alert protocol version', ('-tls1_2', '-cipher', 'ALL:@SECLEVEL=0'), {}),
            ('alert protocol version', ('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), {}),
            ('alert handshake failure', ('-ciphersuites', 'TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256'), {}),
            ('alert handshake failure', ('-groups', 'P-384:P-521:X448:ffdhe2048'), {})):
        said = s_client(world, *args, **options)
        assert words in said, (words, said)


def test_testssl(world):
    """testssl.sh as somebody who is known."""
    prepare(world)
    findings = testssl(world, WITH_OURS)
    assert findings['TLS1_3'] == ('OK', 'offered'), findings
    for version in ('TLS1', 'TLS1_1', 'TLS1_2'):
        assert findings[version][1].startswith('not offered'), (version, findings)
    assert set(findings['PFS_ciphers'][1].split()) == SUITES, findings['PFS_ciphers']
    assert set(findings['PFS_ECDHE_curves'][1].split()) == {'X25519', 'prime256v1'}, findings['PFS_ECDHE_curves']
    assert findings['sessionresumption_ticket'][1] == 'not supported', findings
    assert findings['sessionresumption_ID'][1].startswith('No Session ID'), findings
    flagged = {name: said for name, said in findings.items()
               if name in VULNERABILITIES and said[0] not in ('OK', 'INFO') and not said[1].startswith('Not tested')}
    assert not flagged and len(VULNERABILITIES & set(findings)) > 10, findings


def testssl(world, script):
    """What it has found: the worst level and the words of each. It is told of an openssl(1) that does as the script says."""
    program, found = world.dir + '/openssl', world.dir + '/found.json'
    with open(program, 'w', encoding='ascii') as f:
        f.write(script.format(shutil.which('openssl'), remote.PROTOCOL, world.ca.path('alice.crt'), world.ca.path('alice.key')))
    os.chmod(program, 0o700)
    said = judge('testssl', '--quiet', '--color', '0', '--warnings', 'off', '-n', 'none', '--ip', remote.HOST, '--openssl', program,
                 '--ssl-native', '--jsonfile', found, '-p', '-s', '-f', '-P', '-S', '-U', address(world))
    assert os.path.exists(found), said
    with open(found, encoding='utf-8') as f:
        return {row['id']: (row['severity'], row['finding']) for row in json.load(f)}


def test_stranger(world):
    """testssl.sh as it comes, with hellos of its own."""
    prepare(world)
    said = judge('testssl', '--quiet', '--color', '0', '--warnings', 'off', '-n', 'none', '--ip', remote.HOST, '-p', address(world))
    for version in ('SSLv2', 'SSLv3', 'TLS 1', 'TLS 1.1', 'TLS 1.2', 'TLS 1.3'):
        assert re.search(r'^ %s +not offered' % re.escape(version), said, re.M), (version, said)


def test_sslscan(world):
    prepare(world)
    said = judge('sslscan', '--no-colour', address(world))
    for version in ('SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'):
        assert re.search(r'^%s +disabled' % re.escape(version), said, re.M), (version, said)
    assert not re.search(r'^(Accepted|Preferred) ', said, re.M), said
    assert 'vulnerable' not in said.replace('not vulnerable', '') and 'Certificate information cannot be retrieved' in said, said


def test_nmap(world):
    prepare(world)
    scripts = ('ssl-enum-ciphers', 'ssl-cert', 'ssl-date', 'tls-alpn', 'tls-nextprotoneg', 'tls-ticketbleed', 'ssl-heartbleed',
               'ssl-poodle', 'ssl-ccs-injection', 'ssl-dh-params', 'sslv2', 'sslv2-drown')
    said = judge('nmap', '-n', '-Pn', '-p', remote.port(world), '--script', ','.join('+' + name for name in scripts), remote.HOST)
    assert re.search(r'^%s/tcp +open' % remote.port(world), said, re.M), said
    for words in ('TLSv1', 'SSLv', 'VULNERABLE', 'ciphers', 'Subject:', 'ERROR'):
        assert words not in said, (words, said)


def without_missing(file):
    """Leaves out what cannot be asked here; whether there was such."""
    missing = {program for program in JUDGES.values() if not shutil.which(program)}
    for case, program in JUDGES.items():
        if program in missing:
            del file['test_' + case]
    for program in sorted(missing):
        print('%s is not installed; `tools/deps judges` does it' % program, flush=True)
    return bool(missing)


is_partial = without_missing(globals())
try:
    harness.main(globals(), 1)
except SystemExit as ended:
    sys.exit(ended.code or (SKIPPED if is_partial else 0))
