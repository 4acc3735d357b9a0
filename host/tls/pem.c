/*
 * Files of PEM, and failures in words. Whoever runs luctl cert sees these sentences: each says which file, why, and
 * what would help; an errno alone says the second.
 */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>

#include "host/base/file.h"
#include "host/tls/pem.h"

static const struct fail_row {
	int error;
	const char *cause;
	const char *remedy;
} fail_table[] = {
        {ENOENT, "it is not there", "check the path"},
        {ENOTDIR, "a part of its path is no directory", "check the path"},
        {EACCES, "its rights forbid it", "run this as whose file it is, or change its rights"},
        {EPERM, "others could have read it, or it is not yours",
                "make it yours, with mode 0600, if nobody had it; else make another one"},
        {ELOOP, "it is a link", "put the file itself there: where a link leads can change"},
        {EINVAL, "it is no regular file", "put a file there"},
        {EISDIR, "it is a directory", "name a file"},
        {EFBIG, "it is too large to be one", "check that it is the right file"},
        {EEXIST, "there is one already, and it stays", "move it away, or name another place"},
        /* Not that nothing was changed: the last fsync may say so, of a file that is in its place. */
        {ENOSPC, "the disk is full", "make room and do it again"},
        {EDQUOT, "your share of the disk is full", "make room and do it again"},
        {EROFS, "the disk is read-only", "name a directory that can be written to"},
};

int tls_fail_file(struct failure *ret_failure, const char *path, const char *doing, int error)
{
	for (size_t i = 0; i < sizeof(fail_table) / sizeof(fail_table[0]); i++) {
		if (fail_table[i].error == -error) {
			failure_set(ret_failure, "file", path, fail_table[i].remedy, "it %s: %s",
			        doing, fail_table[i].cause);
			return err_up(error);
		}
	}
	failure_set(ret_failure, "file", path, "", "it %s: %s", doing, strerror(-error));
	return err_up(error);
}

int tls_fail_crypto(struct failure *ret_failure, const char *place, const char *doing)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	failure_set(ret_failure, "crypto", place, "", "it %s: %s", doing,
	        reason ? reason : "OpenSSL gives no reason");
	ERR_clear_error();
	return err_raise(-EIO);
}

int tls_pem_read(const char *path, size_t limit, BIO **ret_pem, struct failure *ret_failure)
{
	_cleanup_(freep) uint8_t *text = NULL;
	_cleanup_(tls_bio_freep) BIO *pem = NULL;
	size_t size;
	int r = file_read(path, limit, &text, &size);

	if (r < 0) {
		return tls_fail_file(ret_failure, path, "cannot be read", r);
	}
	pem = BIO_new(BIO_s_mem());
	if (!pem || (size && BIO_write(pem, text, (int)size) != (int)size)) {
		return tls_fail_crypto(ret_failure, path, "cannot be read");
	}
	*ret_pem = steal(&pem);
	return 0;
}

int tls_pem_write(const char *path, BIO *pem, mode_t mode, struct failure *ret_failure)
{
	char *text;
	long size = BIO_get_mem_data(pem, &text);
	int r = file_write_mode(path, text, (size_t)size, mode);

	return r < 0 ? tls_fail_file(ret_failure, path, "cannot be written", r) : 0;
}
