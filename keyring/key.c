/*
 * One key: drawn, saved, loaded, wiped. The table of roles says what file a key has, of which
 * algorithm it is and what it is for. A key is in memory only inside an open struct
 * keyring_key: the PEM text that it is read from or written to is wiped after use, and the
 * struct is wiped when it is freed. The id is the first 16 bytes of BLAKE2b-512 over the
 * public key and is never stored beside it, so it cannot disagree.
 */
#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/pem.h>

#include "keyring/priv.h"
#include "proto/envelope/envelope_crypto.h"

struct role_row {
	const char *name;
	const char *file;
	const char *use;
	const char *algorithm;
	int type;
};

/*
 * What each role is called and kept in. `use` begins with where the key belongs: `luctl keys
 * list` shows it.
 */
static const struct role_row role_table[_KEYRING_N] = {
        [KEYRING_ROOT] = {"root", "root.pem", "offline: says which keys may do what", "ED25519",
                EVP_PKEY_ED25519},
        [KEYRING_RELEASE] = {"release", "release.pem", "offline: signs kits and times", "ED25519",
                EVP_PKEY_ED25519},
        [KEYRING_VARIANT] = {"variant", "variant.pem", "online: signs variants", "ED25519",
                EVP_PKEY_ED25519},
        [KEYRING_ORDER] = {"order", "order.pem", "online: signs orders and statements", "ED25519",
                EVP_PKEY_ED25519},
        [KEYRING_CONTROL] = {"control", "control.pem", "a person's: for what destroys", "ED25519",
                EVP_PKEY_ED25519},
        [KEYRING_AUDIT] = {"audit", "audit.pem", "offline: opens layout seeds", "X25519",
                EVP_PKEY_X25519},
};

const char *keyring_role_name(enum keyring_role role)
{
	return role_table[role].name;
}

const char *keyring_role_use(enum keyring_role role)
{
	return role_table[role].use;
}

enum keyring_role keyring_role_find(const char *name)
{
	unsigned int i = 0;

	while (i < _KEYRING_N && strcmp(role_table[i].name, name) != 0) {
		i++;
	}
	return (enum keyring_role)i;
}

const char *keyring_role_file(enum keyring_role role)
{
	return role_table[role].file;
}

const char *keyring_error_text(int error)
{
	switch (error) {
	case 0:
		return "fine";
	case KEYRING_E_EXISTS:
		return "there are keys already";
	case KEYRING_E_MISSING:
		return "it is not there";
	case KEYRING_E_UNSAFE:
		return "others could read or replace it: it must be yours, with mode 0600";
	case KEYRING_E_FORMAT:
		return "it is damaged, or of another kind";
	case KEYRING_E_REFUSED:
		return "what was to be signed or unsealed is not good";
	}
	return error < 0 ? strerror(-error) : "an unknown error";
}

struct keyring_key *keyring_key_free(struct keyring_key *key)
{
	if (key != NULL) {
		EVP_PKEY_free(key->pkey);
		OPENSSL_cleanse(key, sizeof(*key));
		free(key);
	}
	return NULL;
}

const uint8_t *keyring_key_pub(const struct keyring_key *key)
{
	return key->pub;
}

const uint8_t *keyring_key_id(const struct keyring_key *key)
{
	return key->id;
}

static int key_alloc(enum keyring_role role, struct keyring_key **ret_key)
{
	struct keyring_key *key = calloc(1, sizeof(*key));

	if (key == NULL) {
		return -ENOMEM;
	}
	key->role = role;
	*ret_key = key;
	return 0;
}

/*
 * Fill in what follows from the private key: public half and id. KEYRING_E_FORMAT: the key is
 * of another algorithm than its role's, so that an X25519 key can sign nothing and an Ed25519
 * key opens nothing.
 */
static int key_derive(struct keyring_key *key)
{
	size_t len = sizeof(key->pub);
	uint8_t hash[64];

	if (EVP_PKEY_get_id(key->pkey) != role_table[key->role].type ||
	        EVP_PKEY_get_raw_public_key(key->pkey, key->pub, &len) != 1 ||
	        len != sizeof(key->pub)) {
		return KEYRING_E_FORMAT;
	}
	envelope_hash(key->pub, sizeof(key->pub), hash);
	memcpy(key->id, hash, sizeof(key->id));
	return 0;
}

/* Drawn by OpenSSL's generator; on no disk yet. */
int keyring_key_new(enum keyring_role role, struct keyring_key **ret_key)
{
	_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
	int r = key_alloc(role, &key);

	if (r < 0) {
		return r;
	}
	key->pkey = EVP_PKEY_Q_keygen(NULL, NULL, role_table[role].algorithm);
	r = key->pkey == NULL ? -EIO : key_derive(key);
	if (r == 0) {
		*ret_key = key;
		key = NULL;
	}
	return r;
}

/*
 * PKCS#8 without a passphrase: who may read it is the file's mode's business. The text lies
 * in a BIO that wipes it when it is freed.
 */
int keyring_key_save(const struct keyring_key *key, int dir_fd)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_secmem());
	char *text;
	long len;

	if (bio == NULL ||
	        PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
		return -EIO;
	}
	len = BIO_get_mem_data(bio, &text);
	return keyring_file_replace(dir_fd, keyring_role_file(key->role), 1, text, (size_t)len);
}

static int key_parse_pem(struct keyring_key *key, const struct keyring_file *file)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->len);

	if (bio == NULL) {
		return -ENOMEM;
	}
	/* An empty passphrase: never ask on the terminal. */
	key->pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
	return key->pkey == NULL ? KEYRING_E_FORMAT : key_derive(key);
}

/*
 * The file must be secret (file.c), a key, and of the role's algorithm. Whether any root
 * names it is not asked here: list.c and the signer do.
 */
int keyring_key_load(int dir_fd, enum keyring_role role, struct keyring_key **ret_key)
{
	_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
	_cleanup_(keyring_file_wipe) struct keyring_file file = {.len = 0};
	int r = keyring_file_read(dir_fd, keyring_role_file(role), 1, &file);

	if (r == 0) {
		r = key_alloc(role, &key);
	}
	if (r != 0) {
		return r;
	}
	r = key_parse_pem(key, &file);
	if (r == 0) {
		*ret_key = key;
		key = NULL;
	}
	return r;
}

int keyring_key_open(const char *dir, enum keyring_role role, struct keyring_key **ret_key)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = keyring_dir_open(dir, &fd);

	return r != 0 ? r : keyring_key_load(fd, role, ret_key);
}
