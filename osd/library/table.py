"""The libraries that services link: the one table of what is built, from which package, how.

A library is named as the `library` lines of service descriptions name it. `dev` is the Debian package with its headers,
which must be installed: its version is the version that is built. What is listed is compiled and nothing else, so a
service that needs more of a library needs a row here.
"""
from typing import NamedTuple

SODIUM = 'src/libsodium/'

# SHA-256 of the descriptions of source packages, as Debian's signed index has them: what lies in a cache is not believed
# by itself. A version that is not here is taken as apt fetched it; a row for it belongs here soon.
PUBLISHED = {
    'libsodium_1.0.18-1+deb12u1.dsc': '2c23c57b5a9385dab5a1916014c9b5f2cdd7dadeb8a35b28c1bfb603ce7095c4',
    'protobuf-c_1.4.1-1.dsc': '480082f3a320b6d718a8a218191168be9ab19e8115994739ee11e954498848e4',
}


class Library(NamedTuple):
    dev: str  # the package of the headers
    files: list = []  # to compile, relative to the unpacked source package
    flags: list = []  # beside those of every service
    # Writable objects that nothing ever writes, each with the reason: they are put into read-only memory, where a
    # write is a fault and no pointer in them can be changed.
    constant: dict = {}
    prebuilt: str = ''  # instead of `files`: the archive of the package, taken as it is


LIBRARIES = {
    'libprotobuf-c.a': Library(
        dev='libprotobuf-c-dev',
        files=['protobuf-c/protobuf-c.c'],
        # It reads what comes from outside: as Debian does.
        flags=['-I.', '-fstack-protector-strong'],
        constant={'protobuf_c__allocator': 'the default allocator: only read, and every call of ours names its own'},
    ),
    # The portable code without a choice of vector code: what its sources would choose at run time is decided when they
    # are compiled, since none of the HAVE_...INTRIN_H is defined; so the pointers to the chosen code become constants.
    # Nor are HAVE_MMAP and the like defined: a service has no pages of its own to protect.
    'libsodium.a': Library(
        dev='libsodium-dev',
        files=[SODIUM + name for name in (
            'crypto_aead/chacha20poly1305/sodium/aead_chacha20poly1305.c',
            'crypto_auth/hmacsha256/auth_hmacsha256.c',
            'crypto_core/ed25519/ref10/ed25519_ref10.c',
            'crypto_generichash/blake2b/generichash_blake2.c',
            'crypto_generichash/blake2b/ref/blake2b-compress-ref.c',
            'crypto_generichash/blake2b/ref/blake2b-ref.c',
            'crypto_generichash/blake2b/ref/generichash_blake2b.c',
            'crypto_hash/sha256/cp/hash_sha256_cp.c',
            'crypto_hash/sha512/cp/hash_sha512_cp.c',
            'crypto_onetimeauth/poly1305/donna/poly1305_donna.c',
            'crypto_onetimeauth/poly1305/onetimeauth_poly1305.c',
            'crypto_scalarmult/curve25519/ref10/x25519_ref10.c',
            'crypto_scalarmult/curve25519/scalarmult_curve25519.c',
            'crypto_sign/ed25519/ref10/keypair.c',
            'crypto_sign/ed25519/ref10/open.c',
            'crypto_sign/ed25519/ref10/sign.c',
            'crypto_stream/chacha20/ref/chacha20_ref.c',
            'crypto_stream/chacha20/stream_chacha20.c',
            'crypto_verify/sodium/verify.c',
            'sodium/utils.c',
        )],
        flags=['-I' + SODIUM + 'include/sodium', '-DCONFIGURED=1', '-DNATIVE_LITTLE_ENDIAN=1', '-DHAVE_TI_MODE=1',
               '-DHAVE_EXPLICIT_BZERO=1', '-DHAVE_WEAK_SYMBOLS=1', '-fstack-protector-strong',
               # A tenth less for a hash, a fiftieth for a signature.
               '-O3', '-fomit-frame-pointer'],
        constant={f'crypto_{name}_implementation': 'its functions; only a `const` is missing in the source'
                  for name in ('onetimeauth_poly1305_donna', 'scalarmult_curve25519_ref10', 'stream_chacha20_ref')},
    ),
    # Each of its functions has a section of its own already.
    'libc.a': Library(dev='musl-dev', prebuilt='/usr/lib/x86_64-linux-musl/libc.a'),
}

if __name__ == '__main__':
    print(*LIBRARIES)  # for meson.build
