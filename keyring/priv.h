#pragma once
/* What the files of the keyring share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/evp.h>

#include "keyring/keyring.h"

#define KEYRING_FILE_MAX 4096u
#define KEYRING_SKEW_SEC (24u * 3600)

#define _cleanup_(f) __attribute__((cleanup(f)))

struct keyring_key {
	enum keyring_role role;
	EVP_PKEY *pkey; /* Ed25519; X25519 of the audit role */
	uint8_t pub[32];
	uint8_t id[16];
};

/* A whole small file; wiped when it goes out of scope. */
struct keyring_file {
	size_t len;
	uint8_t bytes[KEYRING_FILE_MAX];
};

static inline void fd_closep(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd);
	}
}

static inline void keyring_key_freep(struct keyring_key **key)
{
	(void)keyring_key_free(*key);
}

static inline void bio_freep(BIO **bio)
{
	(void)BIO_free(*bio);
}

void keyring_file_wipe(struct keyring_file *file);

/*
 * Open the keyring's directory. KEYRING_E_MISSING, KEYRING_E_UNSAFE (somebody else
 * owns it or may change it), or -errno.
 */
int keyring_dir_open(const char *dir, int *ret_fd);

/*
 * Read a file of the keyring. secret: it must be ours and closed to others. The
 * caller wipes *ret_file.
 */
int keyring_file_read(int dir_fd, const char *name, int secret, struct keyring_file *ret_file);

/* Create a file of mode 0600 (secret) or 0644 with these bytes, on disk. */
int keyring_file_write(int dir_fd, const char *name, int secret, const void *bytes, size_t len);

/* The same in place of a file that may be there: written beside and renamed. */
int keyring_file_replace(int dir_fd, const char *name, int secret, const void *bytes, size_t len);

/* Read the signed root (a stored part) and open it. KEYRING_E_FORMAT: it is no root. */
int keyring_root_load(int dir_fd, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part);

/* keyring_rules_read() from a directory that is open already. */
int keyring_rules_load(
        int dir_fd, struct rules *ret_rules, unsigned int *ret_line, const char **ret_why);

/* Draw a new key of a role. */
int keyring_key_new(enum keyring_role role, struct keyring_key **ret_key);

/* Write a key into its file, in the place of the one before if there is one. */
int keyring_key_save(const struct keyring_key *key, int dir_fd);

/* Open from a directory that is open already. */
int keyring_key_load(int dir_fd, enum keyring_role role, struct keyring_key **ret_key);
