/*
 * Seeds of layouts, sealed; see seed.h. The key file is judged as the signer judges its own: what
 * others could read or replace is no key to rely on. That a seed opens says only that whoever sealed
 * it knew the commitment; whether it is the one that was committed to is the caller's to ask.
 */
#include "forge/cmd/seed.h"

#include <string.h>

#include "forge/base/report.h"
#include "host/text/hex.h"
#include "keyring/keyring.h"
#include "proto/envelope/seal.h"

_Static_assert(SEED_SIZE == LINK_SEED_SIZE, "a layout is drawn from what is sealed");

/* Bytes may begin with what could be digits, and with the end of a line: only a whole file is text. */
int seed_read_bytes(struct buf *ret_bytes, const char *path)
{
	int r = buf_read_file(ret_bytes, path);
	char *text;
	size_t n;

	if (r < 0) {
		return r;
	}
	buf_add_zero(ret_bytes, 1);
	ret_bytes->len--;
	text = (char *)ret_bytes->bytes;
	n = strspn(text, "0123456789abcdefABCDEF");
	if (n > 0 && (n == ret_bytes->len || (n + 1 == ret_bytes->len && text[n] == '\n'))) {
		text[n] = '\0';
		ret_bytes->len = hex_read(text, ret_bytes->bytes, n / 2) ? n / 2 : ret_bytes->len;
	}
	return 0;
}

int seed_open(const char *keys, const char *path, const uint8_t commitment[64],
        uint8_t ret_seed[LINK_SEED_SIZE])
{
	BUF_CLEANUP struct buf sealed = {0};
	struct keyring_key *audit = NULL;
	int r = seed_read_bytes(&sealed, path);

	if (r < 0) {
		return r;
	}
	if (sealed.len != SEAL_SIZE) {
		return report_refuse(
		        path, "not a sealed seed: %u bytes, or twice as many digits", SEAL_SIZE);
	}
	r = keyring_key_open(keys, KEYRING_AUDIT, &audit);
	if (r != 0) {
		return report_refuse(keys, "the audit key (audit.pem) cannot be used: %s",
		        keyring_error_text(r));
	}
	r = keyring_unseal(audit, commitment, sealed.bytes, ret_seed);
	keyring_key_free(audit);
	return r == 0 ? 0
	              : report_refuse(path,
	                        "it does not open: it was sealed to another audit key, or is of "
	                        "another commitment, or a byte of it was changed");
}
