#undef NDEBUG
#include "host/tls/test/place.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/x509v3.h>

#include "host/base/file.h"

static char place[] = "/tmp/tls-test-XXXXXX";

const char *place_new(void)
{
	assert(mkdtemp(place));
	return place;
}

char *place_path(const char *name)
{
	return text_format("%s/%s", place, name);
}

void place_end(void)
{
	assert(dir_remove(place) == 0);
}

void place_write(const char *path, const char *text, unsigned int mode)
{
	assert(file_write_mode(path, text, strlen(text), mode) == 0);
}

char *place_read(const char *path)
{
	uint8_t *data;
	size_t size;

	assert(file_read(path, 1u << 20, &data, &size) == 0);
	return (char *)data;
}

void place_failed(const struct failure *failure, const char *where, const char *words)
{
	if (strcmp(failure->place, where) != 0 || !strstr(failure->cause, words)) {
		fprintf(stderr, "%s: %s (%s)\n", failure->place, failure->cause, failure->remedy);
		abort();
	}
	assert(*failure->code);
}

int place_judge(X509 *ca, X509_CRL *crl, X509 *certificate, int purpose, int64_t now)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *rules;
	int result;

	assert(store && context && X509_STORE_add_cert(store, ca) == 1);
	assert(X509_STORE_add_crl(store, crl) == 1);
	assert(X509_STORE_CTX_init(context, store, certificate, NULL) == 1);
	rules = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_time(rules, now);
	assert(X509_STORE_CTX_set_purpose(context, purpose) == 1);
	result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return result;
}
