/* Private keys: whose file is taken for one, and what is in it. */
#undef NDEBUG
#include "host/tls/key.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/file.h"
#include "host/tls/pem.h"
#include "host/tls/test/place.h"

static void test_save(void)
{
	_cleanup_(freep) char *path = place_path("a.key");
	_cleanup_(freep) char *before = NULL;
	_cleanup_(freep) char *after = NULL;
	EVP_PKEY *key, *back;
	struct failure failure;
	struct stat st;

	assert(tls_key_new(&key, &failure) == 0 && tls_key_fits(key));
	assert(tls_key_save(path, key, &failure) == 0);
	assert(lstat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	assert(tls_key_read(path, &back, &failure) == 0 && EVP_PKEY_eq(key, back) == 1);
	EVP_PKEY_free(back);
	EVP_PKEY_free(key);
	before = place_read(path);
	assert(tls_key_new(&key, &failure) == 0);
	assert(tls_key_save(path, key, &failure) == -EEXIST);
	place_failed(&failure, path, "there is one already");
	after = place_read(path);
	assert(!strcmp(before, after));
	EVP_PKEY_free(key);
}

/* The key as it is, and of what else it could be. */
static void test_files(void)
{
	_cleanup_(freep) char *path = place_path("a.key");
	_cleanup_(freep) char *other = place_path("other.key");
	_cleanup_(freep) char *link = place_path("link.key");
	_cleanup_(freep) char *none = place_path("none.key");
	struct failure failure;
	EVP_PKEY *key = NULL;

	for (mode_t right = 1; right <= 040; right <<= 1) {
		assert(chmod(path, 0600 | right) == 0);
		assert(tls_key_read(path, &key, &failure) == -EPERM && !key);
		place_failed(&failure, path, "others could have read it");
	}
	assert(chmod(path, 0400) == 0 && tls_key_read(path, &key, &failure) == 0);
	EVP_PKEY_free(key);
	key = NULL;
	assert(symlink(path, link) == 0);
	assert(tls_key_read(link, &key, &failure) == -ELOOP);
	place_failed(&failure, link, "it is a link");
	assert(tls_key_read(none, &key, &failure) == -ENOENT);
	place_failed(&failure, none, "it is not there");
	assert(mkfifo(none, 0600) == 0 && tls_key_read(none, &key, &failure) == -EINVAL);
	place_failed(&failure, none, "no regular file");
	place_write(other, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0600);
	assert(tls_key_read(other, &key, &failure) == -EBADMSG);
	place_failed(&failure, other, "no private key");
	place_write(other, "", 0600);
	assert(tls_key_read(other, &key, &failure) == -EBADMSG);
	assert(truncate(other, TLS_PEM_MAX + 1) == 0);
	assert(tls_key_read(other, &key, &failure) == -EFBIG && !key);
	place_failed(&failure, other, "too large");
}

static void save_as(const char *path, EVP_PKEY *key, const EVP_CIPHER *cipher)
{
	BIO *pem = BIO_new(BIO_s_mem());
	struct failure failure;

	assert(pem && PEM_write_bio_PrivateKey(pem, key, cipher, cipher ? (void *)"secret" : NULL,
	                      cipher ? 6 : 0, NULL, NULL) == 1);
	assert(tls_pem_write(path, pem, 0600, &failure) == 0);
	BIO_free_all(pem);
}

/* Other kinds of keys, a curve that came as numbers, and a passphrase, which nobody is asked for. */
static void test_kinds(void)
{
	_cleanup_(freep) char *path = place_path("kind.key");
	EVP_PKEY *keys[] = {
	        EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
	        EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
	        EVP_EC_gen("P-384"),
	        EVP_EC_gen("secp256k1"),
	        EVP_RSA_gen(1024),
	        EVP_EC_gen("P-256"),
	};
	const size_t n = sizeof(keys) / sizeof(keys[0]);
	struct failure failure;
	EVP_PKEY *key = NULL;

	assert(EVP_PKEY_set_utf8_string_param(keys[n - 1], "encoding", "explicit") == 1);
	for (size_t i = 0; i < n; i++) {
		assert(keys[i]);
		save_as(path, keys[i], NULL);
		assert(tls_key_read(path, &key, &failure) == -EBADMSG && !key);
		place_failed(&failure, path, "P-256");
		EVP_PKEY_free(keys[i]);
	}
	key = EVP_EC_gen("P-256");
	save_as(path, key, EVP_aes_128_cbc());
	EVP_PKEY_free(key);
	key = NULL;
	assert(tls_key_read(path, &key, &failure) == -EBADMSG && !key);
}

int main(void)
{
	(void)place_new();
	test_save();
	test_files();
	test_kinds();
	place_end();
	return 0;
}
