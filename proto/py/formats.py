"""Numbers of the formats that tests write by hand, read from the headers of proto/: no test has to be told of a new
version or recipe."""
import os
import re

PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')


def define(header, name):
    """The number that a header of proto/ defines."""
    with open(os.path.join(PROTO, header), encoding='utf-8') as f:
        return int(re.search(rf'^#define {name} (\d+)u?$', f.read(), re.M)[1])


RECIPE = define('image/link.h', 'LINK_RECIPE')
IMAGE = define('image/image.h', 'IMAGE_VERSION')
BOOT = define('image/image.h', 'BOOT_VERSION')
FLAT = define('image/flat.h', 'FLAT_VERSION')
ENVELOPE = define('envelope/envelope.h', 'ENVELOPE_VERSION')
MANIFEST = define('envelope/manifest.h', 'MANIFEST_VERSION')
