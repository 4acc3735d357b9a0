"""A CA of somebody else's, made with openssl(1): certificates, good ones and such as no CA should make, and lists."""

import os
import subprocess
import time

CONFIG = """
[ca]
default_ca = here
[here]
database = {0}/index.txt
serial = {0}/serial
crlnumber = {0}/crlnumber
new_certs_dir = {0}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = names
[names]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
"""


def openssl(*args, **options):
    done = subprocess.run(['openssl', *args], check=False, capture_output=True, text=True, timeout=100, **options)
    assert done.returncode == 0, (args, done.stderr)
    return done.stdout


def moment(seconds):
    """So many seconds from now, as openssl(1) reads it."""
    return time.strftime('%Y%m%d%H%M%SZ', time.gmtime(time.time() + seconds))


class Authority:
    """A directory with ca.crt, ca.crl, and NAME.crt with NAME.key of everybody."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory)
        for name, text in (('config', CONFIG.format(directory)), ('index.txt', ''), ('serial', '01\n'), ('crlnumber', '01\n')):
            with open(self.path(name), 'w', encoding='ascii') as f:
                f.write(text)
        self.key('ca')
        openssl('req', '-x509', '-new', '-key', self.path('ca.key'), '-out', self.path('ca.crt'), '-days', '30',
                '-subj', '/CN=' + os.path.basename(directory), '-config', self.path('config'), '-extensions', 'root')
        self.list()

    def path(self, name):
        return os.path.join(self.dir, name)

    def key(self, name, kind=('EC', 'ec_paramgen_curve:P-256')):
        openssl('genpkey', '-algorithm', kind[0], '-pkeyopt', kind[1], '-out', self.path(name + '.key'))
        os.chmod(self.path(name + '.key'), 0o600)

    def _ca(self, *args):
        return openssl('ca', '-batch', '-config', self.path('config'), '-cert', self.path('ca.crt'), '-keyfile', self.path('ca.key'),
                       *args)

    def issue(self, file, name=None, use='clientAuth', start=-3600, end=86400, more=''):
        """FILE.crt for `samsara:NAME`, which is user/FILE unless told; name '': for nobody."""
        name = 'user/' + file if name is None else name
        with open(self.path(file + '.ext'), 'w', encoding='ascii') as f:
            f.write('basicConstraints = critical,CA:FALSE\n' + ('extendedKeyUsage = %s\n' % use if use else '') +
                    ('subjectAltName = URI:samsara:%s\n' % name if name else '') + more)
        if not os.path.exists(self.path(file + '.key')):
            self.key(file)
        openssl('req', '-new', '-key', self.path(file + '.key'), '-out', self.path(file + '.req'), '-subj', '/CN=' + file,
                '-config', self.path('config'))
        self._ca('-in', self.path(file + '.req'), '-out', self.path(file + '.crt'), '-notext', '-extfile',
                 self.path(file + '.ext'), '-startdate', moment(start), '-enddate', moment(end))

    def revoke(self, file):
        self._ca('-revoke', self.path(file + '.crt'))
        self.list()

    def list(self, start=-60, end=86400):
        """Writes ca.crl anew, whole."""
        self._ca('-gencrl', '-out', self.path('new.crl'), '-crl_lastupdate', moment(start), '-crl_nextupdate', moment(end))
        os.rename(self.path('new.crl'), self.path('ca.crl'))
