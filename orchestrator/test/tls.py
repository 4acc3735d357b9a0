"""TLS for tests of luctl: certificates, a way to lud's socket that speaks it, well or badly, and one that is cut."""

import contextlib
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading

PROTOCOL = 'samsara-control/1'


def files(world):
    """Makes certificates (tls_files.c); a function that gives the path of one."""
    made = subprocess.run([world.program('ctl/tls_files')], check=True, capture_output=True, text=True).stdout.strip()
    shutil.move(made, world.dir + '/tls')
    return lambda name: os.path.join(world.dir, 'tls', name)


class Server:
    """Takes connections at a port of this host, each in a thread, until it is closed."""

    def __init__(self, serve):
        self.serve, self.listener, self.n = serve, socket.create_server(('127.0.0.1', 0), backlog=64), 0
        self.open = []
        self.port = self.listener.getsockname()[1]
        self.ends, self.end = os.pipe()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while self.listener in select.select([self.listener, self.ends], [], [])[0]:
            sock, _ = self.listener.accept()
            self.n += 1
            thread = threading.Thread(target=self._one, args=(sock,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _one(self, sock):
        with contextlib.suppress(OSError, ValueError), sock:
            self.serve(sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.end)
        for thread in self.threads:
            thread.join(60)
        self.listener.close()
        os.close(self.ends)

    def drop(self):
        """Ends the connections there are."""
        while self.open:
            with contextlib.suppress(OSError):
                self.open.pop().shutdown(socket.SHUT_RDWR)

    def pump(self, one, other, watch=None):
        """What comes at one end goes out at the other, until either ends. watch: sees each piece before that; false: no more."""
        with other:
            ends = {one: other, other: one}
            self.open.append(one)
            while True:
                has = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
                for end in has or select.select([*ends, self.ends], [], [])[0]:
                    if end == self.ends:
                        return
                    try:
                        piece = end.recv(65536)
                    except ssl.SSLWantReadError:
                        continue
                    if not piece or (watch and not watch(end is one, piece)):
                        return
                    ends[end].sendall(piece)


def to_lud(world, file, identity='home', alpn=PROTOCOL, newest=None, ca='ca.ca'):
    """A server that shows this identity and leads to lud's socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file(identity + '.crt'), file(identity + '.key'))
    context.load_verify_locations(file(ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    if alpn:
        context.set_alpn_protocols([alpn])
    if newest:
        context.maximum_version = newest

    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as client, socket.socket(socket.AF_UNIX) as lud:
            lud.connect(world.socket)
            server.pump(client, lud)
    server = Server(serve)
    return server


class Cut:
    """The bytes of each connection, until it is cut: the first one behind so many bytes, or messages, in either direction."""

    def __init__(self, port, limits=()):
        self.port, self.limits, self.server = port, list(limits), None

    def __enter__(self):
        self.server = Server(self._serve)
        return self.server

    def __exit__(self, *exc):
        self.server.__exit__(*exc)

    def _serve(self, sock):
        limit = self.limits.pop(0) if self.limits else None
        seen = {True: 0, False: 0}

        def watch(is_luctl, piece):
            seen[is_luctl] += len(piece)
            return not limit or limit[0] != is_luctl or seen[is_luctl] < limit[1]
        self.server.pump(sock, socket.create_connection(('127.0.0.1', self.port)), watch)
